import { randomInt } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { afterCurrentTick, systemEffects } from '../../core/effects.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import { isBusy, isStoreError, toStoreError } from './errors.ts'
import type { FileGuard } from './file-guard.ts'
import { type LockedTransaction, openLockedTransaction } from './locked-transaction.ts'

/*
 * Group commit. Pending writes are written in one transaction, so that many share the cost of one flush to disk. The
 * first transaction begins at the end of the current microtasks, which collects writes that are requested together, as
 * by a batch of calls; the next one begins after the previous one has ended and the event loop has run its callbacks.
 *
 * Writes run one after the other without savepoints, which is the fast path. When a write fails by its own error, the
 * transaction is rolled back and all its writes run again, each in a savepoint: only the failing write is rejected. An
 * error of the store itself (full, read-only, damaged) rejects the whole batch.
 *
 * When another process has the lock, the queue retries later instead of blocking the thread, which would block every
 * user. The pause is real time whatever clock the store was opened with: other processes do not follow that clock.
 */

export interface WriteLimits {
  /** Writes in one transaction; the others wait for the next. */
  readonly maxPerTransaction: number
  /** Pending writes; one more is rejected with `store_unavailable`. */
  readonly maxPending: number
  /** How long another process may have the lock before pending writes are rejected with `store_unavailable`. */
  readonly busyGiveUpMs: number
  /** Pause before the lock is tried again; jitter makes it half to one and a half of this. */
  readonly busyRetryMs: number
  /** How long a locked transaction may stay open. */
  readonly maxLockMs: number
}

export const WRITE_LIMITS: WriteLimits = {
  maxPerTransaction: 256,
  maxPending: 100_000,
  busyGiveUpMs: 5_000,
  busyRetryMs: 8,
  maxLockMs: 250,
}

export interface WriteQueueOptions {
  readonly limits?: WriteLimits
  /** Called after every commit; when it throws, nothing of the transaction is acknowledged. */
  readonly guard?: FileGuard
}

interface PendingWrite {
  run(): unknown
  settle(outcome: WriteOutcome<unknown>): void
}

export type WriteOutcome<Result> = { readonly result: Result } | { readonly error: unknown }

type Outcome = WriteOutcome<unknown>

/** The writes of one connection. At most one transaction is open at a time. */
export class WriteQueue {
  readonly #path: string
  readonly #limits: WriteLimits
  readonly #transaction: GroupTransaction
  #writes: PendingWrite[] = []
  readonly #lockRequests: PromiseWithResolvers<LockedTransaction>[] = []
  #locked: LockedTransaction | undefined
  #isScheduled = false
  #busySince: number | undefined
  #drained: PromiseWithResolvers<void> | undefined

  constructor(
    connection: DatabaseSync,
    path: string,
    { limits = WRITE_LIMITS, guard = () => undefined }: WriteQueueOptions = {},
  ) {
    this.#path = path
    this.#limits = limits
    this.#transaction = new GroupTransaction(connection, guard)
  }

  /**
   * Runs `task` inside a transaction and resolves to its result once that is on disk. `task` may run twice, so it must
   * have no effects other than its statements.
   */
  async write<Result>(task: () => Result): Promise<Result> {
    const [outcome] = await this.writeAll([task])
    if (outcome === undefined || 'error' in outcome) throw outcome?.error
    return outcome.result
  }

