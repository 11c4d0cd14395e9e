import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Commit, Counter, Head, RecordWrite, Reply, Stamps, StoredEvent } from '../storage/commit.ts'
import type { Decision, View } from './api.ts'
import type { Event, Fold, NewEvent } from './event.ts'
import { type ChainId, extendChain, headMac, parseBody, readEvent } from './hash-chain.ts'
import type { RecordName, Snapshot } from './snapshot.ts'

const NONE: readonly never[] = []

type Trim = Commit['trims'][number]
type CounterName = Pick<Counter, 'limit' | 'window'>

/** Per user. Records that are no longer in the list are read. */
const MAX_ABSENT = 8

export interface UnitOfWorkDeps<State, Measurements> {
  readonly user: Subject
  /** Called only when the user is created. */
  readonly tag: () => string
  readonly keys: Keyring
  readonly fold: Fold<State, Measurements>
  readonly nextId: () => string
}

/**
 * The changes of one user that the next commit will write. Each decision sees the changes of the decisions before it;
 * all of them become one commit.
 */
export class UnitOfWork<State, Measurements> {
  readonly #base: Snapshot<State, Measurements>
  readonly #deps: UnitOfWorkDeps<State, Measurements>
  readonly #now: number
  readonly #events: StoredEvent[] = []
  #absent: readonly RecordName[]
  // Created on first use: most decisions are admissions, which need none of them.
  #records: Map<string, RecordWrite> | undefined
  #loadedRecords: Map<string, string | undefined> | undefined
  #trims: Map<string, Trim> | undefined
  #replies: Map<string, Reply> | undefined
  #loadedReplies: Map<string, Reply> | undefined
  #counters: readonly Counter[]
  #state: State
  #measurements: Measurements
  #head: Head | null
  #seenAt: number | null
  #dropEventsBelow: number | undefined
  #isDirty = false

  constructor(base: Snapshot<State, Measurements>, deps: UnitOfWorkDeps<State, Measurements>, now: number) {
    this.#base = base
    this.#deps = deps
    this.#now = now
    this.#state = base.state
    this.#measurements = base.measurements
    this.#head = base.head
    this.#seenAt = base.stamps.seenAt
    this.#counters = base.counters
    this.#absent = base.absent
  }

