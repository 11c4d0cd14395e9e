import { withSignal } from '../core/abort.ts'
import type { AbortSignalLike } from '../core/call-signal.ts'
import { type Subject, subjectKey } from '../core/subject.ts'

/**
 * The turns under idempotency keys whose answer cannot be found by repeats yet. Turns that are sent at once under one key
 * read from the store at their own pace; without this, a repeat could overtake the first turn, find no answer to wait for,
 * and call the model itself. Turns in other processes are not known here: what is stored decides there.
 *
 * Its size is bounded by the number of turns in progress.
 */
export class StartingTurns {
  readonly #turns = new Map<string, Promise<boolean>>()

  /**
   * Registers a turn, before anything is read. Another one under the same key waits until the earlier one has an answer
   * that it can share, or has ended without one. Rejects with the signal's reason.
   *
   * @returns Ends the registration: whether repeats find the answer of the turn. Only the first call counts.
   */
  async add(
    user: Subject,
    idempotencyKey: string,
    signal: AbortSignalLike | undefined,
  ): Promise<(isShared: boolean) => void> {
    const key = JSON.stringify([subjectKey(user), idempotencyKey])
    for (let earlier = this.#turns.get(key); earlier !== undefined; earlier = this.#turns.get(key))
      if (await withSignal(earlier, signal)) return () => undefined
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#turns.set(key, promise)
    return (isShared) => {
      if (this.#turns.get(key) === promise) this.#turns.delete(key)
      resolve(isShared)
    }
  }
}
