import { isObject, throwInvalid, validateFields } from '../../core/validate.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { Limit, LimitMeasure, PlanConfig } from '../../options.ts'
import { type Amount, compare } from './amount.ts'
import { createRule, DAILY, parseLimits, type Rule, validateCount } from './rule.ts'

/** The configuration of limits and plans. */
export interface PolicyOptions {
  /** Turns per window under the rule `daily`; 0 is unlimited. */
  readonly dailyCap: number
  readonly window: 'day' | 'rolling24h'
  readonly limits: readonly Limit[]
  readonly plans: Readonly<Record<string, PlanConfig>>
  /** The plan of users without one of their own. */
  readonly plan: string | undefined
}

/** What operators and the person have set for one user, as folded from events. */
export interface UserLimits {
  /** Null: the default plan. */
  readonly plan: string | null
  /** Set by operators, at most one for each name. */
  readonly overrides: readonly LimitOverride[]
  /** Set by the person, at most one for each name. */
  readonly own: readonly OwnLimit[]
}

export const NO_USER_LIMITS: UserLimits = { plan: null, overrides: [], own: [] }

export interface LimitOverride {
  readonly name: string
  readonly max: Amount | null
  /** ISO 8601, UTC; null: without an end. */
  readonly until: string | null
}

export interface OwnLimit {
  readonly name: string
  /** Null: none at present. */
  readonly max: Amount | null
  /** A raise that waits for the person's next day; its max is null when the limit is removed. */
  readonly next: { readonly max: Amount | null; readonly at: string } | null
}

export type Origin = 'default' | `plan:${string}` | 'user' | 'self'

/** A rule with what applies to one user. */
export interface EffectiveRule extends Rule {
  readonly origin: Origin
  /** What the person may choose up to; null: anything. */
  readonly ceiling: Amount | null
  /** When the operator's override ends; null: never, or there is none. */
  readonly until: string | null
  /** A raise of the person's own limit that waits. */
  readonly pending: { readonly max: Amount | null; readonly at: string } | null
}

export interface LimitPolicy {
  readonly defaultPlan: string | null
  readonly plans: readonly string[]
  /** Whether some rule counts what is not known before the answer, so that an estimate is held. */
  readonly needsEstimate: boolean
  /** The rules of a user in the order of decision, `daily` first. The list is cached: calls without changes are cheap. */
  rulesOf(limits: UserLimits, at: number): readonly EffectiveRule[]
}

/** Compiles the configuration, once. Throws `option_invalid` with the path of the first invalid field. */
export function createLimitPolicy(options: PolicyOptions): LimitPolicy {
  const { dailyCap, window, limits, plans, plan = null } = options
  const daily = createRule({
    name: DAILY,
    measure: 'turns',
    max: dailyCap === 0 ? null : dailyCap,
    mode: 'enforce',
    windowText: window,
    models: null,
    alertAt: [],
    onLimit: 'refuse',
  })
  const configured = parseLimits(limits, { path: 'ledger.limits', code: 'option_invalid' })
  const base = merge([withOrigin(daily, 'default')], configured, 'default')
  const rulesByPlan = compilePlans(plans, base)
  if (plan !== null && !rulesByPlan.has(plan)) throw unknownPlan(plan, [...rulesByPlan.keys()], 'option_invalid')
  return new Policy(rulesByPlan, base, plan)
}

const ESTIMATED: ReadonlySet<LimitMeasure> = new Set(['tokens', 'inputTokens', 'outputTokens', 'cost'])

interface Cached {
  readonly rules: readonly EffectiveRule[]
  /** When they no longer apply, epoch ms. */
  readonly from: number
  readonly until: number
}

class Policy implements LimitPolicy {
  readonly defaultPlan: string | null
  readonly needsEstimate: boolean
  readonly #rulesByPlan: ReadonlyMap<string, readonly EffectiveRule[]>
  readonly #base: readonly EffectiveRule[]
  readonly #cached = new WeakMap<UserLimits, Cached>()

  constructor(
    rulesByPlan: ReadonlyMap<string, readonly EffectiveRule[]>,
    base: readonly EffectiveRule[],
    defaultPlan: string | null,
  ) {
    this.#rulesByPlan = rulesByPlan
    this.#base = base
    this.defaultPlan = defaultPlan
    this.needsEstimate = [base, ...rulesByPlan.values()].flat().some(({ measure }) => ESTIMATED.has(measure))
  }

