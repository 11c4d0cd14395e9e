import type { ClockHistory } from '../core/wall-clock.ts'
import type { Fold, FoldedUser } from '../journal/event.ts'
import { decodeRow, viewOf } from '../journal/snapshot.ts'
import type { LedgerOptions } from '../options.ts'
import type { Facets, Head, UserRow } from '../storage/commit.ts'
import { formatInstant } from './calendar.ts'
import { evolve } from './evolve.ts'
import { capOf, currentUsage, quotaOf } from './quota.ts'
import { type LedgerRules, rulesOf } from './rules.ts'
import { activeBlock, type Block, INITIAL_DATA, type LedgerData, type LedgerView, type Peak } from './state.ts'
import { windowUsage } from './window.ts'

/** The relationship of a user with the application. Labels come from the application; they are signals, not diagnoses. */
export interface Bond {
  readonly user: string
  /** False for a user of whom nothing is stored: all other fields are defaults. */
  readonly exists: boolean
  /** Sequence of the last event, 0 when there is none. Changes only with events. */
  readonly version: number
  readonly phase: string
  readonly previousPhase: string
  readonly archetype: string
  readonly phaseEnteredAt: string | null
  readonly turnCount: number
  readonly peaks: Readonly<Record<string, Peak>>
  readonly riskLevel: string
  /** 0 is unlimited. */
  readonly dailyCap: number
  readonly capOrigin: 'default' | 'user'
  readonly dailyCount: number
  /** When the count next falls; null when the cap is unlimited. */
  readonly windowResetAt: string | null
  /** The block in force; null when there is none or it has ended. */
  readonly blocked: Block | null
  readonly eggStatus: string
  readonly notesCount: number
  /** The user's zone as last set, also before it takes effect. */
  readonly timeZone: string
  readonly createdAt: string | null
  readonly lastSeenAt: string | null
  readonly updatedAt: string | null
  /** Sequence and MAC of the last event. */
  readonly head: Head | null
}

export function bondOf(rules: LedgerRules, user: string, view: LedgerView): Bond {
  const { state, measurements, stamps, version, head } = view
  const { defaults } = rules
  const block = activeBlock(state, view.now)
  const quota = quotaOf(capOf(rules, state), currentUsage(rules, view))
  return {
    user,
    exists: view.exists,
    version,
    phase: state.phase ?? defaults.phase,
    previousPhase: state.previousPhase ?? defaults.phase,
    archetype: state.archetype ?? defaults.archetype,
    phaseEnteredAt: state.phaseEnteredAt,
    turnCount: measurements.turnCount,
    peaks: copyPeaks(measurements.peaks),
    riskLevel: state.riskLevel ?? defaults.riskLevel,
    dailyCap: quota.cap,
    capOrigin: state.cap === null ? 'default' : 'user',
    dailyCount: quota.count,
    windowResetAt: quota.resetAt,
    blocked: block === null ? null : { ...block },
    eggStatus: state.eggStatus ?? defaults.eggStatus,
    notesCount: state.notesCount,
    timeZone: state.zone?.current ?? rules.timeZone,
    createdAt: view.exists ? formatInstant(stamps.createdAt) : null,
    lastSeenAt: formatInstant(stamps.seenAt),
    updatedAt: view.exists ? formatInstant(stamps.updatedAt) : null,
    head,
  }
}

/** The bond of a stored row, as of an instant. Throws `store_damaged` when the row cannot be read. */
export function bondOfRow(rules: LedgerRules, { id, row }: { id: string; row: UserRow }, now: number): Bond {
  return bondOf(rules, id, viewOf(decodeRow(row, INITIAL_DATA), now))
}

/** Callers get a copy, so that mutating it does not change the cached snapshot. */
function copyPeaks(peaks: Readonly<Record<string, Peak>>): Record<string, Peak> {
  return Object.fromEntries(Object.entries(peaks).map(([node, peak]) => [node, { ...peak }]))
}

/** How the journal folds a user's events, and the facets that lists of users are filtered by. */
export function ledgerFold(options: LedgerOptions, timeZone: string, clock?: ClockHistory): Fold<LedgerData> {
  const rules = rulesOf(options, timeZone, clock)
  return { initial: INITIAL_DATA, evolve, facets: (user) => facetsOf(rules, user) }
}

function facetsOf(rules: LedgerRules, user: FoldedUser<LedgerData>): Facets {
  const { state, measurements, now } = user
  const cap = capOf(rules, state)
  const usage = windowUsage(rules, { zone: state.zone, usage: user.usage, now })
  let peak = 0
  for (const { value } of Object.values(measurements.peaks)) if (value > peak) peak = value
  return {
    phase: state.phase ?? rules.defaults.phase,
    riskLevel: state.riskLevel ?? rules.defaults.riskLevel,
    blocked: activeBlock(state, now) !== null,
    capUsed: cap === 0 ? 0 : usage.count / cap,
    capUsedUntil: cap === 0 ? null : usage.clearAt,
    peak,
  }
}
