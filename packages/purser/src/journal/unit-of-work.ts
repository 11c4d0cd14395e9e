import type { Keyring } from '../core/keyring.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Commit, Counter, Head, RecordWrite, Reply, Stamps, StoredEvent, UserRow } from '../storage/commit.ts'
import type { Decision, View } from './api.ts'
import { countersBetween, withCounter, withoutCounters } from './counters.ts'
import type { Event, Fold, NewEvent } from './event.ts'
import { extendChain, headMac, parseBody, readEvent } from './hash-chain.ts'

/** A user's row, decoded once and kept while nobody else has changed it. */
export interface Snapshot<State, Measured> {
  /** null: the user does not exist. */
  readonly revision: number | null
  readonly incarnation: number
  readonly head: Head | null
  readonly state: State
  readonly measured: Measured
  readonly stamps: View<State, Measured>['stamps']
  readonly counters: readonly Counter[]
  /** The newest records that are known not to exist, without reading. */
  readonly absent: readonly RecordName[]
}

type RecordName = Pick<RecordWrite, 'kind' | 'name'>

const NOTHING: readonly never[] = []

type Trim = Commit['trims'][number]

/** Of one user. What is not among them is read. */
const MAX_KNOWN_ABSENT = 8

/** Throws `store_damaged` when the row cannot be read: a default in its place would be written over it. */
export function decodeRow<State, Measured>(row: UserRow, fold: Fold<State, Measured>): Snapshot<State, Measured> {
  try {
    const { revision, incarnation, head, stamps, counters } = row
    return {
      revision,
      incarnation,
      head,
      stamps,
      counters,
      state: completed(fold.initial, row.state),
      measured: completed(fold.unmeasured, row.measured),
      absent: NOTHING,
    }
  } catch (cause) {
    throw new PurserError('store_damaged', 'A stored row of this user cannot be read.', {
      hint: 'Restore it from a backup, or erase the user. `purser verify` tells which users are affected.',
      cause,
    })
  }
}

/** What was stored before a field existed has that field's initial value. */
export function completed<Value>(initial: Value, stored: string | null): Value {
  return stored === null ? initial : { ...initial, ...(JSON.parse(stored) as Value) }
}

/** The user as stored, for readers. */
export function viewOf<State, Measured>(snapshot: Snapshot<State, Measured>, now: number): View<State, Measured> {
  const { revision, incarnation, head, state, measured, stamps, counters } = snapshot
  return {
    exists: revision !== null,
    incarnation,
    version: head?.sequence ?? 0,
    head,
    state,
    measured,
    stamps,
    counters,
    now,
    record: () => undefined,
  }
}

interface Surroundings<State, Measured> {
  readonly user: Subject
  /** Called only when the user is created. */
  readonly tag: () => string
  readonly keys: Keyring
  readonly fold: Fold<State, Measured>
  readonly nextId: () => string
}

/**
 * What a user will be once the decisions taken so far are committed. Each decision sees the ones before it;
 * all of them become one commit.
 */
export class UnitOfWork<State, Measured> {
  readonly #base: Snapshot<State, Measured>
  readonly #around: Surroundings<State, Measured>
  readonly #now: number
  readonly #events: StoredEvent[] = []
  #absent: readonly RecordName[]
  // Made when they are needed: most decisions are admissions, which need none of them.
  #records: Map<string, RecordWrite> | undefined
  #read: Map<string, string | undefined> | undefined
  #trims: Map<string, Trim> | undefined
  #replies: Map<string, Reply> | undefined
  #readReplies: Map<string, Reply> | undefined
  #counters: readonly Counter[]
  #state: State
  #measured: Measured
  #head: Head | null
  #seenAt: number | null
  #dropEventsBelow: number | undefined
  /** True as soon as there is something to commit. */
  dirty = false

  constructor(base: Snapshot<State, Measured>, around: Surroundings<State, Measured>, now: number) {
    this.#base = base
    this.#around = around
    this.#now = now
    this.#state = base.state
    this.#measured = base.measured
    this.#head = base.head
    this.#seenAt = base.stamps.seenAt
    this.#counters = base.counters
    this.#absent = base.absent
  }

  get exists(): boolean {
    return this.#base.revision !== null || this.dirty
  }

  view(): View<State, Measured> {
    return {
      exists: this.exists,
      incarnation: this.#base.incarnation,
      version: this.#head?.sequence ?? 0,
      head: this.#head,
      state: this.#state,
      measured: this.#measured,
      stamps: this.#stamps(),
      counters: this.#counters,
      now: this.#now,
      record: (kind, name) => this.#recordNow(recordKey(kind, name)),
    }
  }

  /** Whether a record need not be read: nobody else can have written it since it was seen. */
  knows(record: RecordName): boolean {
    return this.#base.absent.some((other) => isSame(record, other))
  }

  /** Tells what the store holds for a record. */
  provide({ kind, name }: RecordName, value: string | undefined): void {
    this.#read ??= new Map()
    this.#read.set(recordKey(kind, name), value)
  }

  /** Tells what the store holds for an idempotency key. */
  provideReply(reply: Reply): void {
    this.#readReplies ??= new Map()
    this.#readReplies.set(reply.key, reply)
  }

