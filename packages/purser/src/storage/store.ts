import type { Subject } from '../core/subject.ts'
import type { AnswerStore } from './answer-store.ts'
import type { LastGoodStore } from './last-good-store.ts'

/**
 * What a driver must fill. The store is dumb: it keeps rows, compares one number and writes atomically.
 * Every rule (windows, transitions, freshness, scope) lives in the parts; a driver that decides anything is wrong.
 *
 * Failure: a method rejects with `store_unavailable` when the store cannot be reached, is full or read-only, and
 * then nothing of that call was written. A commit that was acknowledged survives a crash of the process when
 * `traits.durable` is true.
 */
export interface Store {
  readonly traits: StoreTraits
  readonly meta: MetaStore
  readonly users: UserStore
  readonly events: EventStore
  readonly bus: Bus
  /** What can be rebuilt. A driver may lose all of it, but must never return a torn or foreign row. */
  readonly answers: AnswerStore
  readonly lastGood: LastGoodStore
  /**
   * Writes a whole and consistent copy of what must survive into a new file that only its owner may read. Absent when
   * the driver has no such thing. Rejects with `argument_invalid` when there is something at that path already.
   */
  backup?(file: string): Promise<void>
  /** Writes out what waits, then lets everything go; cut after `timeoutMs` (default: never). Safe to call twice. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>
}

export interface StoreTraits {
  readonly name: 'memory' | 'sqlite' | 'redis' | (string & {})
  /** An acknowledged commit survives the end of the process. */
  readonly durable: boolean
  /** Several processes may open the same store at once. */
  readonly shared: boolean
  /** Where the data is, fit for people: `:memory:`, a path, a URL without its password. */
  readonly location: string
}

/** A handful of values about the store itself: format version, wrapped root key, retention policy. */
export interface MetaStore {
  get(name: string): Promise<string | undefined>
  /** Writes `value` if the stored value is `expected` (undefined: absent). Tells whether it did. */
  compareAndSet(name: string, expected: string | undefined, value: string): Promise<boolean>
}

/** One user as stored. `state` is what their events fold to; the rest is measured beside it. */
export interface UserRow {
  /** Which life of this id this is: 1, and one more after every erasure. */
  readonly incarnation: number
  /** Changes with every commit; the number commits compare. */
  readonly revision: number
  readonly head: Head | null
  /** MAC over incarnation, head and state; null exactly when `head` is null. */
  readonly headMac: string | null
  /** null until the first commit that gave it. */
  readonly state: string | null
  /** null until the first commit that gave it. */
  readonly measured: string | null
  readonly stamps: Stamps
  readonly counters: readonly Counter[]
}

export interface Head {
  readonly sequence: number
  readonly mac: string
}

/** Epoch milliseconds. */
export interface Stamps {
  readonly createdAt: number
  readonly updatedAt: number
  readonly seenAt: number | null
}

/** What was used of one limit in one window. `window` sorts as text in the order of time. */
export interface Counter {
  readonly limit: string
  readonly window: string
  readonly value: number
}

/** What a list of users can be filtered and ordered by. */
export interface Facets {
  readonly phase: string
  readonly riskLevel: string
  readonly blocked: boolean
  /** Part of the cap that is used, 0 to 1 and above; 0 when there is no cap. */
  readonly capUsed: number
  /** When `capUsed` stops being true, epoch ms; null when it never does. */
  readonly capUsedUntil: number | null
  /** The highest peak of all nodes; 0 when there is none. */
  readonly peak: number
}

/** A value kept for one user under a kind and a name: settings, a session, a note, an action. Sorted by name. */
export interface StoredRecord {
  readonly name: string
  readonly value: string
}

export interface RecordWrite {
  readonly kind: string
  readonly name: string
  /** null deletes. */
  readonly value: string | null
}

export interface StoredEvent {
  readonly sequence: number
  readonly id: string
  readonly at: number
  readonly type: string
  /** The exact text the MAC was taken over. */
  readonly body: string
  readonly mac: string
}

/** The kept answer to an idempotency key. */
export interface Reply {
  readonly key: string
  /** Digest of the request body, so that another body under the same key is told. */
  readonly digest: string
  readonly result: string
  readonly expiresAt: number
}

/** One atomic change of one user: all of it or nothing. */
export interface Commit {
  /** The revision this was decided on; null when the user did not exist. Otherwise the commit is refused. */
  readonly expect: number | null
  readonly incarnation: number
  /** Keyed hash of the id, which outlives erasure; given when `expect` is null, to compare `incarnation` with. */
  readonly tag: string | null
  readonly at: number
  readonly seenAt: number | null
  readonly facets: Facets
  /** Absent: unchanged. Given together with `events`. */
  readonly folded?: { readonly head: Head; readonly headMac: string; readonly state: string } | undefined
  /** Absent: unchanged. */
  readonly measured?: string | undefined
  readonly events: readonly StoredEvent[]
  readonly counters: readonly Counter[]
  readonly dropCounters: readonly { readonly limit: string; readonly window: string }[]
  readonly records: readonly RecordWrite[]
  /** After the writes, only the `keep` records of `kind` with the highest names stay. */
  readonly trims: readonly { readonly kind: string; readonly keep: number }[]
  readonly replies: readonly Reply[]
  /** Deletes events below this sequence (retention); the state holds the tombstone. */
  readonly dropEventsBelow?: number | undefined
}

export type CommitOutcome = { readonly ok: true; readonly revision: number } | { readonly ok: false }

