import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import {
  type Commit,
  type Head,
  LOG_OF_NAMESPACE,
  type Recorded,
  type RecordWrite,
  type Reply,
  type Stamps,
  type StoredEvent,
} from '../storage/commit.ts'
import type { SumIncrement } from '../storage/sum-store.ts'
import type { Decision, View } from './api.ts'
import type { Event, Fold, FoldedUser, NewEvent, UserData } from './event.ts'
import { type ChainId, extendChain, headMac, parseBody, readEvent } from './hash-chain.ts'
import { mergeRecorded } from './merge-recorded.ts'
import { isAbsentIn, isSameRecord, type RecordName, type Snapshot } from './snapshot.ts'

const NONE: readonly never[] = []
const NOTHING_RECORDED: Recorded = { turns: NONE, userSums: NONE, sums: NONE }

type Trim = Commit['trims'][number]

/** Per user. Records that are no longer in the list are read. */
const MAX_ABSENT = 8

export interface UnitOfWorkDeps<Data extends UserData> {
  readonly keys: Keyring
  readonly fold: Fold<Data>
  readonly nextId: () => string
  /** The keyed hash of a user's id. Called only when the user is created. */
  tag(user: Subject): string
}

/**
 * The changes of one user that the next commit will write. Each decision sees the changes of the decisions before it;
 * all of them become one commit.
 */
export class UnitOfWork<Data extends UserData> {
  readonly #deps: UnitOfWorkDeps<Data>
  readonly #user: Subject
  readonly #base: Snapshot<Data>
  readonly #now: number
  readonly #events: StoredEvent[] = []
  #absent: readonly RecordName[]
  // Created on first use: most decisions are admissions, which need none of them.
  #records: Map<string, RecordWrite> | undefined
  #loadedRecords: Map<string, string | undefined> | undefined
  #trims: Map<string, Trim> | undefined
  #replies: Map<string, Reply> | undefined
  #loadedReplies: Map<string, Reply> | undefined
  #state: Data['state']
  #measurements: Data['measurements']
  #usage: Data['usage']
  #head: Head | null
  #seenAt: number | null
  #dropEventsBelow: number | undefined
  #recorded: Recorded | undefined
  #changeSums: readonly SumIncrement[] = NONE
  #isDirty = false

  /** `now`: the instant of all its decisions, epoch ms. */
  constructor(
    deps: UnitOfWorkDeps<Data>,
    { user, base, now }: { readonly user: Subject; readonly base: Snapshot<Data>; readonly now: number },
  ) {
    this.#deps = deps
    this.#user = user
    this.#base = base
    this.#now = now
    this.#state = base.state
    this.#measurements = base.measurements
    this.#head = base.head
    this.#seenAt = base.stamps.seenAt
    this.#usage = base.usage
    this.#absent = base.absent
  }

  /** Whether there is something to commit. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  get incarnation(): number {
    return this.#base.incarnation
  }

  /** The instant of all its decisions, epoch ms. */
  get now(): number {
    return this.#now
  }

  get exists(): boolean {
    return this.#base.revision !== null || this.#isDirty
  }

  view(): View<Data> {
    return {
      exists: this.exists,
      incarnation: this.#base.incarnation,
      version: this.#head?.sequence ?? 0,
      head: this.#head,
      state: this.#state,
      measurements: this.#measurements,
      usage: this.#usage,
      stamps: this.#stamps(),
      now: this.#now,
      record: this.#findRecordOf,
    }
  }

  readonly #findRecordOf = (kind: string, name: string): string | undefined => this.#findRecord(recordKey(kind, name))

  /** Whether a record is known not to exist and need not be read: no other process can have written it. */
  isAbsent(record: RecordName): boolean {
    return isAbsentIn(this.#base.absent, record)
  }

  /** Adds a record as read from the store. */
  addLoadedRecord({ kind, name }: RecordName, value: string | undefined): void {
    this.#loadedRecords ??= new Map()
    this.#loadedRecords.set(recordKey(kind, name), value)
  }

  /** Adds the reply to an idempotency key as read from the store. */
  addLoadedReply(reply: Reply): void {
    this.#loadedReplies ??= new Map()
    this.#loadedReplies.set(reply.key, reply)
  }

  /** The stored result of an idempotency key; throws `idempotency_conflict` when the key was used with another body. */
  findReply(key: string, digest: string | undefined): string | undefined {
    const reply = this.#replies?.get(key) ?? this.#loadedReplies?.get(key)
    if (reply === undefined || reply.expiresAt <= this.#now) return undefined
    if (reply.digest === digest) return reply.result
    throw new PurserError('idempotency_conflict', 'This idempotency key was used with another body.', {
      hint: 'Use a new key for a new request, and the same body for a retry.',
    })
  }

  addReply(reply: Reply): void {
    this.#replies ??= new Map()
    this.#replies.set(reply.key, reply)
    this.#isDirty = true
  }

  /** Applies a decision. Returns its events as appended to the chain. */
  apply<Result>(decision: Decision<Data, Result>): Event[] {
    const events = this.#appendEvents(decision.events ?? NONE)
    if (decision.measurements !== undefined) {
      this.#measurements = decision.measurements
      this.#isDirty = true
    }
    if (decision.seen || decision.resetsSeen) this.#setSeen(decision.resetsSeen === true)
    if (decision.usage !== undefined) {
      this.#usage = decision.usage
      this.#isDirty = true
    }
    for (const record of decision.records ?? NONE) this.#writeRecord(record)
    if (decision.absent !== undefined) this.#absent = [...decision.absent, ...this.#absent].slice(0, MAX_ABSENT)
    for (const trim of decision.trims ?? NONE) {
      this.#trims ??= new Map()
      this.#trims.set(trim.kind, trim)
    }
    if (decision.dropEventsBelow !== undefined) this.#dropEventsBelow = decision.dropEventsBelow
    if (decision.recorded !== undefined) this.#record(decision.recorded)
    return events
  }

  #record(recorded: Recorded): void {
    this.#recorded = this.#recorded === undefined ? recorded : mergeRecorded(this.#recorded, recorded)
    this.#isDirty = true
  }

  #setSeen(mayFall: boolean): void {
    this.#seenAt = mayFall ? this.#now : Math.max(this.#now, this.#seenAt ?? 0)
    this.#isDirty = true
  }

