import type { Decision, View, Write } from '../journal/api.ts'

/**
 * The state that a user's events fold to. `null` means that no event has set the field: the application's default
 * applies, which can change without rewriting rows. `v` is the format version of the stored text.
 */
export interface LedgerState {
  readonly v: 1
  readonly phase: string | null
  readonly previousPhase: string | null
  /** Instant of the last change of phase. */
  readonly phaseEnteredAt: string | null
  readonly riskLevel: string | null
  readonly archetype: string | null
  readonly eggStatus: string | null
  /** The user's own cap; 0 is unlimited. */
  readonly cap: number | null
  readonly zone: ZoneState | null
  readonly blocked: Block | null
  readonly notesCount: number
  readonly tombstone: Tombstone | null
}

/** A user's time zone, and since or from when it counts. A zone is null where the default applies. */
export interface ZoneState {
  readonly current: string | null
  /** Applies until `effectiveAt`. */
  readonly previous: string | null
  /** The end of the window in which the zone was changed; null when nothing had been counted in that window. */
  readonly effectiveAt: string | null
  /** The first date that counts in the current zone, so that no date is counted twice. */
  readonly firstDate: string | null
}

/** A block of a user by an operator. */
export interface Block {
  readonly at: string
  readonly actor: string
  readonly reason: string
  /** null: until it is lifted. */
  readonly until: string | null
}

/** Replaces the events that retention has removed. */
export interface Tombstone {
  /** The oldest sequence that is not removed. */
  readonly firstKept: number
  /** Events removed in total. */
  readonly removed: number
  /** MAC of the last removed event, which the oldest remaining event is chained to. */
  readonly mac: string
  /** The state that the removed events folded to. */
  readonly base: LedgerState
}

/** Measured values, stored beside the state without events. */
export interface Measurements {
  readonly turnCount: number
  readonly peaks: Readonly<Record<string, Peak>>
  /** Time of the newest observation, epoch ms; older observations are stale. */
  readonly observedAt: number | null
}

/** The highest value measured for one node. */
export interface Peak {
  readonly value: number
  /** ISO 8601, UTC. */
  readonly at: string
}

export const INITIAL_STATE: LedgerState = {
  v: 1,
  phase: null,
  previousPhase: null,
  phaseEnteredAt: null,
  riskLevel: null,
  archetype: null,
  eggStatus: null,
  cap: null,
  zone: null,
  blocked: null,
  notesCount: 0,
  tombstone: null,
}

/** What the removed events of a user folded to. Fields that did not exist when it was stored have their initial values. */
export function baseOf(tombstone: Tombstone | null): LedgerState {
  return { ...INITIAL_STATE, ...tombstone?.base }
}

export const INITIAL_MEASUREMENTS: Measurements = { turnCount: 0, peaks: {}, observedAt: null }

/** The block in force at an instant. A block with an end expires by itself. */
export function activeBlock({ blocked }: LedgerState, now: number): Block | null {
  return blocked === null || (blocked.until !== null && Date.parse(blocked.until) <= now) ? null : blocked
}

/** What a user has used: amounts by counter, then by window. */
export type Usage = Readonly<Record<string, Readonly<Record<string, number>>>>

/** What the journal stores of a user for the ledger. */
export interface LedgerData {
  readonly state: LedgerState
  readonly measurements: Measurements
  readonly usage: Usage
}

export const INITIAL_DATA: LedgerData = { state: INITIAL_STATE, measurements: INITIAL_MEASUREMENTS, usage: {} }

export type LedgerView = View<LedgerData>
export type LedgerDecision<Result> = Decision<LedgerData, Result>
export type LedgerWrite<Result, Stored = Result> = Write<LedgerData, Result, Stored>