  /** The same for several tasks, each of which succeeds or fails alone. */
  writeAll<Result>(tasks: readonly (() => Result)[]): Promise<readonly WriteOutcome<Result>[]> {
    return new Promise((resolve) => {
      this.#throwIfDraining()
      if (this.#writes.length + tasks.length > this.#limits.maxPending)
        throw new PurserError(
          'store_unavailable',
          `The write queue is full: ${this.#writes.length} writes are pending.`,
        )
      const outcomes: WriteOutcome<Result>[] = []
      // They are settled in the order in which they are queued.
      const settle = (outcome: WriteOutcome<Result>): void => {
        if (outcomes.push(outcome) === tasks.length) resolve(outcomes)
      }
      for (const run of tasks) this.#writes.push({ run, settle: settle as PendingWrite['settle'] })
      this.#schedule(queueMicrotask)
    })
  }

  /** Resolves when no other process can write. Pending writes of this queue continue when the transaction has ended. */
  async lock(): Promise<LockedTransaction> {
    this.#throwIfDraining()
    const request = Promise.withResolvers<LockedTransaction>()
    this.#lockRequests.push(request)
    this.#schedule()
    return request.promise
  }

  /** Ends the open locked transaction without its write, for work that cannot wait for it. */
  unlock(): void {
    this.#locked?.release()
  }

  /** Resolves when nothing is pending. New writes are rejected from now on. */
  drain(): Promise<void> {
    if (this.#drained === undefined) {
      this.#drained = Promise.withResolvers<void>()
      this.#schedule()
    }
    return this.#drained.promise
  }

  #throwIfDraining(): void {
    if (this.#drained !== undefined) throw storeClosed()
  }

  #schedule(defer: (run: () => void) => void = afterCurrentTick): void {
    if (this.#locked !== undefined || this.#isScheduled) return
    if (this.#writes.length + this.#lockRequests.length === 0) {
      this.#drained?.resolve()
      return
    }
    this.#isScheduled = true
    defer(this.#lockRequests.length > 0 ? this.#openLocked : this.#flush)
  }

  readonly #openLocked = (): void => {
    this.#isScheduled = false
    try {
      this.#transaction.begin()
    } catch (error) {
      if (isBusy(error) && this.#retryLater(this.#openLocked)) return
      this.#busySince = undefined
      const storeError = toStoreError(error, this.#path)
      for (const request of this.#lockRequests.splice(0)) request.reject(storeError)
      this.#schedule()
      return
    }
    this.#busySince = undefined
    this.#locked = openLockedTransaction({
      maxMs: this.#limits.maxLockMs,
      commit: () => {
        this.#transaction.commit()
        this.#transaction.check()
      },
      rollback: () => this.#transaction.rollback(),
      onEnd: () => {
        this.#locked = undefined
        this.#schedule()
      },
    })
    this.#lockRequests.shift()?.resolve(this.#locked)
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    const batch = this.#writes.slice(0, this.#limits.maxPerTransaction)
    try {
      const outcomes = this.#transaction.run(batch)
      this.#busySince = undefined
      this.#settle(batch, outcomes)
    } catch (error) {
      if (isBusy(error) && this.#retryLater(this.#flush)) return
      this.#busySince = undefined
      const storeError = toStoreError(error, this.#path)
      this.#settle(
        batch,
        batch.map(() => ({ error: storeError })),
      )
    }
  }

  /** Removes the batch from the queue, settles its promises and continues with the rest. */
  #settle(batch: readonly PendingWrite[], outcomes: readonly Outcome[]): void {
    this.#writes = this.#writes.slice(batch.length)
    for (const [index, outcome] of outcomes.entries()) batch[index]?.settle(outcome)
    this.#schedule()
  }

  /** Runs `step` again after a pause; false when another process has had the lock for too long. */
  #retryLater(step: () => void): boolean {
    const now = systemEffects.monotonic()
    this.#busySince ??= now
    if (now - this.#busySince >= this.#limits.busyGiveUpMs) return false
    this.#isScheduled = true
    systemEffects.setTimer(step, this.#limits.busyRetryMs * (0.5 + randomInt(1_000) / 1_000))
    return true
  }
}

/** A transaction of several writes, in which a write that fails by its own error does not affect the others. */
class GroupTransaction {
  readonly #connection: DatabaseSync
  readonly #guard: FileGuard
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  readonly #savepoint: StatementSync
  readonly #release: StatementSync
  readonly #rollbackToSavepoint: StatementSync

  constructor(connection: DatabaseSync, guard: FileGuard) {
    this.#connection = connection
    this.#guard = guard
    this.#begin = connection.prepare('BEGIN IMMEDIATE')
    this.#commit = connection.prepare('COMMIT')
    this.#rollback = connection.prepare('ROLLBACK')
    this.#savepoint = connection.prepare('SAVEPOINT one')
    this.#release = connection.prepare('RELEASE one')
    this.#rollbackToSavepoint = connection.prepare('ROLLBACK TO one')
  }

  begin(): void {
    this.#begin.run()
  }

  commit(): void {
    this.#commit.run()
  }

  rollback(): void {
    if (this.#connection.isTransaction) this.#rollback.run()
  }

  /** Throws when what was committed is not in the files of the store. */
  check(): void {
    this.#guard()
  }

  /** The outcome of each write. Throws an error of the store itself; nothing was written then. */
  run(batch: readonly PendingWrite[]): Outcome[] {
    const outcomes =
      this.#attempt(() => batch.map((write) => ({ result: write.run() }))) ??
      this.#attempt(() => batch.map((write) => this.#runInSavepoint(write)))
    if (outcomes === undefined) throw new Error('A write failed outside of its savepoint.')
    this.check()
    return outcomes
  }

  /** One transaction; undefined when a write failed by its own error and everything was rolled back. */
  #attempt(run: () => Outcome[]): Outcome[] | undefined {
    this.begin()
    try {
      const outcomes = run()
      this.commit()
      return outcomes
    } catch (error) {
      this.rollback()
      if (isStoreError(error)) throw error
      return undefined
    }
  }

  #runInSavepoint(write: PendingWrite): Outcome {
    this.#savepoint.run()
    try {
      const result = write.run()
      this.#release.run()
      return { result }
    } catch (error) {
      if (isStoreError(error) || !this.#connection.isTransaction) throw error
      this.#rollbackToSavepoint.run()
      this.#release.run()
      return { error }
    }
  }
}
