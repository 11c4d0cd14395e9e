import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Store, UserStore } from '../storage/store.ts'
import type { Write } from './api.ts'
import type { NewEvent } from './event.ts'
import type { JournalLimits } from './limits.ts'
import type { Snapshot } from './snapshot.ts'
import type { SnapshotCache } from './snapshot-cache.ts'
import type { UnitOfWork } from './unit-of-work.ts'

export interface CommitLoopDeps<State, Measurements> {
  readonly store: Store
  readonly effects: Effects
  readonly limits: JournalLimits
  readonly snapshots: SnapshotCache<State, Measurements>
  createUnitOfWork(user: Subject, base: Snapshot<State, Measurements>): UnitOfWork<State, Measurements>
}

export interface QueuedWrite<State, Measurements> {
  readonly write: Write<State, Measurements, unknown, unknown>
  /** Of the idempotency body; computed when the call is made, so that a body that is not JSON fails only that call. */
  readonly digest: string | undefined
  /** Set when the caller aborts: the write is not decided any more. */
  isAborted: boolean
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** Number of rows removed, by kind. */
export type ErasedCounts = Readonly<Record<string, number>>

export interface ErasureRequest {
  readonly user: Subject
  /** The namespace's own log. */
  readonly log: Subject
  /** The keyed hash that replaces the user's id in the log. */
  readonly pseudonym: string
  event(incarnation: number, pseudonym: string): NewEvent
}

/** Settles the promise of one write; called when its batch is committed. */
type Completion = () => void

/** Where an attempt writes: the store, or the store under its write lock. */
type Writer = Pick<UserStore, 'commit' | 'erase'>

/** Carried from one attempt of a batch to the next. */
interface BatchProgress<State, Measurements> {
  /** The cached snapshot, which only the first attempt uses. */
  cached: Snapshot<State, Measurements> | undefined
  /** The incarnation that the previous attempt was decided on. */
  incarnation: number | undefined
}

/** Turns queued writes of one user into one commit: load, decide, commit, and again after a conflict. */
export class CommitLoop<State, Measurements> {
  readonly #deps: CommitLoopDeps<State, Measurements>
  #repliesSinceSweep = 0
  #sweep: Promise<unknown> = Promise.resolve()

  constructor(deps: CommitLoopDeps<State, Measurements>) {
    this.#deps = deps
  }

