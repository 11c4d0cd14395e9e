import { sleep } from '../../../core/abort.ts'
import { systemEffects } from '../../../core/effects.ts'
import type { Bus, MetaStore } from '../../../storage/store.ts'
import type { LocalBus } from '../../local-bus.ts'
import type { CacheFallback } from '../cache/fallback.ts'
import type { ChangePoller } from './change-poller.ts'
import type { MessageQueue } from './message-queue.ts'

export interface SqliteBus extends Bus {
  close(): Promise<void>
}

export interface SqliteBusDeps {
  readonly local: LocalBus
  readonly changes: ChangePoller
  readonly messages: MessageQueue
  readonly fallback: CacheFallback
  readonly meta: MetaStore
}

/** Interval at which commits and messages of other processes are looked for. */
const POLL_MS = 50
/** A value of `meta` that is changed to be noticed. */
const SIGNAL = 'signal'

/**
 * Delivers to the listeners of this process at once, and between processes by polling, once there is a listener here.
 * Polls on the system clock, whatever clock the store was opened with: other processes run in real time.
 */
export function createSqliteBus({ local, changes, messages, fallback, meta }: SqliteBusDeps): SqliteBus {
  let stopPolling: (() => void) | undefined
  let closed = false

  /** Without messages, a write to the main file tells the other processes that anything may have changed. */
  async function signalChange(): Promise<void> {
    const stored = await meta.get(SIGNAL)
    await meta.compareAndSet(SIGNAL, stored, stored === '1' ? '0' : '1')
    await sleep(systemEffects, 2 * POLL_MS)
  }

  async function poll(): Promise<void> {
    try {
      await changes.poll()
      messages.poll()
    } catch {
      // The files cannot be read now. Calls that use them report the error; messages can wait for the next poll.
    }
    if (!closed) stopPolling = systemEffects.setTimer(poll, POLL_MS, { background: true })
  }

  return {
    async publish(message) {
      local.deliver(message)
      await fallback.run(() => messages.send(message), signalChange)
    },
    subscribe(listener) {
      messages.listen()
      stopPolling ??= systemEffects.setTimer(poll, POLL_MS, { background: true })
      return local.subscribe(listener)
    },
    async close() {
      closed = true
      stopPolling?.()
      await messages.close()
    },
  }
}
