import { LRUCache } from 'lru-cache'
import { hashCanonicalJson } from '../core/canonical-json.ts'
import { afterCurrentTick, type Effects } from '../core/effects.ts'
import { type Keyring, tagOf } from '../core/keyring.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import { purserClosed } from '../errors.ts'
import { LOG_OF_NAMESPACE, type UserRow } from '../storage/commit.ts'
import type { Store } from '../storage/store.ts'
import type { Journal, View, Waiter, Write } from './api.ts'
import { auditedWrite } from './audit-context.ts'
import { CommitLoop, type ErasedCounts, type ErasedUser } from './commit-loop.ts'
import { DeferredWrites } from './deferred-writes.ts'
import type { Fold, NewEvent, UserData } from './event.ts'
import { JOURNAL_LIMITS, type JournalLimits } from './limits.ts'
import { QueuedWrite } from './queued-write.ts'
import { decodeRow, emptySnapshot, type Snapshot, viewOf } from './snapshot.ts'
import { UnitOfWork, type UnitOfWorkDeps } from './unit-of-work.ts'
import type { UserWriter } from './user-writer.ts'
import { UserWriters } from './user-writers.ts'

export interface JournalDeps<Data extends UserData> {
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly fold: Fold<Data>
  readonly limits?: JournalLimits
}

export interface OpenJournal<Data extends UserData> extends Journal<Data> {
  /**
   * Ends the user's incarnation after the writes requested before it, and appends `event` to the namespace's own log in
   * the same step. Reads nothing of the user but the incarnation, so it also works on damaged rows and broken chains.
   */
  erase(user: Subject, event: (incarnation: number, pseudonym: string) => NewEvent): Promise<ErasedCounts>
  /** The stored incarnation, of an unknown user the one that a new user would have. Not from a cache. */
  readIncarnation(user: Subject): Promise<number>
  /** The incarnation that `read` would find; at once if the user is in memory. */
  incarnationOf(user: Subject): number | Promise<number>
  /** The keyed hash used where the user's id must not appear. */
  tag(user: Subject): string
  /** Rejects new calls, commits pending and deferred writes, then unsubscribes from the store. */
  close(): Promise<void>
}

export function openJournal<Data extends UserData>(deps: JournalDeps<Data>): OpenJournal<Data> {
  return new StoreJournal(deps)
}

class StoreJournal<Data extends UserData> implements OpenJournal<Data> {
  readonly #deps: JournalDeps<Data>
  readonly #unitDeps: UnitOfWorkDeps<Data>
  readonly #tags: LRUCache<string, string, Subject>
  readonly #writers: UserWriters<Data>
  readonly #deferred: DeferredWrites<Data>
  readonly #loop: CommitLoop<Data>
  readonly #unsubscribe: () => void
  readonly #erasedListeners = new Set<(user: Subject) => void>()
  /** Writers whose units are committed at the end of this turn of the event loop. */
  #scheduled: UserWriter<Data>[] = []
  #isClosed = false

