import { PurserError, purserClosed } from '../errors.ts'
import { endsWithin } from './abort.ts'
import type { Effects } from './effects.ts'

/** The calls that closing waits for. */
export interface PendingCalls {
  /** Rejects like `call`; with `closed` once closing has begun, or when it was cut because it took longer than that. */
  run<T>(call: () => Promise<T>): Promise<T>
  /** Takes no new calls, and waits for those under way for `timeoutMs` at most. What the store cuts then is `closed`. */
  close(timeoutMs: number): Promise<void>
}

export function createPendingCalls(effects: Effects): PendingCalls {
  const allEnded = Promise.withResolvers<void>()
  let underWay = 0
  let isClosing = false
  let isCut = false

  return {
    async run(call) {
      if (isClosing) throw purserClosed()
      underWay++
      try {
        return await call()
      } catch (error) {
        throw isCut && PurserError.is(error, 'store_unavailable') ? purserClosed(error) : error
      } finally {
        underWay--
        if (isClosing && underWay === 0) allEnded.resolve()
      }
    },
    async close(timeoutMs) {
      isClosing = true
      if (underWay > 0) await endsWithin(effects, allEnded.promise, timeoutMs)
      isCut = true
    },
  }
}
