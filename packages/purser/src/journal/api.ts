import type { AbortSignalLike } from '../core/call-signal.ts'
import type { Subject } from '../core/subject.ts'
import type { Head, Recorded, Stamps, StoredRecord } from '../storage/commit.ts'
import type { RecordPage } from '../storage/store.ts'
import type { Event, NewEvent, UserData } from './event.ts'

/**
 * The journal: the only way to change a user's data.
 *
 * The queued writes of one user are decided in order, each on the state the earlier ones will leave. They are committed
 * together, and their promises settle after the commit. Writes of different users are independent. Between processes
 * the store compares revisions: after a conflict the journal reloads the user and decides again, a limited number of
 * times.
 */
export interface Journal<Data extends UserData> {
  /**
   * Decides and commits. `decide` is pure and may run several times.
   * Rejects with what `decide` throws, `user_erased`, `idempotency_conflict` or `store_unavailable`.
   */
  write<Result, Stored = Result>(user: Subject, write: Write<Data, Result, Stored>): Promise<Result>
  /** Like `write`, with a waiter instead of a promise: for what every turn writes. Never throws. */
  submit<Result, Stored = Result>(user: Subject, write: Write<Data, Result, Stored>, waiter: Waiter<Result>): void
  /**
   * Write-behind, for a write that no caller waits for: it joins the next commit of the user, within `deferMs`, and is
   * seen by every later `read` and `write` of this process. It is lost by a crash, by a failing store and when its
   * decision throws.
   */
  defer<Result>(user: Subject, write: Write<Data, Result>): void
  /** Commits the deferred writes of the user, for a reader that does not use `read`. */
  flush(user: Subject): Promise<void>
  /** Commits the deferred writes of all users. */
  flushAll(): Promise<void>
  /** The committed state. An unknown user reads as the initial state with `exists: false`; nothing is created. */
  read(user: Subject): Promise<View<Data>>
  /**
   * The state that this process knew last, which may be outdated: for what has to be decided while the store fails. The
   * initial state with the incarnation 0 when it knows none.
   */
  lastKnown(user: Subject): View<Data>
  /**
   * Calls `listener` when a user was erased: on the message of the erasure, or when another incarnation is found in the
   * store first. What is in memory of the user must not be used after that. Returns the end.
   */
  onErased(listener: (user: Subject) => void): () => void
}

/** Gets the outcome of a write: one call of one of its functions, which must not throw. */
export interface Waiter<Result> {
  resolve(result: Result): void
  reject(error: unknown): void
}

export interface Write<Data extends UserData, Result, Stored = Result> {
  /** Records that `decide` looks up. */
  readonly reads?: readonly { readonly kind: string; readonly name: string }[]
  /** The incarnation this write belongs to; `user_erased` when it has ended. Absent: the current one. */
  readonly incarnation?: number | undefined
  /** A repeated key with the same body returns the first result; with another body it is `idempotency_conflict`. */
  readonly idempotency?: { readonly key: string; readonly body: unknown } | undefined
  /** When aborted, the call rejects with `signal.reason`, and the write is dropped unless it was already decided. */
  readonly signal?: AbortSignalLike | undefined
  /** False for a write that is only a step of what was asked for: it leaves no event for a request of a person. */
  readonly isAudited?: false
  decide(view: View<Data>): Decision<Data, Result>
  /** What is stored as JSON under the idempotency key. Default: the result. */
  encodeResult?(result: Result): Stored
  /** The result of a repeated idempotency key. `stored` has been through JSON. Default: `stored`. */
  replay?(stored: Stored, view: View<Data>): Result
  /** Called once, before the write resolves, when the result is that of an earlier call. */
  readonly onReplay?: (() => void) | undefined
}

/** The user as a decision sees them: the committed state plus the changes of earlier writes in the same commit. */
export interface View<Data extends UserData> {
  readonly exists: boolean
  readonly incarnation: number
  /** Sequence of the last event; 0 when there is none. */
  readonly version: number
  /** Sequence and MAC of the last event. */
  readonly head: Head | null
  readonly state: Data['state']
  readonly measurements: Data['measurements']
  readonly usage: Data['usage']
  readonly stamps: Stamps
  /** Wall clock of this decision, epoch ms. */
  readonly now: number
  /** A record listed in `reads`; undefined when it does not exist. */
  record(kind: string, name: string): string | undefined
}

export interface Decision<Data extends UserData, Result> {
  readonly events?: readonly NewEvent[] | undefined
  readonly measurements?: Data['measurements'] | undefined
  readonly usage?: Data['usage'] | undefined
  /** Whether the user was active: sets `seenAt`. */
  readonly seen?: boolean
  /** Sets `seenAt` to now although the stored one is later: it was written by a clock that ran ahead. */
  readonly resetsSeen?: boolean | undefined
  readonly records?: readonly { readonly kind: string; readonly name: string; readonly value: string | null }[]
  /** Records that cannot exist yet because their names were just generated; later writes need not read them. */
  readonly absent?: readonly { readonly kind: string; readonly name: string }[] | undefined
  readonly trims?: readonly { readonly kind: string; readonly keep: number }[]
  /** Retention: deletes events below this sequence. The events of the same decision should record the deletion. */
  readonly dropEventsBelow?: number
  /** A turn that has ended, and what it adds to sums. */
  readonly recorded?: Recorded | undefined
  /** Whether the result is stored under the idempotency key. Default true; refusals set false. */
  readonly remember?: boolean
  /** Builds the result after the decision was applied to the view. Must not throw. */
  result(after: { readonly view: View<Data>; readonly events: readonly Event[] }): Result
}

/** The journal as runtime and context use it: any user data except the ledger's state. */
export type JournalPort = Journal<UserData>

/** Reads single records directly from the store. Records change only through the journal. */
export interface RecordReader {
  record(user: Subject, kind: string, name: string): Promise<string | undefined>
  records(user: Subject, kind: string, page: RecordPage): Promise<readonly StoredRecord[]>
}
