import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { UserRow } from '../storage/commit.ts'
import type { Store, UserStore } from '../storage/store.ts'
import type { SumIncrement } from '../storage/sum-store.ts'
import type { NewEvent, UserData } from './event.ts'
import type { JournalLimits } from './limits.ts'
import { type QueuedWrite, userErased } from './queued-write.ts'
import type { Snapshot } from './snapshot.ts'
import type { UnitOfWork } from './unit-of-work.ts'
import type { UserWriter } from './user-writer.ts'

export interface CommitLoopDeps<Data extends UserData> {
  readonly store: Store
  readonly effects: Effects
  readonly limits: JournalLimits
  /** Reads the store and caches the result. An unknown user is the initial data with revision null. */
  load(writer: UserWriter<Data>): Promise<Snapshot<Data>>
  createUnitOfWork(user: Subject, base: Snapshot<Data>): UnitOfWork<Data>
  /** Nothing for a row that cannot be read. */
  describeErased(row: UserRow, now: number): ErasedUser
}

/** What an erasure takes with it. */
export interface ErasedUser {
  /** What a row holds besides itself, by kind. */
  readonly counts: ErasedCounts
  /** What it adds to the sums of the namespace. */
  readonly sums: readonly SumIncrement[]
  /** The revision that these are true for; undefined: any. */
  readonly revision: number | undefined
}

const NOTHING_ERASED: ErasedUser = { counts: {}, sums: [], revision: undefined }

/** Number of rows removed, and of parts of the user's row, by kind. */
export type ErasedCounts = Readonly<Record<string, number>>

export interface ErasureRequest<Data extends UserData> {
  readonly user: UserWriter<Data>
  /** The namespace's own log. */
  readonly log: UserWriter<Data>
  /** The keyed hash that replaces the user's id in the log. */
  readonly pseudonym: string
  event(incarnation: number, pseudonym: string): NewEvent
}

/** Where an attempt writes: the store, or the store under its write lock. */
type Target = Pick<UserStore, 'commit' | 'erase'>

/** Carried from one attempt of a batch to the next. */
interface BatchProgress<Data extends UserData> {
  /** The cached snapshot, which only the first attempt uses. */
  cached: Snapshot<Data> | undefined
  /** The incarnation that the previous attempt was decided on. */
  incarnation: number | undefined
}

/** Turns writes of one user into one commit when that needs the store: load, decide, commit, and again after a conflict. */
export class CommitLoop<Data extends UserData> {
  readonly #deps: CommitLoopDeps<Data>
  #repliesSinceSweep = 0
  #sweep: Promise<unknown> = Promise.resolve()

  constructor(deps: CommitLoopDeps<Data>) {
    this.#deps = deps
  }

  /**
   * Commits a batch and settles every write in it; never rejects. `store_damaged`, and an error that is not a
   * `PurserError`, may be caused by a single write, such as a violated constraint: the batch is then committed one write
   * at a time, so that only that write fails.
   *
   * @param incarnation the one the batch was decided on before, if it was
   */
  async commitBatch(
    writer: UserWriter<Data>,
    batch: readonly QueuedWrite<Data>[],
    incarnation?: number,
  ): Promise<void> {
    const pending = batch.filter((queued) => !queued.isAborted)
    if (pending.length === 0) return
    try {
      await this.#commit(writer, pending, incarnation)
      for (const queued of pending) queued.settle()
    } catch (error) {
      writer.invalidate()
      if (pending.length === 1 || (PurserError.is(error) && error.code !== 'store_damaged')) {
        for (const queued of pending) queued.reject(error)
        return
      }
      for (const queued of pending) await this.commitBatch(writer, [queued])
    }
  }

