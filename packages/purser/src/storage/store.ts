import type { Subject } from '../core/subject.ts'
import type { AnswerStore } from './answer-store.ts'
import type {
  Commit,
  CommitOutcome,
  Erasure,
  ErasureOutcome,
  Reply,
  StoredEvent,
  StoredRecord,
  UserRow,
} from './commit.ts'
import type { InstanceStore } from './instance-store.ts'
import type { LastGoodStore } from './last-good-store.ts'
import type { RowStore } from './row-store.ts'
import type { SumStore } from './sum-store.ts'
import type { TurnStore } from './turn-store.ts'

/**
 * The storage port: what a driver implements. A store keeps rows, compares one number and writes atomically; it decides
 * nothing. Every rule (windows, transitions, freshness, scope) belongs to a module above it. `storeContract` of
 * `purser/testing` tests an implementation.
 *
 * Failure: a method rejects with `store_unavailable` when the store cannot be reached, is full or is read-only; nothing
 * of that call was written then. When `traits.durable` is true, an acknowledged commit survives a crash of the process.
 */
export interface Store {
  readonly traits: StoreTraits
  readonly meta: MetaStore
  readonly users: UserStore
  readonly events: EventStore
  readonly turns: TurnStore
  readonly sums: SumStore
  readonly bus: Bus
  /** All rows as they are, for moving a store. Absent when the driver has no copies. */
  readonly rows?: RowStore
  /** Rebuildable data. A driver may lose all of it, but must never return a torn row or a row of another key. */
  readonly answers: AnswerStore
  /** Rebuildable data, like `answers`. */
  readonly lastGood: LastGoodStore
  /** The processes on the store. Rebuildable. */
  readonly instances: InstanceStore
  /**
   * Writes a complete, consistent copy of the data that is not rebuildable to a new file with mode 0600. Absent when the
   * driver has no backups.
   *
   * @param file A path at which no file exists.
   * @throws {PurserError} `argument_invalid` when the file exists or its directory does not.
   */
  backup?(file: string): Promise<void>
  /** Checks what only the driver knows, such as settings and the clock of a server. Absent: nothing to check. */
  inspect?(): Promise<readonly StoreFinding[]>
  /**
   * What the configuration of the store's server risks, such as evicting rows, as sentences for an operator. Absent when the
   * store has no server.
   */
  warnings?(): Promise<readonly string[]>
  /**
   * Finishes pending writes, then closes everything. Safe to call twice.
   *
   * @param options `timeoutMs`: after this time pending writes are rejected. Default: no limit.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<void>
}

/** One property of a store that an operator should know, or change. */
export interface StoreFinding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  /** The fix. */
  readonly hint?: string
}

/** The properties in which stores differ. Tests and documentation read them. */
export interface StoreTraits {
  readonly name: 'memory' | 'sqlite' | 'redis' | (string & {})
  /** An acknowledged commit survives the end of the process. */
  readonly durable: boolean
  /** Several processes may open the same store at once. */
  readonly shared: boolean
  /** Whether `purge` can wipe an erased user's bytes from the files of the store. Default: true. */
  readonly wipesFiles?: boolean
  /** The location of the data for display: `:memory:`, a path, a URL without its password. */
  readonly location: string
}

/** A few values about the store itself: format version, wrapped root key, retention policy. */
export interface MetaStore {
  get(name: string): Promise<string | undefined>
  /**
   * Writes `value` if the stored value equals `expected` (undefined: absent), in one atomic step.
   *
   * @returns Whether it was written.
   */
  compareAndSet(name: string, expected: string | undefined, value: string): Promise<boolean>
}

/** Users, their records and replies. */
export interface UserStore {
  load(user: Subject): Promise<UserRow | undefined>
  /** The incarnation that a new user with this tag starts with: 1 if never erased. */
  nextIncarnation(namespace: string, tag: string): Promise<number>
  /** `ok: false` when the revision or the incarnation is not the expected one; nothing was written then. */
  commit(user: Subject, commit: Commit): Promise<CommitOutcome>
  /**
   * Takes the write lock of these users, or of the store: until the lock's one write, its release or a short timeout, no
   * other process writes. For a caller that read and wrote several times and lost every time. Absent when no caller can
   * lose that often.
   */
  lockWrites?(users: readonly Subject[]): Promise<WriteLock>
  record(user: Subject, kind: string, name: string): Promise<string | undefined>
  records(user: Subject, kind: string, page: RecordPage): Promise<readonly StoredRecord[]>
  reply(user: Subject, key: string): Promise<Reply | undefined>
  /**
   * One page of users, ordered by the value of `orderBy`, then by id (bytes), both in the same direction; null sorts
   * lowest. In windows that have ended, `capUsed` is 0. The log of the namespace is not a user.
   */
  list(query: UserQuery): Promise<readonly ListedUser[]>
  /** The number of users that match the filters, whatever the order, the page and the cursor. */
  count(query: UserQuery): Promise<number>
  /** The number of users per phase, per risk level, blocked, and in total. */
  overview(namespace: string): Promise<Overview>
  /**
   * Makes the user unreachable, permanently. Bytes that are left in files are wiped by `purge`, or after the next start.
   * `ok: false` when the incarnation or the log's revision is not the expected one; nothing was written then.
   */
  erase(user: Subject, erasure: Erasure): Promise<ErasureOutcome>
  /** Wipes what erasures left in files; true when no byte of an erased user is in any file of the store. */
  purge(): Promise<boolean>
  /** Removes at most `limit` replies that expired before `now`. Resolves to the number removed. */
  sweepReplies(now: number, limit: number): Promise<number>
}