  /** Whether there is something to commit. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  get exists(): boolean {
    return this.#base.revision !== null || this.#isDirty
  }

  view(): View<State, Measurements> {
    return {
      exists: this.exists,
      incarnation: this.#base.incarnation,
      version: this.#head?.sequence ?? 0,
      head: this.#head,
      state: this.#state,
      measurements: this.#measurements,
      stamps: this.#stamps(),
      counters: this.#counters,
      now: this.#now,
      record: (kind, name) => this.#findRecord(recordKey(kind, name)),
    }
  }

  /** Whether a record is known not to exist and need not be read: no other process can have written it. */
  isAbsent(record: RecordName): boolean {
    return this.#base.absent.some((other) => isSameRecord(record, other))
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
  apply<Result>(decision: Decision<State, Measurements, Result>): Event[] {
    const events = this.#appendEvents(decision.events ?? NONE)
    if (decision.measurements !== undefined) {
      this.#measurements = decision.measurements
      this.#isDirty = true
    }
    if (decision.seen) {
      this.#seenAt = Math.max(this.#now, this.#seenAt ?? 0)
      this.#isDirty = true
    }
    for (const counter of decision.counters ?? NONE) {
      this.#counters = withCounter(this.#counters, counter)
      this.#isDirty = true
    }
    if (decision.dropCounters !== undefined && decision.dropCounters.length > 0) {
      this.#counters = withoutCounters(this.#counters, decision.dropCounters)
      this.#isDirty = true
    }
    for (const record of decision.records ?? NONE) this.#writeRecord(record)
    if (decision.absent !== undefined) this.#absent = [...decision.absent, ...this.#absent].slice(0, MAX_ABSENT)
    for (const trim of decision.trims ?? NONE) {
      this.#trims ??= new Map()
      this.#trims.set(trim.kind, trim)
    }
    if (decision.dropEventsBelow !== undefined) this.#dropEventsBelow = decision.dropEventsBelow
    return events
  }

  toCommit(): Commit {
    const { fold, tag } = this.#deps
    const { counters, dropCounters } = diffCounters(this.#base.counters, this.#counters)
    return {
      expect: this.#base.revision,
      incarnation: this.#base.incarnation,
      tag: this.#base.revision === null ? tag() : null,
      at: this.#now,
      seenAt: this.#seenAt,
      facets: fold.facets({
        state: this.#state,
        measurements: this.#measurements,
        stamps: this.#stamps(),
        counters: this.#counters,
        now: this.#now,
      }),
      folded: this.#foldedState(),
      measured: this.#measurements === this.#base.measurements ? undefined : JSON.stringify(this.#measurements),
      events: this.#events,
      counters,
      dropCounters,
      records: valuesOf(this.#records),
      trims: valuesOf(this.#trims),
      replies: valuesOf(this.#replies),
      dropEventsBelow: this.#dropEventsBelow,
    }
  }

  /** The snapshot after the commit was accepted as `revision`. */
  toSnapshot(revision: number): Snapshot<State, Measurements> {
    return {
      revision,
      incarnation: this.#base.incarnation,
      head: this.#head,
      state: this.#state,
      measurements: this.#measurements,
      stamps: this.#stamps(),
      counters: this.#counters,
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
    const { keys, nextId, user, fold } = this.#deps
    const extended = extendChain(keys, { ...this.#chain(), head: this.#head, at: this.#now, nextId }, events)
    this.#head = extended.head
    this.#events.push(...extended.events)
    for (const event of extended.events) this.#state = fold.evolve(this.#state, parseBody(event.body))
    this.#isDirty = true
    return extended.events.map((event) => readEvent(user.id, event))
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
    return { user: this.#deps.user, incarnation: this.#base.incarnation }
  }
}

function valuesOf<Value>(values: ReadonlyMap<string, Value> | undefined): readonly Value[] {
  return values === undefined ? NONE : [...values.values()]
}

function isSameRecord(one: RecordName, other: RecordName): boolean {
  return one.name === other.name && one.kind === other.kind
}

function recordKey(kind: string, name: string): string {
  return `${kind}\n${name}`
}

/*
 * Lists of counters are replaced, never mutated: views handed out earlier stay valid, and a commit writes the
 * difference between two lists.
 */

/** The list with this counter replaced, or appended when it is new. */
function withCounter(counters: readonly Counter[], counter: Counter): readonly Counter[] {
  const index = counters.findIndex((other) => isSameCounter(counter, other))
  return index === -1 ? [...counters, counter] : counters.with(index, counter)
}

function withoutCounters(counters: readonly Counter[], dropped: readonly CounterName[]): readonly Counter[] {
  const names = new Set(dropped.map(counterKey))
  return counters.filter((counter) => !names.has(counterKey(counter)))
}

/** The counters to write and to drop to get from one list to the other. */
function diffCounters(
  before: readonly Counter[],
  after: readonly Counter[],
): Pick<Commit, 'counters' | 'dropCounters'> {
  if (before === after) return { counters: NONE, dropCounters: NONE }
  const [old, present] = [new Set(before), new Set(after)]
  const counters = after.filter((counter) => !old.has(counter))
  const replaced = before.filter((counter) => !present.has(counter))
  return {
    counters,
    dropCounters: replaced.filter((counter) => !counters.some((other) => isSameCounter(counter, other))),
  }
}

function isSameCounter(one: CounterName, other: CounterName): boolean {
  return one.window === other.window && one.limit === other.limit
}

function counterKey({ limit, window }: CounterName): string {
  return `${limit}\n${window}`
}
