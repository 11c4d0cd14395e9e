import { throwInvalid } from '../../core/validate.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { NewEvent } from '../../journal/event.ts'
import { formatInstant } from '../calendar.ts'
import type { LimitContext } from './admission.ts'
import { type Amount, compare } from './amount.ts'
import { formatAmount, formatMax } from './events.ts'
import { ruleUse } from './limit-state.ts'
import { type UserZone, userDay, type ZoneState } from './periods.ts'
import {
  type EffectiveRule,
  type LimitOverride,
  type OwnLimit,
  ownLimitAt,
  type UserLimits,
  unknownPlan,
} from './policy.ts'
import { DAILY, parseMax } from './rule.ts'
import type { Usage } from './usage.ts'
import { UsageDraft } from './usage-draft.ts'

/*
 * Changes of the limits of one user. Each is one event, and the limits are what the events fold to, see `evolveLimits`. A
 * change that changes nothing has no event.
 *
 * A person's own limit only lowers. Lowering it holds at once; raising or removing it waits for the person's next day, so
 * that it cannot be undone in the moment in which it is felt.
 */

export interface By {
  readonly actor: string
  readonly reason?: string | undefined
}

type ChangeContext = Pick<LimitContext, 'policy' | 'limits' | 'zone'> & {
  /** Instant of the decision, epoch ms. */
  readonly at: number
}

/** Sets what an operator allows one user under a rule; `'default'` returns to the configured limit. */
export function changeLimit(
  context: ChangeContext,
  command: { readonly name: unknown; readonly max: unknown; readonly until: number | null; readonly by: By },
): readonly NewEvent[] {
  const { limits, at } = context
  const { until, by } = command
  const rule = findRule(context, command.name)
  const before = limits.overrides.find(({ name }) => name === rule.name) ?? null
  const isDefault = command.max === 'default'
  if (until !== null && (isDefault || until <= at))
    throwInvalid(`'until' must be ${isDefault ? 'absent with the default' : 'in the future'}.`, { name: 'until' })
  const after: LimitOverride | null = isDefault
    ? null
    : { name: rule.name, max: parseChosenMax(command.max, rule), until: formatInstant(until) }
  if (before?.max === after?.max && before?.until === after?.until) return []
  const [old, next] = [formatMax(rule, rule.ceiling), after === null ? 'default' : formatMax(rule, after.max)]
  const end = after === null || after.until === null ? '' : ` until ${after.until}`
  return [limitChange(rule, `${old ?? 'no limit'} -> ${next ?? 'no limit'}${end}`, { override: after, before }, by)]
}

/** Sets a person's own limit; null removes it. Throws `limit_invalid` above the ceiling. */
export function changeOwnLimit(
  context: ChangeContext,
  command: { readonly name: unknown; readonly max: unknown; readonly by: By },
): readonly NewEvent[] {
  const { limits, at, zone } = context
  const rule = findRule(context, command.name)
  const max = parseChosenMax(command.max, rule)
  const { ceiling } = rule
  if (max !== null && ceiling !== null && compare(max, ceiling) > 0)
    throwInvalid(`'max' must be at most ${formatMax(rule, ceiling)}, the limit set by the operator.`, {
      name: 'max',
      code: 'limit_invalid',
    })
  const stored = limits.own.find(({ name }) => name === rule.name) ?? null
  const present = stored === null ? { max: null, pending: null } : ownLimitAt(stored, at)
  const after = ownLimitAfter({ rule, present, max }, nextDayAt(zone, at))
  if (isSameOwnLimit(after, present)) return []
  const old = formatMax(rule, present.max)
  const wait = after.next === null ? '' : ` from ${after.next.at}`
  const text = `own limit: ${old ?? 'none'} -> ${formatMax(rule, max) ?? 'none'}${wait}`
  return [limitChange(rule, text, { own: after, before: stored }, command.by)]
}

/**
 * Empties the running window of a rule, and frees the slots of `concurrent`. Undefined: nothing was used.
 * `isAhead`: what a wrong clock has opened was dropped from `usage`; `zone`: the user's zone from now on.
 */
export function resetLimitUsage(
  context: Omit<LimitContext, 'prices'>,
  command: { readonly name: unknown; readonly by: By; readonly isAhead?: boolean; readonly zone?: ZoneState },
  usage: Usage,
): { readonly usage: Usage; readonly events: readonly NewEvent[] } | undefined {
  const draft = new UsageDraft(usage, context.now, context.zone)
  const rule = findRule({ ...context, at: draft.clock.at }, command.name)
  const { used } = ruleUse(rule, draft)
  // Those that have lapsed, too: a clock that is set back must not count them again.
  if (rule.measure === 'concurrent') draft.freeSlots(rule)
  if (compare(used, 0) === 0 && command.isAhead !== true) {
    const changed = draft.toChangedUsage()
    return changed === undefined ? undefined : { usage: changed, events: draft.events }
  }
  rule.window.clear(draft.useOf(rule), draft.clock)
  const data = {
    reset: true,
    used: formatAmount(rule, used),
    ...(command.zone === undefined ? {} : { zone: command.zone }),
  }
  const events = [...draft.events, limitChange(rule, 'use reset', data, command.by)]
  return { usage: draft.toChangedUsage() ?? usage, events }
}

