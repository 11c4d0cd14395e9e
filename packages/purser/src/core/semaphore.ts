import { PurserError } from '../errors.ts'
import { withSignal } from './abort.ts'

/** A fixed number of slots and a bounded first-in, first-out queue of callers that wait for one. */
export interface Semaphore {
  /**
   * Resolves when the caller has a slot. Rejects with `signal.reason`, or with `runtime_busy` when the queue is full.
   *
   * @param freeSlot called when all slots are taken, with the number of callers that wait already. It may start to free a
   *   slot. If it returns false, no slot will be free soon, and the call rejects with `runtime_busy` instead of waiting.
   */
  acquire(signal: AbortSignal, freeSlot?: (waiting: number) => boolean): Promise<void>
  /** Gives a slot back. Call it once for each `acquire` that has resolved. */
  release(): void
}

const QUEUE_MAX = 10_000

/** `busy`: message and hint of the `runtime_busy` error. */
export function createSemaphore(slots: number, busy: { readonly message: string; readonly hint: string }): Semaphore {
  let taken = 0
  const queue = new Set<() => void>()

  async function waitForSlot(signal: AbortSignal): Promise<void> {
    const granted = Promise.withResolvers<void>()
    let isGranted = false
    const grant = (): void => {
      isGranted = true
      granted.resolve()
    }
    queue.add(grant)
    try {
      await withSignal(granted.promise, signal)
    } catch (error) {
      queue.delete(grant)
      if (isGranted) release()
      throw error
    }
  }

  /** A slot passes directly to the first caller in the queue, so that a new caller cannot take it in between. */
  function release(): void {
    const [next] = queue
    if (next === undefined) taken--
    else {
      queue.delete(next)
      next()
    }
  }

  return {
    async acquire(signal, freeSlot) {
      signal.throwIfAborted()
      if (taken < slots) {
        taken++
        return
      }
      const isExhausted = freeSlot !== undefined && !freeSlot(queue.size)
      if (isExhausted || queue.size >= QUEUE_MAX || slots === 0) {
        throw new PurserError('runtime_busy', busy.message, { hint: busy.hint })
      }
      await waitForSlot(signal)
    },
    release,
  }
}
