import { PurserError } from '../errors.ts'
import { withSignal } from './abort.ts'

/** A number of places, and a bounded queue of those who wait for one. */
export interface Semaphore {
  /**
   * Takes a place, or waits for one. Asked when all are taken, `makeRoom` tells whether a place will become free
   * soon; when not, or when the queue is full, this rejects with `runtime_busy`.
   */
  enter(signal: AbortSignal, makeRoom?: (waiting: number) => boolean): Promise<void>
  leave(): void
}

const WAITING_MAX = 10_000

export function createSemaphore(max: number, busy: { readonly message: string; readonly hint: string }): Semaphore {
  let taken = 0
  const waiting = new Set<() => void>()

  async function wait(signal: AbortSignal): Promise<void> {
    let admitted = false
    let admit: () => void = () => undefined
    const turn = new Promise<void>((resolve) => {
      admit = () => {
        admitted = true
        resolve()
      }
    })
    waiting.add(admit)
    try {
      await withSignal(turn, signal)
    } catch (error) {
      waiting.delete(admit)
      if (admitted) leave()
      throw error
    }
  }

  /** The place goes to the one who has waited longest, without becoming free in between. */
  function leave(): void {
    const [first] = waiting
    if (first === undefined) taken--
    else {
      waiting.delete(first)
      first()
    }
  }

  return {
    async enter(signal, makeRoom) {
      signal.throwIfAborted()
      if (taken < max) {
        taken++
        return
      }
      const hopeless = makeRoom !== undefined && !makeRoom(waiting.size)
      if (hopeless || waiting.size >= WAITING_MAX || max === 0) {
        throw new PurserError('runtime_busy', busy.message, { hint: busy.hint })
      }
      await wait(signal)
    },
    leave,
  }
}
