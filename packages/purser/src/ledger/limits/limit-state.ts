import { formatInstant } from '../calendar.ts'
import type { LimitContext } from './admission.ts'
import { type Amount, add, subtract } from './amount.ts'
import { type Clock, observeClock } from './clock.ts'
import type { CounterUse } from './counter-use.ts'
import { CountersDraft } from './counters-draft.ts'
import { formatAmount, formatMax } from './events.ts'
import { slotsUnder } from './holds.ts'
import type { EffectiveRule, Origin } from './policy.ts'
import type { Usage } from './usage.ts'
import { UsageDraft } from './usage-draft.ts'

/** A limit as it applies to one user now. Amounts are numbers, of `cost` decimal text. */
export interface LimitState {
  readonly name: string
  readonly measure: EffectiveRule['measure']
  /** Null with `concurrent`. */
  readonly window: string | null
  /** Null: no limit. */
  readonly max: number | string | null
  readonly used: number | string
  /** Estimates of turns in progress. */
  readonly held: number | string
  /** Null: no limit. */
  readonly remaining: number | string | null
  /** When the use next falls, ISO 8601; null when there is no limit, nothing is used, or it never falls. */
  readonly resetAt: string | null
  readonly models: readonly string[] | null
  readonly mode: 'enforce' | 'observe'
  readonly alertAt: readonly number[]
  readonly onLimit: EffectiveRule['onLimit']
  /** When the operator's limit for this user ends, ISO 8601. */
  readonly until: string | null
  readonly origin: Origin
  /** What the person may choose up to; null: anything. */
  readonly ceiling: number | string | null
  /** A raise of the person's own limit that waits. */
  readonly pending: { readonly max: number | string | null; readonly at: string } | null
}

/** The use under one rule. */
export interface RuleUse {
  readonly rule: EffectiveRule
  readonly used: Amount
  readonly held: Amount
  /** When the use next falls, epoch ms; null when it does not. */
  readonly resetAt: number | null
  /** When nothing of it counts any more, epoch ms; null when it does not end. */
  readonly clearAt: number | null
}

/** The use under every rule of a user, in the order of decision. */
export function ruleUses(context: Omit<LimitContext, 'prices'>, usage: Usage): readonly RuleUse[] {
  const draft = new UsageDraft(usage, context.now, context.zone)
  return context.policy.rulesOf(context.limits, draft.clock.at).map((rule) => ruleUse(rule, draft))
}

/** The use under the rule `daily`, which counts turns and holds nothing. */
export function dailyUse(context: Omit<LimitContext, 'prices'>, usage: Usage): RuleUse {
  const { clock, usage: current } = observeClock(usage, context.now, context.zone)
  const rule = context.policy.rulesOf(context.limits, clock.at)[0] as EffectiveRule
  return windowUse(rule, new CountersDraft(current.counters).select(rule), { clock, held: 0 })
}

export function limitStates(context: Omit<LimitContext, 'prices'>, usage: Usage): readonly LimitState[] {
  return ruleUses(context, usage).map(limitStateOf)
}

export function ruleUse(rule: EffectiveRule, draft: UsageDraft): RuleUse {
  const { clock, holds } = draft
  if (rule.measure === 'concurrent')
    return { rule, used: slotsUnder(rule, holds), held: 0, resetAt: null, clearAt: null }
  const use = draft.useOf(rule)
  return windowUse(rule, use, { clock, held: draft.heldUnder(rule, use) })
}

function windowUse(
  rule: EffectiveRule,
  use: CounterUse,
  { clock, held }: { readonly clock: Clock; readonly held: Amount },
): RuleUse {
  const { window } = rule
  return {
    rule,
    used: window.usedIn(use, clock),
    held,
    resetAt: window.resetAt(use, clock),
    clearAt: window.clearAt(use, clock),
  }
}

export function limitStateOf({ rule, used, held, resetAt }: RuleUse): LimitState {
  const { name, measure, windowText, max, models, mode, alertAt, onLimit, until, origin, ceiling, pending } = rule
  return {
    name,
    measure,
    window: windowText,
    max: formatMax(rule, max),
    used: formatAmount(rule, used),
    held: formatAmount(rule, held),
    remaining: formatMax(rule, max === null ? null : subtract(max, add(used, held))),
    resetAt: max === null ? null : formatInstant(resetAt),
    models,
    mode,
    alertAt,
    onLimit,
    until,
    origin,
    ceiling: formatMax(rule, ceiling),
    pending: pending === null ? null : { max: formatMax(rule, pending.max), at: pending.at },
  }
}
