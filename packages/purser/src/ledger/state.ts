/**
 * What a user's events fold to. `null` is what no event has set: the default holds, which the application may change
 * without touching anybody's row. `v` is the format version of the stored text.
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
  /** Of the user's own; 0 is unlimited. */
  readonly cap: number | null
  readonly zone: ZoneState | null
  readonly blocked: Block | null
  readonly notesCount: number
  readonly tombstone: Tombstone | null
}

/** A user's zone, and when it began or will begin to count. Zones are null where the default holds. */
export interface ZoneState {
  readonly current: string | null
  /** Holds until `effectiveAt`. */
  readonly previous: string | null
  /** The end of the window in which the zone was changed; null when nothing had been counted in it. */
  readonly effectiveAt: string | null
  /** The first date that counts in the current zone: no date is given twice. */
  readonly firstDate: string | null
}

export interface Block {
  readonly at: string
  readonly actor: string
  readonly reason: string
  /** null: until somebody lifts it. */
  readonly until: string | null
}

/** What stands for events that retention has removed. */
export interface Tombstone {
  /** The first sequence that is kept. */
  readonly firstKept: number
  /** Events removed in all. */
  readonly removed: number
  /** MAC of the last one removed, on which the first kept one hangs. */
  readonly mac: string
  /** What the removed events folded to. */
  readonly base: LedgerState
}

/** Kept beside the state, without events. */
export interface Measurements {
  readonly turnCount: number
  readonly peaks: Readonly<Record<string, Peak>>
  /** Time of the newest observation, epoch ms; older ones are stale. */
  readonly observedAt: number | null
}

export interface Peak {
  readonly value: number
  /** ISO 8601, UTC. */
  readonly at: string
}

export const INITIAL: LedgerState = {
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

export const NO_MEASUREMENTS: Measurements = { turnCount: 0, peaks: {}, observedAt: null }
