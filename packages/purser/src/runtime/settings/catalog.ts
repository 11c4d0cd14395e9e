import { suggestion } from '../../errors.ts'
import type { SettingsPatch } from '../../options/settings-patch.ts'
import type { McpServerOption, ProviderOption } from '../../options.ts'

/** The operator's configuration: the defaults, and everything that settings refer to by name. */
export interface Catalog {
  readonly defaults: SettingsPatch
  readonly providers: ReadonlyMap<string, ProviderOption>
  readonly presets: ReadonlyMap<string, SettingsPatch>
  readonly mcpServers: ReadonlyMap<string, McpServerOption>
  /** The settings of the user's plan: those it inherits first, its own last. */
  readonly planLayers: readonly SettingsPatch[]
  /** The catalogs of the users of each plan. A plan without settings has none. */
  readonly plans: ReadonlyMap<string, Catalog>
}

/** The catalog of the users of a plan; null: of no plan. */
export function catalogOf(catalog: Catalog, plan: string | null): Catalog {
  return plan === null ? catalog : (catalog.plans.get(plan) ?? catalog)
}

/** The model of the built-in provider when the configuration names none. */
const DEMO_MODEL = 'demo'

/** Longer lists are cut in a hint. */
const NAMES_SHOWN_MAX = 20

/** The model that is used when only the provider is set: its `defaultModel`, else its only model. */
export function getDefaultModel({ providers }: Catalog, provider: string | null): string | null {
  const config = provider === null ? undefined : providers.get(provider)
  if (config === undefined || typeof config === 'function') return null
  if (config.defaultModel !== undefined) return config.defaultModel
  if (config.models === undefined) return config.kind === 'demo' ? DEMO_MODEL : null
  return config.models.length === 1 ? (config.models[0] ?? null) : null
}

/** Whether the provider's `models` contain this model; without `models` every model is offered. */
export function isModelOffered(provider: ProviderOption, model: string): boolean {
  return typeof provider === 'function' || provider.models === undefined || provider.models.includes(model)
}

/** A hint for an unknown name: the closest configured name, or the list of configured names. */
export function suggestName(name: unknown, configured: Iterable<string>): string {
  const names = [...configured]
  const closest = typeof name === 'string' ? suggestion(name, names) : ''
  return closest || `Configured: ${names.slice(0, NAMES_SHOWN_MAX).join(', ') || 'none'}.`
}