/** Assigns a plan; null is the default one. Throws `plan_unknown`. */
export function changePlan(
  { policy, limits }: Pick<ChangeContext, 'policy' | 'limits'>,
  { plan, by }: { readonly plan: unknown; readonly by: By },
): readonly NewEvent[] {
  if (plan !== null && !policy.plans.includes(plan as string)) throw unknownPlan(plan, policy.plans)
  if (plan === limits.plan) return []
  const { actor, reason } = by
  const detail = `plan: ${limits.plan ?? 'default'} -> ${plan ?? 'default'}`
  return [{ type: 'plan_change', detail, data: { before: limits.plan, after: plan }, actor, reason }]
}

/** The limits after an event; those of other events are unchanged. */
export function evolveLimits(
  limits: UserLimits,
  { type, data }: { readonly type: string; readonly data: Readonly<Record<string, unknown>> },
): UserLimits {
  if (type === 'plan_change') return { ...limits, plan: data.after as string | null }
  if (type !== 'limit_change') return limits
  const name = data.limit as string
  if (data.override !== undefined)
    return { ...limits, overrides: replaceNamed(limits.overrides, name, data.override as LimitOverride | null) }
  if (data.own !== undefined) return { ...limits, own: replaceNamed(limits.own, name, data.own as OwnLimit) }
  return limits
}

/** The limits without what an operator has set under one name. */
export function withoutOverride(limits: UserLimits, name: string): UserLimits {
  if (!limits.overrides.some((override) => override.name === name)) return limits
  return { ...limits, overrides: replaceNamed(limits.overrides, name, null) }
}

function replaceNamed<Named extends { readonly name: string }>(
  list: readonly Named[],
  name: string,
  value: Named | null,
): readonly Named[] {
  const others = list.filter((entry) => entry.name !== name)
  return value === null ? others : [...others, value]
}

function findRule({ policy, limits, at }: Omit<ChangeContext, 'zone'>, name: unknown): EffectiveRule {
  const rules = policy.rulesOf(limits, at)
  const rule = rules.find((candidate) => candidate.name === name)
  if (rule !== undefined) return rule
  const names = rules.map((candidate) => candidate.name)
  const shown = typeof name === 'string' ? `'${name.slice(0, 64)}'` : `of type ${typeof name}`
  throw new PurserError('limit_unknown', `The user has no limit ${shown}.`, {
    hint: (typeof name === 'string' && suggestion(name, names)) || `Limits: ${names.join(', ')}.`,
    details: { param: 'name' },
  })
}

function parseChosenMax(max: unknown, { measure, name }: EffectiveRule): Amount | null {
  const hint = name === DAILY ? 'null is no limit, and 0 allows nothing.' : undefined
  return parseMax(max, measure, { name: 'max', code: 'limit_invalid', hint })
}

function ownLimitAfter(
  change: {
    readonly rule: EffectiveRule
    readonly present: ReturnType<typeof ownLimitAt>
    readonly max: Amount | null
  },
  nextDay: string,
): OwnLimit {
  const { rule, present, max } = change
  const { name } = rule
  const isRaise = present.max !== null && (max === null || compare(max, present.max) > 0)
  if (!isRaise) return { name, max: max ?? present.max, next: null }
  return { name, max: present.max, next: { max, at: nextDay } }
}

function isSameOwnLimit(after: OwnLimit, present: ReturnType<typeof ownLimitAt>): boolean {
  const { next } = after
  const { max, pending } = present
  // A raise that waits already is not put off.
  if (next !== null && pending !== null)
    return after.max === max && next.max === pending.max && Date.parse(next.at) >= Date.parse(pending.at)
  return after.max === max && next === pending
}

function nextDayAt(zone: UserZone, at: number): string {
  return formatInstant(userDay(zone, at).end)
}

function limitChange(
  rule: EffectiveRule,
  detail: string,
  data: Readonly<Record<string, unknown>>,
  { actor, reason }: By,
): NewEvent {
  return {
    type: 'limit_change',
    detail: `limit ${rule.name}: ${detail}`,
    data: { limit: rule.name, ...data },
    actor,
    reason,
  }
}
