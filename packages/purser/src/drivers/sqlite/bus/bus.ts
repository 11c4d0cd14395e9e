import { systemEffects } from '../../../core/effects.ts'
import type { Bus } from '../../../storage/store.ts'
import type { LocalBus } from '../../local-bus.ts'
import type { ChangePoller } from './change-poller.ts'
import type { MessageQueue } from './message-queue.ts'

export interface SqliteBus extends Bus {
  close(): Promise<void>
}

export interface BusDeps {
  readonly local: LocalBus
  readonly commits: ChangePoller
  readonly mailbox: MessageQueue
}

/** How often we look for what other processes have done. */
const POLL_MS = 50

/**
 * News in this process at once, and between processes by looking for it, as long as anybody listens here. It runs on
 * the system's clock: other processes live in real time, whatever clock this store was given.
 */
export function createSqliteBus({ local, commits, mailbox }: BusDeps): SqliteBus {
  let stopPolling: (() => void) | undefined
  let closed = false

  async function poll(): Promise<void> {
    try {
      await commits.look()
      mailbox.look()
    } catch {
      // The files cannot be read just now. Whoever works with them is told by their own call; news can wait.
    }
    if (!closed) stopPolling = systemEffects.setTimer(poll, POLL_MS, { background: true })
  }

  return {
    async publish(message) {
      local.deliver(message)
      await mailbox.send(message)
    },
    subscribe(listener) {
      mailbox.listen()
      stopPolling ??= systemEffects.setTimer(poll, POLL_MS, { background: true })
      return local.subscribe(listener)
    },
    async close() {
      closed = true
      stopPolling?.()
      await mailbox.close()
    },
  }
}
