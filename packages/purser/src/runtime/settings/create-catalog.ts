import { isObject } from '../../core/validate.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { SettingsPatch } from '../../options/settings-patch.ts'
import type { McpServerOption, PlanConfig, ProviderOption } from '../../options.ts'
import type { Catalog } from './catalog.ts'
import { invalidOption, isText, validateMcpServer } from './validate-mcp-server.ts'
import { validatePatch } from './validate-patch.ts'

export interface CatalogOptions {
  readonly defaults: Readonly<Record<string, unknown>>
  readonly providers: Readonly<Record<string, ProviderOption>>
  readonly presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly mcpServers: Readonly<Record<string, McpServerOption>>
  /** With names and `extends` that the ledger has checked. */
  readonly plans?: Readonly<Record<string, PlanConfig>>
}

/**
 * Validates the configuration once, at start, so that a mistake in it does not surface in the middle of a turn.
 * Throws `option_invalid`, `option_unknown`, or the code of the patch field that is wrong.
 */
export function createCatalog(options: CatalogOptions): Catalog {
  const providers = new Map(Object.entries(options.providers))
  const mcpServers = new Map(Object.entries(options.mcpServers))
  for (const [name, provider] of providers) validateProvider(name, provider)
  for (const [name, server] of mcpServers) validateMcpServer(name, server)
  const withoutPresets: Catalog = {
    defaults: {},
    providers,
    presets: new Map(),
    mcpServers,
    planLayers: [],
    plans: new Map(),
  }
  const presets = new Map(
    Object.entries(options.presets).map(([tag, patch]): [string, SettingsPatch] => [
      tag,
      withOptionPath(`presets.${tag}`, () => validatePreset(withoutPresets, patch)),
    ]),
  )
  const defaults = withOptionPath('runtime.defaults', () =>
    validatePatch({ ...withoutPresets, presets }, options.defaults),
  )
  const catalog: Catalog = { ...withoutPresets, defaults, presets }
  return { ...catalog, plans: createPlanCatalogs(catalog, options.plans ?? {}) }
}

function createPlanCatalogs(
  catalog: Catalog,
  plans: Readonly<Record<string, PlanConfig>>,
): ReadonlyMap<string, Catalog> {
  const patches = new Map(
    Object.entries(plans).map(([name, { runtime = {} }]): [string, SettingsPatch] => [
      name,
      withOptionPath(`plans.${name}.runtime`, () => validatePatch(catalog, runtime)),
    ]),
  )
  const catalogs = new Map<string, Catalog>()
  for (const plan of patches.keys()) {
    const planLayers: SettingsPatch[] = []
    for (let name: string | undefined = plan; name !== undefined; name = plans[name]?.extends)
      planLayers.unshift(patches.get(name) ?? {})
    const hasSettings = planLayers.some((layer) => Object.keys(layer).length > 0)
    if (hasSettings) catalogs.set(plan, { ...catalog, planLayers })
  }
  return catalogs
}

function validatePreset(catalog: Catalog, patch: unknown): SettingsPatch {
  if (!isObject(patch) || patch.preset === undefined) return validatePatch(catalog, patch)
  throw new PurserError('settings_invalid', 'A preset must not contain a preset.')
}

function validateProvider(name: string, provider: unknown): void {
  if (typeof provider === 'function') return
  const path = `providers.${name}`
  if (!isObject(provider)) throw invalidOption(path, 'must be an object or a function')
  const { models, defaultModel } = provider
  const isList = Array.isArray(models) && models.length > 0 && models.every(isText)
  if (models !== undefined && !isList) throw invalidOption(`${path}.models`, 'must be a list of model ids')
  if (defaultModel === undefined) return
  if (!isText(defaultModel)) throw invalidOption(`${path}.defaultModel`, 'must be a model id')
  if (isList && !models.includes(defaultModel)) {
    throw invalidOption(
      `${path}.defaultModel`,
      "must be one of the provider's models",
      suggestion(defaultModel, models),
    )
  }
}

/** Reports the errors of a settings patch as errors of the option that holds the patch. */
function withOptionPath<T>(path: string, validate: () => T): T {
  try {
    return validate()
  } catch (error) {
    if (!PurserError.is(error)) throw error
    const code = error.code === 'settings_invalid' ? 'option_invalid' : error.code
    throw new PurserError(code, `In the option '${path}': ${error.message}`, { hint: error.hint, cause: error })
  }
}
