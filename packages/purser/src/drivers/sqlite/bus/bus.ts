import { systemEffects } from '../../../core/effects.ts'
import type { Bus } from '../../../storage/store.ts'
import type { LocalBus } from '../../local-bus.ts'
import type { ChangePoller } from './change-poller.ts'
import type { MessageQueue } from './message-queue.ts'

export interface SqliteBus extends Bus {
  close(): Promise<void>
}

export interface SqliteBusDeps {
  readonly local: LocalBus
  readonly changes: ChangePoller
  readonly messages: MessageQueue
}

/** Interval at which commits and messages of other processes are looked for. */
const POLL_MS = 50

/**
 * Delivers to the listeners of this process at once, and between processes by polling, once there is a listener here.
 * Polls on the system clock, whatever clock the store was opened with: other processes run in real time.
 */
export function createSqliteBus({ local, changes, messages }: SqliteBusDeps): SqliteBus {
  let stopPolling: (() => void) | undefined
  let closed = false

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
      await messages.send(message)
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