  constructor(deps: JournalDeps<Data>) {
    const { store, keys, effects, fold, limits = JOURNAL_LIMITS } = deps
    this.#deps = deps
    this.#unitDeps = { keys, fold, nextId: effects.randomId, tag: (user) => this.tag(user) }
    this.#tags = new LRUCache({
      max: limits.maxCachedUsers,
      memoMethod: (_key, _stale, { context: user }) => tagOf(keys, user),
    })
    const createUnitOfWork = (user: Subject, base: Snapshot<Data>): UnitOfWork<Data> =>
      new UnitOfWork(this.#unitDeps, { user, base, now: effects.now() })
    const load = (writer: UserWriter<Data>): Promise<Snapshot<Data>> => this.#load(writer)
    this.#loop = new CommitLoop({
      store,
      effects,
      limits,
      load,
      createUnitOfWork,
      describeErased: erasedDescriber(fold),
    })
    this.#writers = new UserWriters({
      maxUsers: limits.maxCachedUsers,
      onErased: (user) => {
        for (const listener of this.#erasedListeners) listener(user)
      },
      maxWritesPerCommit: limits.maxWritesPerCommit,
      maxQueuedWrites: limits.maxQueuedWrites,
      replyTtlMs: limits.replyTtlMs,
      createUnitOfWork,
      scheduleCommit: this.#scheduleCommit,
      commit: (user, commit) => store.users.commit(user, commit),
      commitBatch: (writer, batch, incarnation) => this.#loop.commitBatch(writer, batch, incarnation),
    })
    this.#deferred = new DeferredWrites({
      effects,
      maxDelayMs: limits.deferMs,
      maxWrites: limits.maxDeferredWrites,
      findWriter: (user) => this.#writers.get(user),
    })
    this.#unsubscribe = store.bus.subscribe(this.#writers.onBusMessage)
  }

  tag(user: Subject): string {
    return this.#tags.memo(subjectKey(user), { context: user })
  }

  write<Result, Stored>(user: Subject, write: Write<Data, Result, Stored>): Promise<Result> {
    return new Promise((resolve, reject) => this.submit(user, write, { resolve, reject }))
  }

  submit<Result, Stored>(user: Subject, asked: Write<Data, Result, Stored>, waiter: Waiter<Result>): void {
    const write = auditedWrite(user, asked) as Write<Data, unknown, unknown>
    const queue = (digest?: string): void =>
      this.#queue(user, new QueuedWrite(write, digest, waiter as Waiter<unknown>))
    try {
      const digest = write.idempotency && hashCanonicalJson(write.idempotency.body)
      if (digest instanceof Promise) digest.then(queue).catch((error) => waiter.reject(error))
      else queue(digest)
    } catch (error) {
      waiter.reject(error)
    }
  }

  defer<Result>(user: Subject, write: Write<Data, Result>): void {
    if (!this.#isClosed) this.#deferred.add(user, write as Write<Data, unknown, unknown>)
  }

  async read(user: Subject): Promise<View<Data>> {
    this.#assertOpen()
    const writer = this.#writers.get(user)
    if (writer.hasDeferred) await this.flush(user)
    return viewOf(writer.snapshot ?? (await this.#load(writer)), this.#deps.effects.now())
  }

  lastKnown(user: Subject): View<Data> {
    const { fold, effects } = this.#deps
    return viewOf(this.#writers.get(user).lastKnown ?? emptySnapshot(0, fold.initial), effects.now())
  }

  onErased(listener: (user: Subject) => void): () => void {
    this.#erasedListeners.add(listener)
    return () => this.#erasedListeners.delete(listener)
  }

  async readIncarnation(user: Subject): Promise<number> {
    this.#assertOpen()
    const { users } = this.#deps.store
    return (await users.load(user))?.incarnation ?? users.nextIncarnation(user.namespace, this.tag(user))
  }

  incarnationOf(user: Subject): number | Promise<number> {
    const known = this.#isClosed ? undefined : this.#writers.get(user).snapshot
    return known?.incarnation ?? this.read(user).then(({ incarnation }) => incarnation)
  }

  async flush(user: Subject): Promise<void> {
    const writer = this.#writers.get(user)
    if (writer.hasDeferred) await writer.runExclusive(async () => undefined)
  }

  async flushAll(): Promise<void> {
    this.#deferred.flush()
    await Promise.all(this.#writers.withDeferred().map((writer) => this.flush(writer.user)))
  }

  async erase(user: Subject, event: (incarnation: number, pseudonym: string) => NewEvent): Promise<ErasedCounts> {
    this.#assertOpen()
    const log = this.#writers.get({ namespace: user.namespace, id: LOG_OF_NAMESPACE })
    const writer = this.#writers.get(user)
    const request = { user: writer, log, pseudonym: this.tag(user), event }
    return writer.runExclusive(() => log.runExclusive(() => this.#loop.erase(request)))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#deferred.flush()
    await this.#writers.idle()
    await this.#loop.idle()
    this.#unsubscribe()
  }

  /** What refuses the write is passed on by the write, which stops watching its signal then. */
  #queue(user: Subject, queued: QueuedWrite<Data>): void {
    try {
      this.#assertOpen()
      queued.write.signal?.throwIfAborted()
      this.#writers.get(user).write(queued)
    } catch (error) {
      queued.reject(error)
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw purserClosed()
  }

  readonly #scheduleCommit = (writer: UserWriter<Data>): void => {
    if (this.#scheduled.push(writer) === 1) afterCurrentTick(this.#commitScheduled)
  }

  readonly #commitScheduled = (): void => {
    const scheduled = this.#scheduled
    this.#scheduled = []
    for (const writer of scheduled) writer.sendCommit()
  }

  /** An unknown user is the initial data with revision null, which is not cached. */
  async #load(writer: UserWriter<Data>): Promise<Snapshot<Data>> {
    const { store, fold } = this.#deps
    const { user } = writer
    const before = writer.lastKnown?.incarnation
    writer.invalidate()
    const read = Symbol()
    writer.newestRead = read
    const row = await store.users.load(user)
    const isCurrent = writer.newestRead === read
    if (isCurrent) writer.newestRead = undefined
    const incarnation = row?.incarnation ?? (await store.users.nextIncarnation(user.namespace, this.tag(user)))
    if (before !== undefined && before < incarnation) this.#writers.forget(user)
    if (row === undefined) return emptySnapshot(incarnation, fold.initial)
    const snapshot = decodeRow(row, fold)
    if (isCurrent) writer.snapshot = snapshot
    return snapshot
  }
}

/** An erasure also works on a row that cannot be read. */
function erasedDescriber<Data extends UserData>(fold: Fold<Data>): (row: UserRow, now: number) => ErasedUser {
  return (row, now) => {
    try {
      const { state } = decodeRow(row, fold)
      const { createdAt } = row.stamps
      const sums = fold.sums?.({ before: state, after: undefined, createdAt, now }) ?? []
      return { counts: fold.countParts?.(state) ?? {}, sums, revision: sums.length === 0 ? undefined : row.revision }
    } catch {
      return { counts: {}, sums: [], revision: undefined }
    }
  }
}
