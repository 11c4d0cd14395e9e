import type { Limit, Plan } from '../../api/wire.ts'

/** A rule that applies to the users of a plan. `from`: the plan that it is inherited from; null: the plan's own. */
export interface PlanRule {
  readonly limit: Limit
  readonly from: string | null
}

const EVERY_USER = 'every user'

/** The rules of a plan with those that it inherits: of the plans that it extends, then of every user. A name occurs once. */
export function rulesOf(plan: Plan, plans: readonly Plan[], everyUser: readonly Limit[]): readonly PlanRule[] {
  const rules = new Map<string, PlanRule>()
  const add = (limits: readonly Limit[], from: string | null): void => {
    for (const limit of limits) if (!rules.has(limit.name)) rules.set(limit.name, { limit, from })
  }
  add(plan.limits, null)
  const seen = new Set([plan.name])
  for (let base = plan.extends; base !== null && !seen.has(base); ) {
    seen.add(base)
    const parent = plans.find(({ name }) => name === base)
    add(parent?.limits ?? [], base)
    base = parent?.extends ?? null
  }
  add(everyUser, EVERY_USER)
  return [...rules.values()]
}
