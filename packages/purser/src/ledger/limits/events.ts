import type { NewEvent } from '../../journal/event.ts'
import { formatInstant } from '../calendar.ts'
import type { Amount } from './amount.ts'
import { formatMoney } from './money.ts'
import type { EffectiveRule } from './policy.ts'
import type { Rule } from './rule.ts'
import type { Usage } from './usage.ts'

/*
 * Events about limits. `limit_threshold` and `limit_reached` report measured use: they change no state. Amounts are
 * numbers, of `cost` decimal text.
 */

const ACTOR = 'purser'

/** The form of an amount outside: a number, of money decimal text. */
export function formatAmount({ measure }: Pick<Rule, 'measure'>, amount: Amount): number | string {
  return measure === 'cost' ? formatMoney(amount) : Number(amount)
}

export function formatMax(rule: Pick<Rule, 'measure'>, max: Amount | null): number | string | null {
  return max === null ? null : formatAmount(rule, max)
}

/** `resetAt`: when the limit lets the refused turn pass if nothing else changes; null: never, or as soon as a slot is free. */
export function limitReached(rule: EffectiveRule, used: Amount, resetAt: number | null): NewEvent {
  return {
    type: 'limit_reached',
    detail: `limit ${rule.name} reached: ${amountsText(rule, used)}${rule.mode === 'observe' ? ' (observed)' : ''}`,
    data: { ...dataOf(rule, used), mode: rule.mode, resetAt: formatInstant(resetAt) },
    actor: ACTOR,
  }
}

export function limitThreshold(rule: EffectiveRule, used: Amount, threshold: number): NewEvent {
  return {
    type: 'limit_threshold',
    detail: `limit ${rule.name} at ${percentText(threshold)}: ${amountsText(rule, used)}`,
    data: { ...dataOf(rule, used), threshold },
    actor: ACTOR,
  }
}

/** The clock was far ahead at an admission. */
export function windowsDropped(limits: readonly string[], { seenAt = 0 }: Usage, now: number): NewEvent {
  const [ahead, at] = [formatInstant(seenAt), formatInstant(now)]
  return {
    type: 'window_dropped',
    detail: `clock was ahead: ${ahead} instead of ${at}`,
    data: { limits, ahead, at },
    actor: ACTOR,
  }
}

function dataOf(rule: EffectiveRule, used: Amount): Readonly<Record<string, unknown>> {
  const { name, measure, windowText } = rule
  return { limit: name, measure, window: windowText, max: formatMax(rule, rule.max), used: formatAmount(rule, used) }
}

function amountsText(rule: EffectiveRule, used: Amount): string {
  return `${formatAmount(rule, used)} of ${formatMax(rule, rule.max)} ${rule.measure}`
}

function percentText(part: number): string {
  return `${Math.round(part * 10_000) / 100} %`
}
