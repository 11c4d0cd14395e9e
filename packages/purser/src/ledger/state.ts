import type { Decision, View, Write } from '../journal/api.ts'
import type { ZoneState } from './limits/periods.ts'
import { NO_USER_LIMITS, type UserLimits } from './limits/policy.ts'
import { NO_USAGE, type Usage } from './limits/usage.ts'

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
  /** The cap set with `setDailyCap`; 0 is unlimited. Null when the limit `daily` was set or reset since. */
  readonly cap: number | null
  /** The plan, and what operators and the person have set. */
  readonly limits: UserLimits
  readonly zone: ZoneState | null
  readonly blocked: Block | null
  readonly notesCount: number
  readonly tombstone: Tombstone | null
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
  limits: NO_USER_LIMITS,
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

/** What the journal stores of a user for the ledger. */
export interface LedgerData {
  readonly state: LedgerState
  readonly measurements: Measurements
  readonly usage: Usage
}

export const INITIAL_DATA: LedgerData = { state: INITIAL_STATE, measurements: INITIAL_MEASUREMENTS, usage: NO_USAGE }

export type LedgerView = View<LedgerData>
export type LedgerDecision<Result> = Decision<LedgerData, Result>
export type LedgerWrite<Result, Stored = Result> = Write<LedgerData, Result, Stored>