  /**
   * Commits a batch and settles every write in it; never rejects. An error that is not a `PurserError` is caused by a
   * single write, such as a violated constraint: the batch is then committed one write at a time, so that only that
   * write fails.
   */
  async commitBatch(user: Subject, batch: readonly QueuedWrite<State, Measurements>[]): Promise<void> {
    const pending = batch.filter((queued) => !queued.isAborted)
    if (pending.length === 0) return
    try {
      for (const complete of await this.#commit(user, pending)) complete()
    } catch (error) {
      this.#deps.snapshots.delete(user)
      if (pending.length === 1 || PurserError.is(error)) {
        for (const queued of pending) queued.reject(error)
        return
      }
      for (const queued of pending) await this.commitBatch(user, [queued])
    }
  }

  /** Ends an incarnation and appends one event to the log, in one step. No write of either may run during it. */
  async erase({ user, log, pseudonym, event }: ErasureRequest): Promise<ErasedCounts> {
    const { store, snapshots, createUnitOfWork } = this.#deps
    const erased = await this.#retryOnConflict(async (writer) => {
      const row = await store.users.load(user)
      const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(user.namespace, pseudonym))
      const unit = createUnitOfWork(log, await snapshots.load(log))
      unit.apply({ events: [event(incarnation, pseudonym)], result: () => undefined })
      const outcome = await writer.erase(user, { tag: pseudonym, incarnation, log: unit.toCommit() })
      snapshots.delete(user)
      snapshots.delete(log)
      return outcome.ok ? outcome.counts : undefined
    })
    if (erased !== undefined) return erased
    throw new PurserError('store_unavailable', 'The user kept changing during the erasure.', { hint: 'Try again.' })
  }

  /** Resolves when no sweep of expired replies is running. */
  async idle(): Promise<void> {
    await this.#sweep
  }

  async #commit(user: Subject, batch: readonly QueuedWrite<State, Measurements>[]): Promise<readonly Completion[]> {
    const progress: BatchProgress<State, Measurements> = {
      cached: this.#deps.snapshots.get(user),
      incarnation: undefined,
    }
    const completions = await this.#retryOnConflict((writer) => this.#attempt(user, batch, { progress, writer }))
    if (completions !== undefined) return completions
    const { maxAttempts } = this.#deps.limits
    throw new PurserError('store_unavailable', `Other processes changed this user ${maxAttempts} times in a row.`, {
      hint: 'Try again. If it happens again, look for another process that writes this user in a loop.',
    })
  }

  /**
   * Decides the batch in order and commits the changes. Undefined on a conflict; then nothing was written.
   * A batch that changes nothing (refusals, no-ops) must have been decided on the stored state as well: when its
   * snapshot came from the cache, the row is read again. When the incarnation ends between two attempts, the batch is
   * rejected: it must not create the next incarnation.
   */
  async #attempt(
    user: Subject,
    batch: readonly QueuedWrite<State, Measurements>[],
    { progress, writer }: { readonly progress: BatchProgress<State, Measurements>; readonly writer: Writer },
  ): Promise<readonly Completion[] | undefined> {
    const { limits, snapshots, createUnitOfWork } = this.#deps
    const { cached, incarnation } = progress
    const base = cached ?? (await snapshots.load(user))
    if (incarnation !== undefined && incarnation !== base.incarnation) throw userErased()
    progress.incarnation = base.incarnation
    progress.cached = undefined
    const unit = createUnitOfWork(user, base)
    const reads = this.#startReads(user, unit, batch)
    if (reads.length > 0) await Promise.all(reads)
    const completions = batch.flatMap((queued) => (queued.isAborted ? [] : [this.#decide(unit, base, queued)]))
    if (!unit.isDirty) {
      return cached === undefined || isSameRow(await snapshots.load(user), base) ? completions : undefined
    }
    const outcome = await writer.commit(user, unit.toCommit())
    if (!outcome.ok) return undefined
    snapshots.set(user, unit.toSnapshot(outcome.revision))
    if (this.#repliesSinceSweep >= limits.repliesPerSweep) this.#sweepReplies()
    return completions
  }

  /** Reads everything the decisions look up, in parallel, because decisions are synchronous. */
  #startReads(
    user: Subject,
    unit: UnitOfWork<State, Measurements>,
    batch: readonly QueuedWrite<State, Measurements>[],
  ): Promise<void>[] {
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

  /** An error thrown by the decision rejects its own write; an error after the decision fails the whole batch. */
  #decide(
    unit: UnitOfWork<State, Measurements>,
    base: Snapshot<State, Measurements>,
    { write, digest, resolve, reject }: QueuedWrite<State, Measurements>,
  ): Completion {
    let decision: ReturnType<typeof write.decide>
    try {
      if (write.incarnation !== undefined && (write.incarnation !== base.incarnation || !unit.exists))
        throw userErased()
      const stored = write.idempotency && unit.findReply(write.idempotency.key, digest)
      if (stored !== undefined) {
        const value: unknown = JSON.parse(stored)
        const result = write.replay ? write.replay(value, unit.view()) : value
        return () => {
          try {
            write.onReplay?.()
            resolve(result)
          } catch (error) {
            reject(error)
          }
        }
      }
      decision = write.decide(unit.view())
    } catch (error) {
      return () => reject(error)
    }
    const events = unit.apply(decision)
    const result = decision.result({ view: unit.view(), events })
    if (write.idempotency !== undefined && digest !== undefined && decision.remember !== false) {
      const stored = write.encodeResult ? write.encodeResult(result) : result
      const expiresAt = this.#deps.effects.now() + this.#deps.limits.replyTtlMs
      this.#repliesSinceSweep++
      unit.addReply({ key: write.idempotency.key, digest, result: JSON.stringify(stored ?? null), expiresAt })
    }
    return () => resolve(result)
  }

  /**
   * Runs `attempt` until it reports no conflict by returning a value. After `attemptsBeforeLock` attempts it takes the
   * store's write lock for each further one. Undefined when all attempts ended in a conflict.
   */
  async #retryOnConflict<Result>(
    attempt: (writer: Writer) => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const { store, limits } = this.#deps
    for (let made = 0; made < limits.maxAttempts; made++) {
      const lock = made < limits.attemptsBeforeLock ? undefined : await store.users.lockWrites?.()
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

function userErased(): PurserError {
  return new PurserError('user_erased', 'The user was erased during this call.', {
    hint: 'Nothing of this call was written. A new call creates a new incarnation of the user.',
  })
}