export interface UserStore {
  load(user: Subject): Promise<UserRow | undefined>
  /** The incarnation a user of this tag would be created with: 1 if never erased. */
  nextIncarnation(namespace: string, tag: string): Promise<number>
  /** `ok: false` when the revision or incarnation is no longer the expected one; then nothing was written. */
  commit(user: Subject, commit: Commit): Promise<CommitOutcome>
  /**
   * Keeps everybody else who shares the store from writing, until the hold's one write or its end, and for a moment at
   * most: for whoever has read and written several times and always lost. Absent where nobody can lose that often.
   */
  holdWrites?(): Promise<WriteHold>
  record(user: Subject, kind: string, name: string): Promise<string | undefined>
  records(user: Subject, kind: string, page: RecordPage): Promise<readonly StoredRecord[]>
  reply(user: Subject, key: string): Promise<Reply | undefined>
  /**
   * One page, ordered by the query's value and then by id (bytes), both in the same direction; null sorts lowest.
   * Windows that are over count as `capUsed` 0. The namespace's own log is not a user.
   */
  list(query: UserQuery): Promise<readonly ListedUser[]>
  /** Users per phase, risk level, blocked, and in all. */
  overview(namespace: string): Promise<Overview>
  /** Takes a user out of reach for good. What is left of them in files is wiped by `purge`, or the next start. */
  erase(user: Subject, erasure: Erasure): Promise<ErasureOutcome>
  /** Wipes what erasures left behind; true when no byte of the erased is in any file of the store. */
  purge(): Promise<boolean>
  /** Removes replies that expired before `now`, at most `limit` of them. */
  sweepReplies(now: number, limit: number): Promise<number>
}

/** Writes are not ok also when the moment was over before. */
export interface WriteHold extends Pick<UserStore, 'commit' | 'erase'> {
  /** Safe to call twice, and behind a write. */
  end(): Promise<void>
}

export interface RecordPage {
  readonly limit: number
  readonly order: 'ascending' | 'descending'
  /** Only names beyond this one, in the given order. */
  readonly after?: string | undefined
}

export interface UserQuery {
  readonly namespace: string
  readonly phase?: string | undefined
  readonly riskLevel?: string | undefined
  readonly blocked?: boolean | undefined
  /** `seenAt` of at least this, epoch ms. */
  readonly seenSince?: number | undefined
  /** `capUsed` of at least this, in windows that are not over at `now`. */
  readonly capUsed?: number | undefined
  readonly now: number
  readonly prefix?: string | undefined
  readonly orderBy: UserOrder
  readonly order: 'ascending' | 'descending'
  readonly limit: number
  /** Continue behind the user with this order value and id. */
  readonly after?: { readonly value: string | number | null; readonly id: string } | undefined
}

export interface ListedUser {
  readonly id: string
  /** What the user was ordered by: `after` of the next page. */
  readonly value: string | number | null
  readonly row: UserRow
}

export type UserOrder = 'id' | 'seenAt' | 'createdAt' | 'capUsed' | 'peak'

export interface Overview {
  readonly users: number
  readonly blocked: number
  readonly phases: Readonly<Record<string, number>>
  readonly riskLevels: Readonly<Record<string, number>>
}

/**
 * Ends a user's life: the row, its records, events, counters, replies and answers become unreachable in one atomic
 * step, together with one event in the namespace's own log. Bytes may be wiped afterwards in slices that resume
 * after a crash.
 */
export interface Erasure {
  readonly tag: string
  /** The incarnation that ends; the next one is one higher. */
  readonly incarnation: number
  /** Written in the same step: the namespace's own log, see `LOG_OF_NAMESPACE`. */
  readonly log: Commit
}

/** The namespace's own log is the log of a subject whose id no user can have. */
export const LOG_OF_NAMESPACE = ''

export type ErasureOutcome =
  | {
      readonly ok: true
      /** Rows removed, by kind of record, and `events`, `answers`, `user` (0 or 1). */
      readonly counts: Readonly<Record<string, number>>
    }
  | { readonly ok: false }

export interface EventStore {
  /** Newest first, below `before`. */
  newest(user: Subject, page: EventPage): Promise<readonly StoredEvent[]>
  /** Oldest first, above `after`: for folding and verifying. */
  oldest(user: Subject, page: { readonly after: number; readonly limit: number }): Promise<readonly StoredEvent[]>
  /** Events of the whole namespace behind a position, in the order they were committed. */
  tail(namespace: string, page: { readonly after: number; readonly limit: number }): Promise<readonly TailEvent[]>
  /** The position of an event id; undefined when it is not kept. Without an id: the newest position, 0 if none. */
  position(namespace: string, eventId?: string): Promise<number | undefined>
}

export interface EventPage {
  readonly limit: number
  readonly before?: number | undefined
  readonly types?: readonly string[] | undefined
}

export interface TailEvent {
  readonly position: number
  readonly user: string
  readonly event: StoredEvent
}

/** News between the processes that share a store, and inside one. Delivery is at most once; truth is in the rows. */
export interface Bus {
  /** Resolves when every process that is connected has been given the message, as far as the driver can tell. */
  publish(message: BusMessage): Promise<void>
  /** `gap` means that messages may have been missed: forget what you cached. */
  subscribe(listener: (message: BusMessage | 'gap') => void): () => void
}

export interface BusMessage {
  readonly topic: 'user' | 'context' | 'answers' | 'events'
  readonly namespace: string
  /** Absent: everybody in the namespace. */
  readonly user?: string | undefined
  /**
   * Of topic `user`: the kinds of records that changed, parted by blanks, `''` for none; or `erased`, or `evicted` from
   * memory by an operator. Absent: anything may have changed.
   */
  readonly detail?: string | undefined
}
