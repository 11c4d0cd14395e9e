import type { QueueNode } from '../core/linked-queue.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Commit, CommitOutcome } from '../storage/commit.ts'
import type { UserData } from './event.ts'
import type { QueuedWrite } from './queued-write.ts'
import { isAbsentIn, type Snapshot } from './snapshot.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** What the writers of all users share. */
export interface UserWriterDeps<Data extends UserData> {
  /** Writes in one commit; the rest go into the next one. */
  readonly maxWritesPerCommit: number
  /** Waiting writes and tasks of one user; one more is `store_unavailable`. */
  readonly maxQueuedWrites: number
  readonly replyTtlMs: number
  createUnitOfWork(user: Subject, base: Snapshot<Data>): UnitOfWork<Data>
  /** `sendCommit` of the writer is to be called at the end of this turn of the event loop. */
  scheduleCommit(writer: UserWriter<Data>): void
  commit(user: Subject, commit: Commit): Promise<CommitOutcome>
  /**
   * Reads what the writes need, decides and commits; settles every write and never rejects.
   *
   * @param incarnation the one the writes were decided on before, if they were
   */
  commitBatch(writer: UserWriter<Data>, batch: readonly QueuedWrite<Data>[], incarnation?: number): Promise<void>
  /** There is something pending from now on. */
  onActive(writer: UserWriter<Data>): void
  /** Nothing is pending any more. */
  onIdle(writer: UserWriter<Data>): void
}

type Task = () => Promise<void>

const NONE: readonly never[] = []

/**
 * The writes of one user, in order.
 *
 * A write is decided at once, on the cached snapshot, if nothing it needs has to be read and no earlier write is being
 * committed. All writes that are decided in one turn of the event loop share a unit of work, which is committed at the
 * end of that turn. What comes meanwhile waits for the outcome, and so does what has to be read from the store first.
 */
export class UserWriter<Data extends UserData> implements QueueNode<UserWriter<Data>> {
  readonly user: Subject
  /** The key of this user in maps. */
  readonly key: string
  /** The stored user, as far as it is known. */
  snapshot: Snapshot<Data> | undefined
  /** Identifies the newest read of the user; only its result becomes the snapshot. */
  newestRead: symbol | undefined
  // In the list of writers with deferred writes (`journal/deferred-writes.ts`).
  isQueued = false
  previous: UserWriter<Data> | undefined
  next: UserWriter<Data> | undefined
  /** When they are committed at the latest, monotonic ms. */
  deferredUntil = 0
  /** Since it is in the list. */
  deferredWrites = 0
  #outdated: Snapshot<Data> | undefined
  readonly #deps: UserWriterDeps<Data>
  /** Takes decisions until it is committed. */
  #unit: UnitOfWork<Data> | undefined
  /** The decided writes of the unit. */
  #decided: QueuedWrite<Data>[] = []
  /** Whether a unit is being committed, or a batch or a task is running. */
  #isBusy = false
  #isActive = false
  readonly #waiting: (QueuedWrite<Data> | Task)[] = []
  readonly #deferred: QueuedWrite<Data>[] = []
  /** Whether the deferred writes are to be committed next. */
  #isFlushing = false
  #isCommittingDeferred = false
  /** Whether an error has left the unit half changed. */
  #isBroken = false

  constructor(deps: UserWriterDeps<Data>, user: Subject, key: string) {
    this.#deps = deps
    this.user = user
    this.key = key
  }

  /** Whether something is pending. */
  get isActive(): boolean {
    return this.#isActive
  }

  /** Whether there are deferred writes whose outcome is not known yet. */
  get hasDeferred(): boolean {
    return this.#deferred.length > 0 || this.#isCommittingDeferred
  }

  write(queued: QueuedWrite<Data>): void {
    if (!this.#isBusy && this.#waiting.length === 0 && this.#canDecide(queued)) this.#decide(queued)
    else this.#enqueue(queued)
  }

  /** Takes a write that no caller waits for: it joins the next commit of this user. */
  defer(queued: QueuedWrite<Data>): void {
    this.#activate()
    this.#deferred.push(queued)
  }

  /** Commits the deferred writes, also without another write to join. */
  flush(): void {
    this.#isFlushing = true
    if (!this.#isBusy) this.#goOn()
  }

  /** Runs `task` after everything that was requested before it and before everything that is requested later. */
  runExclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => this.#enqueue(() => task().then(resolve, reject)))
  }

  /** The stored state that was known last; it may be outdated. */
  get lastKnown(): Snapshot<Data> | undefined {
    return this.snapshot ?? this.#outdated
  }

  /** Forgets also what was known before: the user was erased. */
  forget(): void {
    this.invalidate()
    this.#outdated = undefined
  }

  /** Counts the stored state as outdated: another process may have changed it. */
  invalidate(): void {
    this.#outdated = this.lastKnown
    this.snapshot = undefined
    this.newestRead = undefined
  }

  /** Commits the unit. A unit without changes is decided again on the stored state: a refusal needs that. */
  sendCommit(): void {
    const unit = this.#unit as UnitOfWork<Data>
    this.#isBusy = true
    const commit = unit.isDirty && !this.#isBroken ? encodeCommit(unit) : undefined
    if (commit === undefined) this.#decideAgain()
    else this.#deps.commit(this.user, commit).then(this.#onOutcome, this.#onFailure)
  }

  readonly #onOutcome = (outcome: CommitOutcome): void => {
    const unit = this.#unit as UnitOfWork<Data>
    if (!outcome.ok) {
      this.invalidate()
      this.#decideAgain(unit.incarnation)
      return
    }
    this.snapshot = unit.toSnapshot(outcome.revision)
    const writes = this.#endUnit()
    for (const queued of writes) queued.settle()
    // The list may be in the old generation, where it would keep them alive until that is collected.
    writes.length = 0
    this.#goOn()
  }

