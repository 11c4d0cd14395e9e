import { systemEffects } from '../../core/effects.ts'

/*
 * An ordinary commit is decided before its process has the write lock. When another process writes the same row
 * without pause, such a commit is always outdated. A locked transaction is the alternative: take the lock, read, decide,
 * write, release.
 */

/** An open transaction, until its one write, its release or its timeout, whichever is first. */
export interface LockedTransaction {
  /** Runs `task` and commits. After the end: does nothing and returns undefined. Throws what `task` throws. */
  write<Result>(task: () => Result): Result | undefined
  /** Ends without a write. Safe to call twice. */
  release(): void
}

export interface LockedTransactionDeps {
  /** How long the lock may be held, ms. */
  readonly maxMs: number
  commit(): void
  rollback(): void
  /** Called once, when the lock is free again. */
  onEnd(): void
}

/** Wraps a transaction that has just begun. */
export function openLockedTransaction({ maxMs, commit, rollback, onEnd }: LockedTransactionDeps): LockedTransaction {
  let isEnded = false
  const cancelTimeout = systemEffects.setTimer(() => end(rollback), maxMs)

  function end<Result>(last: () => Result): Result | undefined {
    if (isEnded) return undefined
    isEnded = true
    cancelTimeout()
    try {
      return last()
    } finally {
      onEnd()
    }
  }

  return {
    write: (task) =>
      end(() => {
        try {
          const result = task()
          commit()
          return result
        } catch (error) {
          rollback()
          throw error
        }
      }),
    release: () => end(rollback),
  }
}
