import { formatInstant } from './calendar.ts'
import { type DatedView, withCorrectClock } from './decide/clock-correction.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerState } from './state.ts'
import { type WindowUsage, windowUsage } from './window.ts'

/** What a user may still use in the current window. */
export interface Quota {
  /** -1 is unlimited. */
  readonly remaining: number
  /** 0 is unlimited. */
  readonly cap: number
  /** What is used. */
  readonly count: number
  /** When the count next falls, ISO 8601; null when the cap is unlimited or the count is 0. */
  readonly resetAt: string | null
}

/** The cap that applies to a user; 0 is unlimited. */
export function capOf(rules: LedgerRules, state: LedgerState): number {
  return state.cap ?? rules.dailyCap
}

/** The user's usage at the instant of the view. */
export function currentUsage(rules: LedgerRules, view: DatedView): WindowUsage {
  const { state, usage, now } = withCorrectClock(rules, view)
  return windowUsage(rules, { zone: state.zone, usage, now })
}

export function quotaOf(cap: number, usage: WindowUsage): Quota {
  return {
    remaining: cap === 0 ? -1 : Math.max(0, cap - usage.count),
    cap,
    count: usage.count,
    resetAt: cap === 0 ? null : formatInstant(usage.freeAt(1)),
  }
}