/** The write lock of a store. Writes are `ok: false` as well once the lock has timed out. */
export interface WriteLock extends Pick<UserStore, 'commit' | 'erase'> {
  /** Safe to call twice, and after a write, which releases the lock itself. */
  release(): Promise<void>
}

export interface RecordPage {
  readonly limit: number
  readonly order: 'ascending' | 'descending'
  /** Only names after this one, in the order of the page. */
  readonly after?: string | undefined
}

export interface UserQuery {
  readonly namespace: string
  readonly phase?: string | undefined
  readonly riskLevel?: string | undefined
  readonly blocked?: boolean | undefined
  /** `seenAt` of at least this, epoch ms. */
  readonly seenSince?: number | undefined
  /** `seenAt` before this, epoch ms, or never. */
  readonly seenBefore?: number | undefined
  /** `capUsed` of at least this, in windows that have not ended at `now`. */
  readonly capUsed?: number | undefined
  readonly now: number
  readonly prefix?: string | undefined
  /** A part of the id, compared byte for byte. */
  readonly contains?: string | undefined
  readonly orderBy: UserOrder
  readonly order: 'ascending' | 'descending'
  readonly limit: number
  /** Users of the order that are passed over, after `after`. Default 0. */
  readonly offset?: number | undefined
  /** Continues after the user with this order value and id. */
  readonly after?: { readonly value: string | number | null; readonly id: string } | undefined
}

export interface ListedUser {
  readonly id: string
  /** The value the user was ordered by: `after` of the next page. */
  readonly value: string | number | null
  readonly row: UserRow
}

export type UserOrder = 'id' | 'seenAt' | 'createdAt' | 'capUsed' | 'peak'

/** Numbers of users in a namespace. */
export interface Overview {
  readonly users: number
  readonly blocked: number
  readonly phases: Readonly<Record<string, number>>
  readonly riskLevels: Readonly<Record<string, number>>
}

export interface EventStore {
  /** Newest first, below `before`. */
  newest(user: Subject, page: EventPage): Promise<readonly StoredEvent[]>
  /** Oldest first, above `after`: for folding and verifying. */
  oldest(user: Subject, page: { readonly after: number; readonly limit: number }): Promise<readonly StoredEvent[]>
  /** Events of the whole namespace after a position, in commit order. */
  tail(namespace: string, page: { readonly after: number; readonly limit: number }): Promise<readonly TailEvent[]>
  /** The position of an event; undefined when the event is not stored. Without an id: the newest position, 0 if none. */
  position(namespace: string, eventId?: string): Promise<number | undefined>
}

export interface EventPage {
  readonly limit: number
  readonly before?: number | undefined
  readonly types?: readonly string[] | undefined
  /** Only events at this instant or later, epoch ms. The instants of a log need not rise: clocks are set back. */
  readonly from?: number | undefined
  /** Only events before this instant, epoch ms. */
  readonly to?: number | undefined
}

export interface TailEvent {
  readonly position: number
  readonly user: string
  readonly event: StoredEvent
}

/** Messages inside a process and between the processes of a store. Delivery is at most once; the rows are the truth. */
export interface Bus {
  /** Resolves when every connected process has received the message, as far as the driver can tell. */
  publish(message: BusMessage): Promise<void>
  /** Returns a function that ends the subscription. `gap`: messages may have been missed, so drop what you cached. */
  subscribe(listener: (message: BusMessage | 'gap') => void): () => void
}

export interface BusMessage {
  readonly topic: 'user' | 'context' | 'answers' | 'events'
  readonly namespace: string
  /** Absent: all users of the namespace. */
  readonly user?: string | undefined
  /**
   * Of topic `user`: the kinds of records that changed, separated by spaces, `''` for none; or `erased`; or `evicted`
   * (dropped from memory by an operator). Absent: anything may have changed.
   */
  readonly detail?: string | undefined
}
