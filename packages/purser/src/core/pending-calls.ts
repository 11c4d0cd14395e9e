import { PurserError, purserClosed } from '../errors.ts'
import { endsWithin } from './abort.ts'
import type { Effects } from './effects.ts'

/** The pending calls that `close` waits for. */
export interface PendingCalls {
  /**
   * Settles like `call`. Rejects with `closed` once closing has begun; so does a call that is still pending after the
   * close timeout and fails because the store was closed under it.
   */
  run<T>(call: () => Promise<T>): Promise<T>
  /** Rejects new calls and waits up to `timeoutMs` for the pending ones. */
  close(timeoutMs: number): Promise<void>
}

export function createPendingCalls(effects: Effects): PendingCalls {
  const allSettled = Promise.withResolvers<void>()
  let pending = 0
  let isClosing = false
  let isClosed = false

  return {
    async run(call) {
      if (isClosing) throw purserClosed()
      pending++
      try {
        return await call()
      } catch (error) {
        throw isClosed && PurserError.is(error, 'store_unavailable') ? purserClosed(error) : error
      } finally {
        pending--
        if (isClosing && pending === 0) allSettled.resolve()
      }
    },
    async close(timeoutMs) {
      isClosing = true
      if (pending > 0) await endsWithin(effects, allSettled.promise, timeoutMs)
      isClosed = true
    },
  }
}