  /** Ends an incarnation and appends one event to the log, in one step. No write of either may run during it. */
  async erase({ user, log, pseudonym, event }: ErasureRequest<Data>): Promise<ErasedCounts> {
    const { store, load, createUnitOfWork, describeErased, effects } = this.#deps
    const erased = await this.#retryOnConflict([user.user, log.user], async (target) => {
      const row = await store.users.load(user.user)
      const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(user.user.namespace, pseudonym))
      const unit = createUnitOfWork(log.user, await load(log))
      const { counts, sums, revision } = row === undefined ? NOTHING_ERASED : describeErased(row, effects.now())
      const recorded = sums.length === 0 ? undefined : { turns: [], userSums: [], sums }
      unit.apply({ events: [event(incarnation, pseudonym)], recorded, result: () => undefined })
      const erasure = { tag: pseudonym, incarnation, revision, log: unit.toCommit() }
      const outcome = await target.erase(user.user, erasure)
      user.forget()
      log.invalidate()
      return outcome.ok ? { ...counts, ...outcome.counts } : undefined
    })
    if (erased !== undefined) return erased
    throw new PurserError('store_unavailable', 'The user kept changing during the erasure.', { hint: 'Try again.' })
  }

  /** Resolves when no sweep of expired replies is running. */
  async idle(): Promise<void> {
    await this.#sweep
  }

  async #commit(
    writer: UserWriter<Data>,
    batch: readonly QueuedWrite<Data>[],
    incarnation: number | undefined,
  ): Promise<void> {
    const progress: BatchProgress<Data> = { cached: writer.snapshot, incarnation }
    const isCommitted = await this.#retryOnConflict([writer.user], (target) =>
      this.#attempt(writer, batch, { progress, target }),
    )
    if (isCommitted === true) return
    const { maxAttempts } = this.#deps.limits
    throw new PurserError('store_unavailable', `Other processes changed this user ${maxAttempts} times in a row.`, {
      hint: 'Try again. If it happens again, look for another process that writes this user in a loop.',
      details: { reason: 'conflict' },
    })
  }

  /**
   * Decides the batch in order and commits the changes. Undefined on a conflict; then nothing was written.
   * A batch that changes nothing (refusals, no-ops) must have been decided on the stored state as well: when its
   * snapshot came from the cache, the row is read again. When the incarnation ends between two attempts, the batch is
   * rejected: it must not create the next incarnation.
   */
  async #attempt(
    writer: UserWriter<Data>,
    batch: readonly QueuedWrite<Data>[],
    { progress, target }: { readonly progress: BatchProgress<Data>; readonly target: Target },
  ): Promise<true | undefined> {
    const { limits, load, createUnitOfWork } = this.#deps
    const { cached, incarnation } = progress
    const base = cached ?? (await load(writer))
    if (incarnation !== undefined && incarnation !== base.incarnation) throw userErased()
    progress.incarnation = base.incarnation
    progress.cached = undefined
    const unit = createUnitOfWork(writer.user, base)
    const reads = this.#startReads(writer.user, unit, batch)
    if (reads.length > 0) await Promise.all(reads)
    for (const queued of batch) if (!queued.isAborted) queued.decide(unit, limits.replyTtlMs)
    if (!unit.isDirty) {
      return cached === undefined || isSameRow(await load(writer), base) ? true : undefined
    }
    const commit = unit.toCommit()
    const outcome = await target.commit(writer.user, commit)
    if (!outcome.ok) return undefined
    writer.snapshot = unit.toSnapshot(outcome.revision)
    this.#repliesSinceSweep += commit.replies.length
    if (this.#repliesSinceSweep >= limits.repliesPerSweep) this.#sweepReplies()
    return true
  }

  /** Reads everything the decisions look up, in parallel, because decisions are synchronous. */
  #startReads(user: Subject, unit: UnitOfWork<Data>, batch: readonly QueuedWrite<Data>[]): Promise<void>[] {
    const { users } = this.#deps.store
    const reads: Promise<void>[] = []
    for (const { write } of batch) {
      for (const record of write.reads ?? []) {
        if (unit.isAbsent(record)) continue
        reads.push(users.record(user, record.kind, record.name).then((value) => unit.addLoadedRecord(record, value)))
      }
      const { idempotency } = write
      if (idempotency !== undefined)
        reads.push(users.reply(user, idempotency.key).then((reply) => reply && unit.addLoadedReply(reply)))
    }
    return reads
  }

  /**
   * Runs `attempt` until it reports no conflict by returning a value. After `attemptsBeforeLock` attempts it takes the
   * write lock of `users` for each further one. Undefined when all attempts ended in a conflict.
   */
  async #retryOnConflict<Result>(
    users: readonly Subject[],
    attempt: (target: Target) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const { store, limits } = this.#deps
    for (let made = 0; made < limits.maxAttempts; made++) {
      const lock = made < limits.attemptsBeforeLock ? undefined : await store.users.lockWrites?.(users)
      try {
        const result = await attempt(lock ?? store.users)
        if (result !== undefined) return result
      } finally {
        if (lock !== undefined) await lock.release()
      }
    }
    return undefined
  }

  /** Removes up to twice as many replies as were added, so that expired ones do not accumulate. Errors are ignored. */
  #sweepReplies(): void {
    const { store, effects, limits } = this.#deps
    this.#repliesSinceSweep = 0
    this.#sweep = this.#sweep
      .then(() => store.users.sweepReplies(effects.now(), 2 * limits.repliesPerSweep))
      .catch(() => undefined)
  }
}

function isSameRow(a: { revision: number | null; incarnation: number }, b: typeof a): boolean {
  return a.revision === b.revision && a.incarnation === b.incarnation
}
