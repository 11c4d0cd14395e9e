import type { Fold } from '../journal/event.ts'
import type { LedgerOptions } from '../options.ts'
import type { Facets, Head } from '../storage/commit.ts'
import { evolve } from './evolve.ts'
import { blockAt, capOf, instant, type LedgerView, quotaOf, type Rules, rulesOf, usageIn } from './quota.ts'
import { type Block, INITIAL, type LedgerState, type Measurements, NO_MEASUREMENTS, type Peak } from './state.ts'

/** Who a user is to the application. Labels come from the application; they are signals, never diagnoses. */
export interface Bond {
  readonly user: string
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
  /** When the count next falls; null when it is unlimited. */
  readonly windowResetAt: string | null
  readonly blocked: Block | null
  readonly eggStatus: string
  readonly notesCount: number
  /** The user's zone as last set, also while it waits for the running window to end. */
  readonly timeZone: string
  readonly createdAt: string | null
  readonly lastSeenAt: string | null
  readonly updatedAt: string | null
  readonly head: Head | null
}

export function bondOf(rules: Rules, user: string, view: LedgerView): Bond {
  const { state, measured, stamps, version, head } = view
  const { defaults } = rules
  const blocked = blockAt(state, view.now)
  const quota = quotaOf(capOf(rules, state), usageIn(rules, view))
  return {
    user,
    exists: view.exists,
    version,
    phase: state.phase ?? defaults.phase,
    previousPhase: state.previousPhase ?? defaults.phase,
    archetype: state.archetype ?? defaults.archetype,
    phaseEnteredAt: state.phaseEnteredAt,
    turnCount: measured.turnCount,
    peaks: copyOf(measured.peaks),
    riskLevel: state.riskLevel ?? defaults.riskLevel,
    dailyCap: quota.cap,
    capOrigin: state.cap === null ? 'default' : 'user',
    dailyCount: quota.count,
    windowResetAt: quota.resetAt,
    blocked: blocked === null ? null : { ...blocked },
    eggStatus: state.eggStatus ?? defaults.eggStatus,
    notesCount: state.notesCount,
    timeZone: state.zone?.current ?? rules.timeZone,
    createdAt: view.exists ? instant(stamps.createdAt) : null,
    lastSeenAt: instant(stamps.seenAt),
    updatedAt: view.exists ? instant(stamps.updatedAt) : null,
    head,
  }
}

/** Callers get their own copy: what they do to it changes nobody's memory of the user. */
function copyOf(peaks: Readonly<Record<string, Peak>>): Record<string, Peak> {
  return Object.fromEntries(Object.entries(peaks).map(([node, peak]) => [node, { ...peak }]))
}

/** How the journal folds a user's events, and what lists of users are filtered by. */
export function ledgerFold(options: LedgerOptions, timeZone: string): Fold<LedgerState, Measurements> {
  const rules = rulesOf(options, timeZone)
  return { initial: INITIAL, unmeasured: NO_MEASUREMENTS, evolve, facets: (user) => facetsOf(rules, user) }
}

function facetsOf(rules: Rules, user: Parameters<Fold<LedgerState, Measurements>['facets']>[0]): Facets {
  const { state, measured, counters, now } = user
  const cap = capOf(rules, state)
  const usage = usageIn(rules, { state, counters, now })
  let peak = 0
  for (const { value } of Object.values(measured.peaks)) if (value > peak) peak = value
  return {
    phase: state.phase ?? rules.defaults.phase,
    riskLevel: state.riskLevel ?? rules.defaults.riskLevel,
    blocked: blockAt(state, now) !== null,
    capUsed: cap === 0 ? 0 : usage.count / cap,
    capUsedUntil: cap === 0 ? null : usage.clearAt,
    peak,
  }
}
