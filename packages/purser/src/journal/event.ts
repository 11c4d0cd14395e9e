import type { Facets } from '../storage/commit.ts'
import type { SumIncrement } from '../storage/sum-store.ts'

/** An event before it is appended to the chain. */
export interface NewEvent {
  readonly type: string
  readonly detail: string
  readonly data: Readonly<Record<string, unknown>>
  readonly actor?: string | undefined
  readonly reason?: string | undefined
  readonly policy?: string | undefined
}

/** One event of a user's log. */
export interface Event extends NewEvent {
  /** Format version. */
  readonly v: 1
  readonly id: string
  readonly user: string
  /** 1, 2, 3 … without gaps, per user. */
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly at: string
  /** Chains this event to the previous one. */
  readonly mac: string
}

/** The stored text of an event, parsed. */
export type EventBody = Omit<Event, 'user' | 'mac'>

/** What is stored of a user, decoded. The values are never mutated; without a codec of the fold they are plain JSON. */
export interface UserData {
  /** Exactly what the user's events fold to. */
  readonly state: unknown
  /** Stored beside the state; produces no events. */
  readonly measurements: unknown
  /** What was used of the limits. Nearly every write replaces it, and nothing else. */
  readonly usage: unknown
}

/** How the events of a user become state. The module that owns the rules passes it to the journal. */
export interface Fold<Data extends UserData> {
  /** The data of a user without a row. */
  readonly initial: Data
  evolve(state: Data['state'], event: EventBody): Data['state']
  /** Reads usage as any version has stored it. Absent: it is read as it is. */
  parseUsage?(stored: unknown, state: Data['state']): Data['usage']
  /** Writes usage as JSON. Absent: it is plain JSON itself. */
  encodeUsage?(usage: Data['usage']): string
  facets(user: FoldedUser<Data>): Facets
  /** Parts of the state that the receipt of an erasure counts, by kind. Absent: none. */
  countParts?(state: Data['state']): Readonly<Record<string, number>>
  /** What a change of a user's state adds to the sums of the namespace. Absent: nothing. */
  sums?(change: StateChange<Data>): readonly SumIncrement[]
}

export interface StateChange<Data extends UserData> {
  /** Undefined: the user is new. */
  readonly before: Data['state'] | undefined
  /** Undefined: the user is erased. */
  readonly after: Data['state'] | undefined
  /** Epoch ms. */
  readonly createdAt: number
  readonly now: number
}

export interface FoldedUser<Data extends UserData> {
  readonly state: Data['state']
  readonly measurements: Data['measurements']
  readonly usage: Data['usage']
  readonly now: number
}
