import { capOf, currentUsage, quotaOf } from './quota.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerView } from './state.ts'

/** One limit of a user, and what is used of it. */
export interface LimitState {
  /** `daily`: the cap of turns. */
  readonly name: string
  readonly measure: 'turns'
  readonly window: LedgerRules['window']
  /** null: no limit. */
  readonly max: number | null
  readonly used: number
  /** Held for turns that are running. */
  readonly held: number
  /** null: no limit. */
  readonly remaining: number | null
  /** When the use next falls, ISO 8601; null without a limit or without use. */
  readonly resetAt: string | null
  /** null: all models. */
  readonly models: readonly string[] | null
  readonly mode: 'enforce' | 'observe'
  readonly alertAt: readonly number[]
  readonly onLimit: 'refuse'
  /** When an own limit ends; null: never. */
  readonly until: string | null
  readonly origin: 'default' | 'user'
  /** Up to what the user may choose; null: any number. */
  readonly ceiling: number | null
  readonly pending: null
}

export const DAILY_LIMIT = 'daily'

export function dailyLimitOf(rules: LedgerRules, view: LedgerView): LimitState {
  const { cap, remaining, count, resetAt } = quotaOf(capOf(rules, view.state), currentUsage(rules, view))
  const max = cap === 0 ? null : cap
  return {
    name: DAILY_LIMIT,
    measure: 'turns',
    window: rules.window,
    max,
    used: count,
    held: 0,
    remaining: max === null ? null : remaining,
    resetAt,
    models: null,
    mode: 'enforce',
    alertAt: [],
    onLimit: 'refuse',
    until: null,
    origin: view.state.cap === null ? 'default' : 'user',
    ceiling: max,
    pending: null,
  }
}