  toCommit(): Commit {
    const { fold, tag } = this.#deps
    const base = this.#base
    return {
      expect: base.revision,
      incarnation: base.incarnation,
      tag: base.revision === null ? tag(this.#user) : null,
      at: this.#now,
      seenAt: this.#seenAt,
      facets: fold.facets(this.#folded()),
      folded: this.#foldedState(),
      measured: this.#measurements === base.measurements ? undefined : JSON.stringify(this.#measurements),
      usage: this.#usage === base.usage ? undefined : this.#encodeUsage(),
      events: this.#events,
      records: valuesOf(this.#records),
      trims: valuesOf(this.#trims),
      replies: valuesOf(this.#replies),
      dropEventsBelow: this.#dropEventsBelow,
      recorded: this.#recordedWithSums(),
    }
  }

  #encodeUsage(): string {
    return this.#deps.fold.encodeUsage?.(this.#usage) ?? JSON.stringify(this.#usage)
  }

  #folded(): FoldedUser<Data> {
    return { state: this.#state, measurements: this.#measurements, usage: this.#usage, now: this.#now }
  }

  /** With what the creation of the user adds to sums. */
  #recordedWithSums(): Recorded | undefined {
    const { base, sums } = { base: this.#base, sums: this.#changeSums }
    const created = base.revision === null ? this.#sumsOf(undefined, base.state) : NONE
    if (created.length + sums.length === 0) return this.#recorded
    const recorded: Recorded = { turns: NONE, userSums: NONE, sums: [...created, ...sums] }
    return mergeRecorded(this.#recorded ?? NOTHING_RECORDED, recorded)
  }

  #evolve(state: Data['state']): void {
    const added = this.#sumsOf(this.#state, state)
    if (added.length > 0) this.#changeSums = [...this.#changeSums, ...added]
    this.#state = state
  }

  /** What a change adds to the sums of the namespace, whose own log is no user. */
  #sumsOf(before: Data['state'] | undefined, after: Data['state']): readonly SumIncrement[] {
    const { fold } = this.#deps
    if (fold.sums === undefined || this.#user.id === LOG_OF_NAMESPACE) return NONE
    const createdAt = this.#base.revision === null ? this.#now : this.#base.stamps.createdAt
    return fold.sums({ before, after, createdAt, now: this.#now })
  }

  /** The snapshot after the commit was accepted as `revision`. */
  toSnapshot(revision: number): Snapshot<Data> {
    return {
      revision,
      incarnation: this.#base.incarnation,
      head: this.#head,
      state: this.#state,
      measurements: this.#measurements,
      usage: this.#usage,
      stamps: this.#stamps(),
      absent: this.#absent,
    }
  }

  #stamps(): Stamps {
    const { revision, stamps } = this.#base
    if (!this.#isDirty) return stamps
    const createdAt = revision === null ? this.#now : stamps.createdAt
    return { createdAt, updatedAt: this.#now, seenAt: this.#seenAt }
  }

  /** Undefined when there are no new events. */
  #foldedState(): Commit['folded'] {
    if (this.#events.length === 0 || this.#head === null) return undefined
    const state = JSON.stringify(this.#state)
    return { head: this.#head, headMac: headMac(this.#deps.keys, this.#chain(), this.#head, state), state }
  }

  #appendEvents(events: readonly NewEvent[]): Event[] {
    if (events.length === 0) return []
    const { keys, nextId, fold } = this.#deps
    const extended = extendChain(keys, { ...this.#chain(), head: this.#head, at: this.#now, nextId }, events)
    this.#head = extended.head
    this.#events.push(...extended.events)
    for (const event of extended.events) this.#evolve(fold.evolve(this.#state, parseBody(event.body)))
    this.#isDirty = true
    return extended.events.map((event) => readEvent(this.#user.id, event))
  }

  #writeRecord(record: RecordWrite): void {
    this.#records ??= new Map()
    this.#records.set(recordKey(record.kind, record.name), record)
    this.#absent = this.#absent.filter((other) => !isSameRecord(record, other))
    this.#isDirty = true
  }

  #findRecord(key: string): string | undefined {
    const written = this.#records?.get(key)
    if (written !== undefined) return written.value ?? undefined
    return this.#loadedRecords?.get(key)
  }

  #chain(): ChainId {
    return { user: this.#user, incarnation: this.#base.incarnation }
  }
}

function valuesOf<Value>(values: ReadonlyMap<string, Value> | undefined): readonly Value[] {
  return values === undefined ? NONE : [...values.values()]
}

function recordKey(kind: string, name: string): string {
  return `${kind}\n${name}`
}
