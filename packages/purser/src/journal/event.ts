import type { Counter, Facets, Stamps } from '../storage/commit.ts'

/** What happened, before it has its place in the chain. */
export interface NewEvent {
  readonly type: string
  readonly detail: string
  readonly data: Readonly<Record<string, unknown>>
  readonly actor?: string | undefined
  readonly reason?: string | undefined
  readonly policy?: string | undefined
}

/** One line of a user's log. `mac` chains it to the one before. */
export interface Event extends NewEvent {
  /** Format version. */
  readonly v: 1
  readonly id: string
  readonly user: string
  /** 1, 2, 3 … without gaps, per user. */
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly at: string
  readonly mac: string
}

/**
 * How a user's events become their state, given to the journal by the part that owns the rules.
 * `State` is exactly what the events fold to; `Measured` is kept beside it and leaves no events.
 * Both are plain JSON values and are never changed in place.
 */
export interface Fold<State, Measured> {
  readonly initial: State
  readonly unmeasured: Measured
  evolve(state: State, event: Omit<Event, 'mac' | 'user'>): State
  facets(user: {
    readonly state: State
    readonly measured: Measured
    readonly stamps: Stamps
    readonly counters: readonly Counter[]
    readonly now: number
  }): Facets
}
