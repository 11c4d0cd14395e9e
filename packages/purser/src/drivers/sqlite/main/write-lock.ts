import { systemEffects } from '../../../core/effects.ts'

/*
 * Who waits for the lock writes what they decided before they got it. Where another process writes the same row
 * without a pause, that is always too late. So there is a second way: take the lock, read, decide, write, let it go.
 */

/** A transaction that is open until its one write, its end, or the end of its time, whichever comes first. */
export interface WriteLock {
  /** Runs `task` and commits. Undefined, and nothing done, when the hold is over. Throws what `task` throws. */
  write<Result>(task: () => Result): Result | undefined
  /** Writes nothing. Safe to call twice. */
  end(): void
}

export interface WriteLockDeps {
  /** How long it may last, ms. */
  readonly maxMs: number
  commit(): void
  rollback(): void
  /** Called once, when the lock is free again. */
  over(): void
}

/** Inside a transaction that has just begun. */
export function openWriteLock({ maxMs, commit, rollback, over }: WriteLockDeps): WriteLock {
  let isOver = false
  const cancel = systemEffects.setTimer(() => hold.end(), maxMs)

  function finish<Result>(last: () => Result): Result | undefined {
    if (isOver) return undefined
    isOver = true
    cancel()
    try {
      return last()
    } finally {
      over()
    }
  }

  const hold: WriteLock = {
    write: (task) =>
      finish(() => {
        try {
          const result = task()
          commit()
          return result
        } catch (error) {
          rollback()
          throw error
        }
      }),
    end: () => finish(rollback),
  }
  return hold
}
