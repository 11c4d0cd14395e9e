import type { Counter, Facets, Stamps } from '../storage/commit.ts'

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

/**
 * How the events of a user become state. The module that owns the rules passes it to the journal.
 * `State` is exactly what the events fold to; `Measurements` are stored beside it and produce no events.
 * Both are plain JSON values and are never mutated.
 */
export interface Fold<State, Measurements> {
  readonly initialState: State
  readonly initialMeasurements: Measurements
  evolve(state: State, event: EventBody): State
  facets(user: {
    readonly state: State
    readonly measurements: Measurements
    readonly stamps: Stamps
    readonly counters: readonly Counter[]
    readonly now: number
  }): Facets
}