  /** The kept answer to an idempotency key; throws `idempotency_conflict` when it was given to another body. */
  reply(key: string, digest: string | undefined): string | undefined {
    const reply = this.#replies?.get(key) ?? this.#readReplies?.get(key)
    if (reply === undefined || reply.expiresAt <= this.#now) return undefined
    if (reply.digest === digest) return reply.result
    throw new PurserError('idempotency_conflict', 'This idempotency key was used with another body.', {
      hint: 'Use a new key for a new request, and the same body for a retry.',
    })
  }

  keep(reply: Reply): void {
    this.#replies ??= new Map()
    this.#replies.set(reply.key, reply)
    this.dirty = true
  }

  /** Takes a decision into account. Returns the events it made, in their places. */
  apply<Result>(decision: Decision<State, Measured, Result>): Event[] {
    const events = this.#append(decision.events ?? [])
    if (decision.measured !== undefined) {
      this.#measured = decision.measured
      this.dirty = true
    }
    if (decision.seen) {
      this.#seenAt = Math.max(this.#now, this.#seenAt ?? 0)
      this.dirty = true
    }
    for (const counter of decision.counters ?? NOTHING) {
      this.#counters = withCounter(this.#counters, counter)
      this.dirty = true
    }
    if (decision.dropCounters !== undefined && decision.dropCounters.length > 0) {
      this.#counters = withoutCounters(this.#counters, decision.dropCounters)
      this.dirty = true
    }
    for (const record of decision.records ?? NOTHING) {
      this.#records ??= new Map()
      this.#records.set(recordKey(record.kind, record.name), record)
      this.#absent = this.#absent.filter((other) => !isSame(record, other))
      this.dirty = true
    }
    if (decision.absent !== undefined) this.#absent = [...decision.absent, ...this.#absent].slice(0, MAX_KNOWN_ABSENT)
    for (const trim of decision.trims ?? NOTHING) {
      this.#trims ??= new Map()
      this.#trims.set(trim.kind, trim)
    }
    if (decision.dropEventsBelow !== undefined) this.#dropEventsBelow = decision.dropEventsBelow
    return events
  }

  commit(): Commit {
    const { counters, dropCounters } = countersBetween(this.#base.counters, this.#counters)
    return {
      expect: this.#base.revision,
      incarnation: this.#base.incarnation,
      tag: this.#base.revision === null ? this.#around.tag() : null,
      at: this.#now,
      seenAt: this.#seenAt,
      facets: this.#around.fold.facets({
        state: this.#state,
        measured: this.#measured,
        stamps: this.#stamps(),
        counters: this.#counters,
        now: this.#now,
      }),
      folded: this.#folded(),
      measured: this.#measured === this.#base.measured ? undefined : JSON.stringify(this.#measured),
      events: this.#events,
      counters,
      dropCounters,
      records: listOf(this.#records),
      trims: listOf(this.#trims),
      replies: listOf(this.#replies),
      dropEventsBelow: this.#dropEventsBelow,
    }
  }

  /** The snapshot after the commit was accepted under this revision. */
  committed(revision: number): Snapshot<State, Measured> {
    return {
      revision,
      incarnation: this.#base.incarnation,
      head: this.#head,
      state: this.#state,
      measured: this.#measured,
      stamps: this.#stamps(),
      counters: this.#counters,
      absent: this.#absent,
    }
  }

  #stamps(): Stamps {
    const { revision, stamps } = this.#base
    if (!this.dirty) return stamps
    const createdAt = revision === null ? this.#now : stamps.createdAt
    return { createdAt, updatedAt: this.#now, seenAt: this.#seenAt }
  }

  /** What the new events fold to; undefined when there are none. */
  #folded(): Commit['folded'] {
    if (this.#events.length === 0 || this.#head === null) return undefined
    const state = JSON.stringify(this.#state)
    return { head: this.#head, headMac: headMac(this.#around.keys, this.#chain(), this.#head, state), state }
  }

  #append(events: readonly NewEvent[]): Event[] {
    if (events.length === 0) return []
    const { keys, nextId, user } = this.#around
    const extended = extendChain(keys, { ...this.#chain(), head: this.#head, at: this.#now, nextId }, events)
    this.#head = extended.head
    this.#events.push(...extended.events)
    for (const event of extended.events) this.#state = this.#around.fold.evolve(this.#state, parseBody(event.body))
    this.dirty = true
    return extended.events.map((event) => readEvent(user.id, event))
  }

  #recordNow(key: string): string | undefined {
    const written = this.#records?.get(key)
    if (written !== undefined) return written.value ?? undefined
    return this.#read?.get(key)
  }

  #chain(): { user: Subject; incarnation: number } {
    return { user: this.#around.user, incarnation: this.#base.incarnation }
  }
}

function listOf<Value>(values: ReadonlyMap<string, Value> | undefined): readonly Value[] {
  return values === undefined ? NOTHING : [...values.values()]
}

function isSame(one: RecordName, other: RecordName): boolean {
  return one.name === other.name && one.kind === other.kind
}

function recordKey(kind: string, name: string): string {
  return `${kind}\n${name}`
}
