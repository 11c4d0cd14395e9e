import type { Limit, ResolvedOptions } from './options.ts'

/** The names that requests to a Purser may use. Contains no addresses and no credentials. */
export interface Vocabulary {
  /** The configured models by the name of their provider; empty for a provider that accepts any model. */
  readonly models: ReadonlyMap<string, readonly string[]>
  /** The tokens that a model can read and write, as configured, by `provider/model`. */
  readonly contextLengths: ReadonlyMap<string, number>
  /** What users without settings of their own run on. */
  readonly defaults: { readonly provider: string | null; readonly model: string | null }
  /** The declared phases; null if any text is valid. */
  readonly phases: readonly string[] | null
  readonly riskLevels: readonly string[] | null
  /** The limits of every user, `daily` first. A plan replaces one by a rule of the same name. */
  readonly limits: readonly Limit[]
  /** The configured plans. */
  readonly plans: readonly Plan[]
  /** Of prices and costs. */
  readonly currency: string
}

/** A plan as configured. */
export interface Plan {
  readonly name: string
  /** The plan whose limits and settings it inherits. */
  readonly extends: string | null
  readonly limits: readonly Limit[]
  readonly runtime: Readonly<Record<string, unknown>>
  /** Whether it is the plan of users without one of their own. */
  readonly isDefault: boolean
}

/** `ledger.dailyCap` as a rule, and `ledger.limits`, which may have a rule that replaces it. */
function limitsOf({ dailyCap, window, limits }: ResolvedOptions['ledger']): readonly Limit[] {
  const cap: Limit = { name: 'daily', measure: 'turns', max: dailyCap === 0 ? null : dailyCap, window }
  const daily = limits.find(({ name }) => name === cap.name) ?? cap
  return [daily, ...limits.filter(({ name }) => name !== cap.name)]
}

export function vocabularyOf({ providers, runtime, ledger, plans, currency }: ResolvedOptions): Vocabulary {
  const models = Object.entries(providers).map(([name, provider]): [string, readonly string[]] => {
    if (typeof provider === 'function') return [name, []]
    const { models: listed, defaultModel } = provider
    return [name, [...(listed ?? (defaultModel === undefined ? [] : [defaultModel]))]]
  })
  const lengths = Object.entries(providers).flatMap(([name, provider]) =>
    typeof provider === 'function'
      ? []
      : Object.entries(provider.contextLengths ?? {}).map(([id, tokens]): [string, number] => [
          `${name}/${id}`,
          tokens,
        ]),
  )
  const { provider, model } = runtime.defaults as { readonly provider?: unknown; readonly model?: unknown }
  return {
    models: new Map(models),
    contextLengths: new Map(lengths),
    defaults: {
      provider: typeof provider === 'string' ? provider : null,
      model: typeof model === 'string' ? model : null,
    },
    phases: ledger.phases ?? null,
    riskLevels: ledger.riskLevels ?? null,
    limits: limitsOf(ledger),
    plans: Object.entries(plans).map(([name, plan]) => ({
      name,
      extends: plan.extends ?? null,
      limits: plan.limits ?? [],
      runtime: plan.runtime ?? {},
      isDefault: name === ledger.plan,
    })),
    currency,
  }
}
