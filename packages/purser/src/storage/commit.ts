import type { SumIncrement } from './sum-store.ts'
import type { StoredTurn } from './turn-store.ts'

/** One user as stored. `state` is the result of folding the user's events; `measured` is kept beside it. */
export interface UserRow {
  /** The incarnation of this user id: 1 at first, one higher after every erasure. */
  readonly incarnation: number
  /** Changes with every commit. Commits compare it. */
  readonly revision: number
  readonly head: Head | null
  /** MAC over incarnation, head and state; null exactly when `head` is null. */
  readonly headMac: string | null
  /** null until the first commit that sets it. */
  readonly state: string | null
  /** Measured state, such as peaks, which has no events. null until the first commit that sets it. */
  readonly measured: string | null
  /** What was used of the limits. Nearly every commit replaces it. null until the first commit that sets it. */
  readonly usage: string | null
  readonly stamps: Stamps
}

/** The newest event of a user. */
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

/** The values by which a list of users is filtered and ordered. */
export interface Facets {
  readonly phase: string
  readonly riskLevel: string
  readonly blocked: boolean
  /** The used part of the cap, 0 to 1 and above; 0 without a cap. */
  readonly capUsed: number
  /** When the window of `capUsed` ends, epoch ms; null: never. */
  readonly capUsedUntil: number | null
  /** The highest peak of all nodes; 0 without peaks. */
  readonly peak: number
}

/** A value of one user under a kind and a name: settings, a session, a note, an action. Sorted by name. */
export interface StoredRecord {
  readonly name: string
  readonly value: string
}

export interface RecordWrite {
  readonly kind: string
  readonly name: string
  /** null deletes the record. */
  readonly value: string | null
}

export interface StoredEvent {
  readonly sequence: number
  readonly id: string
  readonly at: number
  readonly type: string
  /** The exact text that the MAC covers. */
  readonly body: string
  readonly mac: string
}

/** The stored reply to an idempotency key. */
export interface Reply {
  readonly key: string
  /** Digest of the request body; another body under the same key is an `idempotency_conflict`. */
  readonly digest: string
  readonly result: string
  readonly expiresAt: number
}

/** One atomic change of one user: all of it is written, or nothing. */
export interface Commit {
  /** The revision this commit was decided on; null: the user did not exist. Another revision refuses the commit. */
  readonly expect: number | null
  readonly incarnation: number
  /** Keyed hash of the user id, which outlives erasure. Set when `expect` is null, to check `incarnation`. */
  readonly tag: string | null
  readonly at: number
  readonly seenAt: number | null
  readonly facets: Facets
  /** Absent: unchanged. Present together with `events`. */
  readonly folded?: { readonly head: Head; readonly headMac: string; readonly state: string } | undefined
  /** Absent: unchanged. */
  readonly measured?: string | undefined
  /** Absent: unchanged. */
  readonly usage?: string | undefined
  readonly events: readonly StoredEvent[]
  readonly records: readonly RecordWrite[]
  /** After the writes, only the `keep` records of `kind` with the highest names stay. */
  readonly trims: readonly { readonly kind: string; readonly keep: number }[]
  readonly replies: readonly Reply[]
  /** Deletes the events below this sequence (retention); the state holds the tombstone. */
  readonly dropEventsBelow?: number | undefined
  /** Absent: nothing. */
  readonly recorded?: Recorded | undefined
}

/** Turns above the limit that one commit removes at least. No commit adds more. */
export const MAX_TRIMMED_TURNS = 500

/** Turns that have ended, and what they add to sums. */
export interface Recorded {
  readonly turns: readonly StoredTurn[]
  /**
   * After the writes, only this many turns of the user with the highest ids stay. Absent: all of them. Where more than
   * `MAX_TRIMMED_TURNS` are too many, as after the limit was lowered, a driver may leave the rest to later commits, so that
   * one commit does not hold up those of others.
   */
  readonly keepTurns?: number | undefined
  /** Sums of the user, which are removed with the user. */
  readonly userSums: readonly SumIncrement[]
  /** Sums of the namespace, which stay. */
  readonly sums: readonly SumIncrement[]
}

export type CommitOutcome = { readonly ok: true; readonly revision: number } | { readonly ok: false }

/**
 * Ends an incarnation: the user's row, records, events, counters, replies and answers become unreachable in one atomic
 * step, which also writes one event to the log of the namespace. The bytes may be wiped later, in slices that resume
 * after a crash.
 */
export interface Erasure {
  readonly tag: string
  /** The incarnation that ends; the next one is one higher. */
  readonly incarnation: number
  /** The revision of the user that the erasure was decided on; absent: any. */
  readonly revision?: number | undefined
  /** Written in the same step to the log of the namespace, see `LOG_OF_NAMESPACE`. */
  readonly log: Commit
}

/** The log of the namespace is the event log of a subject with this id, which no user can have. */
export const LOG_OF_NAMESPACE = ''

export type ErasureOutcome =
  | {
      readonly ok: true
      /** Removed rows by kind of record, and `events`, `answers`, `turns`, `usage` (sums), `user` (0 or 1). */
      readonly counts: Readonly<Record<string, number>>
    }
  | { readonly ok: false }
