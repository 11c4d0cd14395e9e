import type { RatedLimit } from '../openai/rate-limit-headers.ts'
import { formatInstant } from './calendar.ts'
import { type DatedView, withCorrectClock } from './decide/clock-correction.ts'
import type { LimitContext } from './limits/admission.ts'
import { dailyUse, type LimitState, limitStates, type RuleUse } from './limits/limit-state.ts'
import type { UserLimits } from './limits/policy.ts'
import { DAILY } from './limits/rule.ts'
import { tightestRates } from './limits/tightest-rates.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerState, LedgerView } from './state.ts'

/** What a user may still use in the current window of the rule `daily`. */
export interface Quota {
  /** -1 is unlimited. */
  readonly remaining: number
  /** 0 is unlimited, unless `remaining` is 0 as well. */
  readonly cap: number
  /** What is used. */
  readonly count: number
  /** When the count next falls, ISO 8601; null when the cap is unlimited or the count is 0. */
  readonly resetAt: string | null
}

export function limitContextOf(
  { policy, prices, timeZone }: LedgerRules,
  { state, now }: Pick<LedgerView, 'state' | 'now'>,
): LimitContext {
  return { policy, prices, zone: { state: state.zone, timeZone }, limits: limitsOf(state), now }
}

/** The use under the rule `daily` at the instant of the view. */
export function dailyUseOf(rules: LedgerRules, view: DatedView): RuleUse {
  const current = withCorrectClock(rules, view)
  return dailyUse(limitContextOf(rules, current), current.usage)
}

/** The limits at the instant of the view. */
export function limitsAt(rules: LedgerRules, view: DatedView): readonly LimitState[] {
  const current = withCorrectClock(rules, view)
  return limitStates(limitContextOf(rules, current), current.usage)
}

/** The tightest limits of turns and of tokens of a model, at the instant of the view. */
export function ratesAt(rules: LedgerRules, view: DatedView, model: string | null): readonly RatedLimit[] {
  const current = withCorrectClock(rules, view)
  return tightestRates(limitContextOf(rules, current), model, current.usage)
}

export function quotaOf({ rule, used, resetAt }: RuleUse): Quota {
  const count = Number(used)
  if (rule.max === null) return { remaining: -1, cap: 0, count, resetAt: null }
  const cap = Number(rule.max)
  return { remaining: Math.max(0, cap - count), cap, count, resetAt: formatInstant(resetAt) }
}

/** Rules are cached by the limits of a user, so equal states must have the same object. */
const limitsOfStates = new WeakMap<LedgerState, UserLimits>()

/** What operators and the person have set, with the cap as the limit `daily`. */
export function limitsOf(state: LedgerState): UserLimits {
  if (state.cap === null) return state.limits
  let limits = limitsOfStates.get(state)
  if (limits === undefined) {
    const cap = { name: DAILY, max: state.cap === 0 ? null : state.cap, until: null }
    limits = { ...state.limits, overrides: [...state.limits.overrides, cap] }
    limitsOfStates.set(state, limits)
  }
  return limits
}