  get plans(): readonly string[] {
    return [...this.#rulesByPlan.keys()]
  }

  rulesOf(limits: UserLimits, at: number): readonly EffectiveRule[] {
    const rules = this.#rulesOfPlan(limits.plan)
    if (limits.overrides.length === 0 && limits.own.length === 0) return rules
    let cached = this.#cached.get(limits)
    if (cached === undefined || at < cached.from || at >= cached.until) {
      const changes = changesOf(limits)
      cached = {
        rules: rules.map((rule) => applyUserLimits(rule, limits, at)),
        from: Math.max(Number.NEGATIVE_INFINITY, ...changes.filter((change) => change <= at)),
        until: Math.min(Number.POSITIVE_INFINITY, ...changes.filter((change) => change > at)),
      }
      this.#cached.set(limits, cached)
    }
    return cached.rules
  }

  /** A plan that is no longer configured is the default one. */
  #rulesOfPlan(plan: string | null): readonly EffectiveRule[] {
    const own = plan === null ? undefined : this.#rulesByPlan.get(plan)
    if (own !== undefined) return own
    return (this.defaultPlan === null ? undefined : this.#rulesByPlan.get(this.defaultPlan)) ?? this.#base
  }
}

/** The instants at which something about the limits of a user changes by itself. */
function changesOf({ overrides, own }: UserLimits): readonly number[] {
  const texts = [...overrides.map(({ until }) => until), ...own.map(({ next }) => next?.at ?? null)]
  return texts.filter((text) => text !== null).map((text) => Date.parse(text))
}

function applyUserLimits(rule: EffectiveRule, { overrides, own }: UserLimits, at: number): EffectiveRule {
  const override = overrides.find(({ name, until }) => name === rule.name && (until === null || at < Date.parse(until)))
  const ownLimit = own.find(({ name }) => name === rule.name)
  const ceiling = override === undefined ? rule.max : override.max
  const origin = override === undefined ? rule.origin : 'user'
  const until = override?.until ?? null
  if (ownLimit === undefined) return { ...rule, max: ceiling, ceiling, origin, until }
  const { max, pending } = ownLimitAt(ownLimit, at)
  const isLower = max !== null && (ceiling === null || compare(max, ceiling) < 0)
  return { ...rule, max: isLower ? max : ceiling, ceiling, origin: isLower ? 'self' : origin, until, pending }
}

/** A person's own limit at an instant. */
export function ownLimitAt(
  { max, next }: OwnLimit,
  at: number,
): { readonly max: Amount | null; readonly pending: OwnLimit['next'] } {
  if (next === null || at < Date.parse(next.at)) return { max, pending: next }
  return { max: next.max, pending: null }
}

function withOrigin(rule: Rule, origin: Origin): EffectiveRule {
  return { ...rule, origin, ceiling: rule.max, until: null, pending: null }
}

/** Rules with others added; one of the same name is replaced. */
function merge(rules: readonly EffectiveRule[], others: readonly Rule[], origin: Origin): readonly EffectiveRule[] {
  const merged = rules.slice()
  for (const other of others) {
    const index = merged.findIndex(({ name }) => name === other.name)
    merged.splice(index === -1 ? merged.length : index, index === -1 ? 0 : 1, withOrigin(other, origin))
  }
  return merged
}

const PLAN_FIELDS = ['extends', 'limits', 'runtime']
const PLAN_NAME_MAX_LENGTH = 64
const MAX_PLANS = 256

function compilePlans(
  plans: Readonly<Record<string, PlanConfig>>,
  base: readonly EffectiveRule[],
): ReadonlyMap<string, readonly EffectiveRule[]> {
  const names = Object.keys(plans)
  if (names.length > MAX_PLANS)
    throwInvalid(`'plans' has ${names.length} plans.`, {
      name: 'plans',
      code: 'option_invalid',
      hint: `At most ${MAX_PLANS}.`,
    })
  const compiled = new Map<string, readonly EffectiveRule[]>()
  for (const name of names) compilePlan(name, [])
  return compiled

  function compilePlan(name: string, trail: readonly string[]): readonly EffectiveRule[] {
    const done = compiled.get(name)
    if (done !== undefined) return done
    const path = `plans.${name}`
    const { parent, added } = parsePlan(name, plans)
    if (parent !== undefined && (parent === name || trail.includes(parent)))
      throwInvalid(`'${path}.extends' leads back to '${parent}'.`, { name: `${path}.extends`, code: 'option_invalid' })
    const inherited = parent === undefined ? base : compilePlan(parent, [...trail, name])
    const rules = merge(inherited, added, `plan:${name}`)
    validateCount(rules, { path: `${path}.limits`, code: 'option_invalid' })
    compiled.set(name, rules)
    return rules
  }
}

function parsePlan(
  name: string,
  plans: Readonly<Record<string, PlanConfig>>,
): { readonly parent: string | undefined; readonly added: readonly Rule[] } {
  const path = `plans.${name}`
  const code = 'option_invalid'
  if (name === '' || name.length > PLAN_NAME_MAX_LENGTH || !name.isWellFormed())
    throwInvalid(`The name of a plan must be text of 1 to ${PLAN_NAME_MAX_LENGTH} characters.`, { name: 'plans', code })
  validateFields(plans[name], PLAN_FIELDS, { name: path, code })
  const { extends: parent, limits = [], runtime } = plans[name] as PlanConfig
  if (runtime !== undefined && !isObject(runtime))
    throwInvalid(`'${path}.runtime' must be a settings patch.`, { name: `${path}.runtime`, code })
  if (parent !== undefined && !(typeof parent === 'string' && Object.hasOwn(plans, parent)))
    throw unknownPlan(parent, Object.keys(plans), code)
  return { parent, added: parseLimits(limits, { path: `${path}.limits`, code }) }
}

export function unknownPlan(
  name: unknown,
  plans: readonly string[],
  code: 'plan_unknown' | 'option_invalid' = 'plan_unknown',
): PurserError {
  const shown = typeof name === 'string' ? `'${name.slice(0, PLAN_NAME_MAX_LENGTH)}'` : `of type ${typeof name}`
  const list = plans.length === 0 ? 'No plans are configured.' : `Plans: ${plans.join(', ')}.`
  return new PurserError(code, `Unknown plan ${shown}.`, {
    hint: (typeof name === 'string' && suggestion(name, plans)) || list,
    details: { param: 'plan' },
  })
}
