import type { Subject } from '../core/subject.ts'
import type { Counter, Head, Stamps, StoredRecord } from '../storage/commit.ts'
import type { RecordPage } from '../storage/store.ts'
import type { Event, NewEvent } from './event.ts'

/**
 * The journal: the only way in which a user's data changes.
 *
 * All waiting writes of one user are decided one after the other on the state that the earlier ones will leave,
 * and are committed together; their answers follow the commit. Users do not wait for each other. Between processes
 * the store compares revisions: the loser reads again and decides again, a few times.
 */
export interface Journal<State, Measured> {
  /**
   * Decides and commits. `decide` is pure and may run several times.
   * Rejects with what `decide` throws, `user_erased`, `idempotency_conflict` or `store_unavailable`.
   */
  write<Result>(user: Subject, write: Write<State, Measured, Result>): Promise<Result>
  /** The state as committed; an unknown user reads as the initial state with `exists: false`. Creates nothing. */
  read(user: Subject): Promise<View<State, Measured>>
}

export interface Write<State, Measured, Result> {
  /** Records that `decide` wants to see. */
  readonly reads?: readonly { readonly kind: string; readonly name: string }[]
  /** The life this write belongs to; `user_erased` when it is over. Absent: the present one. */
  readonly incarnation?: number | undefined
  /** The same key with the same body gives the answer of the first time; with another body it is a conflict. */
  readonly idempotency?: { readonly key: string; readonly body: unknown } | undefined
  /** Aborted: the call rejects with `signal.reason`, and is not decided unless it already was. */
  readonly signal?: AbortSignal | undefined
  decide(view: View<State, Measured>): Decision<State, Measured, Result>
  /** What a repeated idempotency key is answered with; by default the first answer, as JSON kept it. */
  replay?(kept: Result, view: View<State, Measured>): Result
}

/** The user as a decision sees them: committed state plus what earlier waiting writes will add. */
export interface View<State, Measured> {
  readonly exists: boolean
  readonly incarnation: number
  /** Sequence of the last event; 0 when there is none. */
  readonly version: number
  /** The last event's place in the chain. */
  readonly head: Head | null
  readonly state: State
  readonly measured: Measured
  readonly stamps: Stamps
  readonly counters: readonly Counter[]
  /** Wall clock of this decision, epoch ms. */
  readonly now: number
  /** A record named in `reads`; undefined when there is none. */
  record(kind: string, name: string): string | undefined
}

export interface Decision<State, Measured, Result> {
  readonly events?: readonly NewEvent[]
  readonly measured?: Measured
  /** The user was here: sets `seenAt`. */
  readonly seen?: boolean
  /** New values, not differences. */
  readonly counters?: readonly Counter[]
  readonly dropCounters?: readonly { readonly limit: string; readonly window: string }[]
  readonly records?: readonly { readonly kind: string; readonly name: string; readonly value: string | null }[]
  /** Records that cannot exist yet, since their names were made just now: whoever wants them need not read them. */
  readonly absent?: readonly { readonly kind: string; readonly name: string }[]
  readonly trims?: readonly { readonly kind: string; readonly keep: number }[]
  /** Retention: events below this sequence go; the events of this decision should say so. */
  readonly dropEventsBelow?: number
  /** False: not kept under the idempotency key. Default true. Refusals set it. */
  readonly remember?: boolean
  /** The answer, made after the decision took effect on the view. Must not throw. */
  result(after: { readonly view: View<State, Measured>; readonly events: readonly Event[] }): Result
}

/** What runtime and context may do with the journal: everything but the ledger's own rules. */
export type JournalPort = Journal<unknown, unknown>

/** Reads of records go to the store directly: they are one row each and change only through the journal. */
export interface RecordReader {
  record(user: Subject, kind: string, name: string): Promise<string | undefined>
  records(user: Subject, kind: string, page: RecordPage): Promise<readonly StoredRecord[]>
}
