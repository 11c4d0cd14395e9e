import type { ResolvedOptions } from './options.ts'

/** The names that requests to a Purser may use. Contains no addresses and no credentials. */
export interface Vocabulary {
  /** The configured models by the name of their provider; empty for a provider that accepts any model. */
  readonly models: ReadonlyMap<string, readonly string[]>
  /** What users without settings of their own run on. */
  readonly defaults: { readonly provider: string | null; readonly model: string | null }
  /** The declared phases; null if any text is valid. */
  readonly phases: readonly string[] | null
  readonly riskLevels: readonly string[] | null
}

export function vocabularyOf({ providers, runtime, ledger }: ResolvedOptions): Vocabulary {
  const models = Object.entries(providers).map(([name, provider]): [string, readonly string[]] => {
    if (typeof provider === 'function') return [name, []]
    const { models: listed, defaultModel } = provider
    return [name, [...(listed ?? (defaultModel === undefined ? [] : [defaultModel]))]]
  })
  const { provider, model } = runtime.defaults as { readonly provider?: unknown; readonly model?: unknown }
  return {
    models: new Map(models),
    defaults: {
      provider: typeof provider === 'string' ? provider : null,
      model: typeof model === 'string' ? model : null,
    },
    phases: ledger.phases ?? null,
    riskLevels: ledger.riskLevels ?? null,
  }
}