  /** An error that is not of the store itself is caused by one write: the batch finds out by which. */
  readonly #onFailure = (error: unknown): void => {
    this.invalidate()
    if (!PurserError.is(error) || error.code === 'store_damaged') {
      this.#decideAgain()
      return
    }
    const writes = this.#endUnit()
    for (const queued of writes) queued.reject(error)
    this.#goOn()
  }

  /** Returns the writes of the unit. */
  #endUnit(): QueuedWrite<Data>[] {
    const writes = this.#decided
    this.#decided = []
    this.#unit = undefined
    this.#isBroken = false
    return writes
  }

  #decideAgain(incarnation?: number): void {
    void this.#deps.commitBatch(this, this.#endUnit(), incarnation).then(() => this.#goOn())
  }

  #activate(): void {
    if (this.#isActive) return
    this.#isActive = true
    this.#deps.onActive(this)
  }

  #enqueue(entry: QueuedWrite<Data> | Task): void {
    const { maxQueuedWrites } = this.#deps
    if (this.#waiting.length >= maxQueuedWrites)
      throw new PurserError('store_unavailable', `The write queue of this user is full (${maxQueuedWrites} calls).`, {
        details: { reason: 'queue_full' },
      })
    this.#activate()
    this.#waiting.push(entry)
    // Starts in a microtask, so that calls made together are decided together.
    if (!this.#isBusy && this.#unit === undefined) {
      this.#isBusy = true
      queueMicrotask(() => this.#goOn())
    }
  }

  /** After a commit, a batch or a task: continues with what waits. */
  #goOn(): void {
    this.#isBusy = false
    if (this.#unit === undefined) this.#isCommittingDeferred = false
    this.#decideWaiting()
    // The unit is committed first; then this continues.
    if (this.#unit !== undefined) return
    const next = this.#waiting[0]
    const isWrite = next !== undefined && typeof next !== 'function'
    if (isWrite) this.#run([...this.#takeDeferred(), ...this.#takeWrites()])
    else if (this.#deferred.length > 0 && (next !== undefined || this.#isFlushing)) this.#commitDeferred()
    else if (next !== undefined) this.#runTask()
    else this.#rest()
  }

  #rest(): void {
    this.#isFlushing = false
    if (this.#deferred.length > 0) return
    this.#isActive = false
    this.#deps.onIdle(this)
  }

  #decideWaiting(): void {
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0] as QueuedWrite<Data> | Task
      if (typeof next === 'function' || !this.#canDecide(next)) return
      this.#waiting.shift()
      this.#decide(next)
    }
  }

  #commitDeferred(): void {
    if (this.#canDecide(this.#deferred[0] as QueuedWrite<Data>)) this.#openUnit()
    else this.#run(this.#takeDeferred())
  }

  #takeDeferred(): QueuedWrite<Data>[] {
    if (this.#deferred.length > 0) this.#isCommittingDeferred = true
    return this.#deferred.splice(0, this.#deps.maxWritesPerCommit)
  }

  /** The writes at the front, up to the next task. */
  #takeWrites(): QueuedWrite<Data>[] {
    const max = Math.min(this.#waiting.length, this.#deps.maxWritesPerCommit)
    let end = 0
    while (end < max && typeof this.#waiting[end] !== 'function') end++
    return this.#waiting.splice(0, end) as QueuedWrite<Data>[]
  }

  #runTask(): void {
    const task = this.#waiting.shift() as Task
    this.#isBusy = true
    void task().then(() => this.#goOn())
  }

  #run(batch: readonly QueuedWrite<Data>[]): void {
    this.#isBusy = true
    void this.#deps.commitBatch(this, batch).then(() => this.#goOn())
  }

  /** Whether everything a write needs is in memory, and the unit has space for it. */
  #canDecide({ write }: QueuedWrite<Data>): boolean {
    const { snapshot } = this
    if (snapshot === undefined || write.idempotency !== undefined) return false
    if (this.#decided.length >= this.#deps.maxWritesPerCommit) return false
    for (const record of write.reads ?? NONE) {
      const isAbsent = this.#unit === undefined ? isAbsentIn(snapshot.absent, record) : this.#unit.isAbsent(record)
      if (!isAbsent) return false
    }
    return true
  }

  #decide(queued: QueuedWrite<Data>): void {
    if (queued.isAborted) return
    this.#activate()
    if (this.#unit === undefined) this.#openUnit()
    this.#add(queued)
  }

  /** Opens a unit on the snapshot, with the deferred writes that can be decided first. */
  #openUnit(): void {
    this.#unit = this.#deps.createUnitOfWork(this.user, this.snapshot as Snapshot<Data>)
    this.#deps.scheduleCommit(this)
    while (this.#deferred.length > 0 && this.#canDecide(this.#deferred[0] as QueuedWrite<Data>)) {
      this.#isCommittingDeferred = true
      this.#add(this.#deferred.shift() as QueuedWrite<Data>)
    }
  }

  #add(queued: QueuedWrite<Data>): void {
    this.#decided.push(queued)
    try {
      queued.decide(this.#unit as UnitOfWork<Data>, this.#deps.replyTtlMs)
    } catch {
      this.#isBroken = true
    }
  }
}

/** Undefined when the data cannot be encoded; then each write is committed on its own. */
function encodeCommit<Data extends UserData>(unit: UnitOfWork<Data>): Commit | undefined {
  try {
    return unit.toCommit()
  } catch {
    return undefined
  }
}
