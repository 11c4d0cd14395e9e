import type { Fold, FoldedUser } from '../journal/event.ts'
import { decodeRow, viewOf } from '../journal/snapshot.ts'
import type { Facets, Head, UserRow } from '../storage/commit.ts'
import { formatInstant } from './calendar.ts'
import { evolve } from './evolve.ts'
import { dailyUse } from './limits/limit-state.ts'
import type { Origin } from './limits/policy.ts'
import { encodeUsage, parseStoredUsage } from './limits/stored-usage.ts'
import { dailyUseOf, limitContextOf, limitsOf, quotaOf } from './quota.ts'
import type { LedgerRules } from './rules.ts'
import {
  activeBlock,
  type Block,
  INITIAL_DATA,
  type LedgerData,
  type LedgerState,
  type LedgerView,
  type Peak,
} from './state.ts'
import { labelSums } from './turns/label-sums.ts'

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
  /** What has set the cap: the configuration, a plan, an operator, or the person. */
  readonly capOrigin: Origin
  /** The plan that applies; null: none. */
  readonly plan: string | null
  /** `user` when the plan was assigned with `setPlan`. */
  readonly planOrigin: 'default' | 'user'
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
  const use = dailyUseOf(rules, view)
  const quota = quotaOf(use)
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
    capOrigin: use.rule.origin,
    ...planOf(rules, state),
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
  return bondOf(rules, id, viewOf(decodeRow(row, codecOf(rules)), now))
}

/** Callers get a copy, so that mutating it does not change the cached snapshot. */
function copyPeaks(peaks: Readonly<Record<string, Peak>>): Record<string, Peak> {
  return Object.fromEntries(Object.entries(peaks).map(([node, peak]) => [node, { ...peak }]))
}

/** A plan that is no longer configured does not apply. */
export function planOf({ policy }: LedgerRules, { limits }: LedgerState): Pick<Bond, 'plan' | 'planOrigin'> {
  const isOwn = limits.plan !== null && policy.plans.includes(limits.plan)
  return isOwn ? { plan: limits.plan, planOrigin: 'user' } : { plan: policy.defaultPlan, planOrigin: 'default' }
}

/** How a stored row is read. */
export function codecOf(rules: LedgerRules): Required<Pick<Fold<LedgerData>, 'initial' | 'parseUsage'>> {
  return { initial: INITIAL_DATA, parseUsage: (stored, state) => parseStoredUsage(rules, stored, state) }
}

/** How the journal folds a user's events, and the facets that lists of users are filtered by. */
export function ledgerFold(rules: LedgerRules): Fold<LedgerData> {
  const facets: Fold<LedgerData>['facets'] = (user) => facetsOf(rules, user)
  return { ...codecOf(rules), encodeUsage, evolve, facets, countParts, sums: labelSums(rules) }
}

/** The limits that operators and the person have set for a user; the cap is one of them. */
function countParts(state: LedgerState): { readonly limit: number } {
  const { overrides, own } = limitsOf(state)
  const present = own.filter(({ max, next }) => max !== null || next !== null)
  return { limit: new Set([...overrides, ...present].map(({ name }) => name)).size }
}

function facetsOf(rules: LedgerRules, user: FoldedUser<LedgerData>): Facets {
  const { state, measurements, now } = user
  const { rule, used, clearAt } = dailyUse(limitContextOf(rules, user), user.usage)
  const cap = rule.max === null ? 0 : Number(rule.max)
  let peak = 0
  for (const { value } of Object.values(measurements.peaks)) if (value > peak) peak = value
  return {
    phase: state.phase ?? rules.defaults.phase,
    riskLevel: state.riskLevel ?? rules.defaults.riskLevel,
    blocked: activeBlock(state, now) !== null,
    capUsed: cap === 0 ? 0 : Number(used) / cap,
    capUsedUntil: cap === 0 ? null : clearAt,
    peak,
  }
}
