import { deepFreeze } from '../../core/merge-patch.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { SettingsFields } from '../../options/settings-patch.ts'
import type { Override, Settings } from '../api.ts'
import { type Catalog, isModelOffered } from './catalog.ts'
import { type PinnedSettings, SettingsDraft, type UserSettings } from './layers.ts'

export interface ResolvedSettings {
  readonly settings: Settings
  /** Set when nothing can run on these settings: they can be read, but not acquired. */
  readonly error: PurserError | undefined
  /** The operator chose the base URL, so the operator's key may be sent there. */
  readonly operatorBaseURL: boolean
  /** No layer sets `mcpServers`, so every configured server is allowed. */
  readonly anyServer: boolean
}

type AllowList = readonly string[] | null

const REMOVED = 'It may have been removed from the configuration.'

const baseSettings = new WeakMap<Catalog, WeakMap<UserSettings, ResolvedSettings>>()

/** Resolves the layers default, plan, preset and user, once for each version of the user's settings. */
export function resolveBaseSettings(catalog: Catalog, userSettings: UserSettings): ResolvedSettings {
  let cached = baseSettings.get(catalog)
  if (cached === undefined) {
    cached = new WeakMap()
    baseSettings.set(catalog, cached)
  }
  let resolved = cached.get(userSettings)
  if (resolved === undefined) {
    resolved = resolveSettings(catalog, userSettings)
    cached.set(userSettings, resolved)
  }
  return resolved
}

/** Resolves all layers; `catalog` is that of the user's plan, `pinned` the session layer, `override` the turn layer. */
export function resolveSettings(
  catalog: Catalog,
  { version, patch, chosenFor }: UserSettings,
  narrower: { readonly pinned?: PinnedSettings | undefined; readonly override?: Override | undefined } = {},
): ResolvedSettings {
  const { pinned, override } = narrower
  const draft = new SettingsDraft(catalog)
  draft.applyLayer('default', catalog.defaults, { byOperator: true })
  for (const layer of catalog.planLayers) draft.applyLayer('plan', layer, { byOperator: true })
  draft.applyPreset('preset', patch.preset ?? draft.values.preset)
  draft.applyLayer('user', patch, { chosenFor })
  const allowLists: AllowList[] = [draft.values.allowedModels]
  if (pinned !== undefined) {
    draft.applyPinned(pinned)
    allowLists.push(draft.values.allowedModels)
  }
  if (override !== undefined) {
    draft.applyPreset('turn', override.preset)
    draft.applyLayer('turn', override)
    allowLists.push(draft.values.allowedModels)
  }
  // Every list applies: a session or a turn can narrow the allowed models, but not widen them.
  draft.values.allowedModels = allowLists.findLast((list) => list !== null) ?? null
  const { values, origin, operatorBaseURL, anyServer } = draft
  return {
    settings: deepFreeze({ version: pinned?.version ?? version, ...values, origin }),
    error: findSettingsError(catalog, values, allowLists),
    operatorBaseURL,
    anyServer,
  }
}

function findSettingsError(
  catalog: Catalog,
  { provider, model, preset }: SettingsFields,
  allowLists: readonly AllowList[],
): PurserError | undefined {
  if (preset !== null && !catalog.presets.has(preset)) {
    const hint = suggestion(preset, catalog.presets.keys()) || REMOVED
    return new PurserError('preset_unknown', `Unknown preset '${preset}'.`, { hint })
  }
  if (provider === null) {
    if (model === null) return undefined
    return new PurserError('provider_unknown', `The model '${model}' is set without a provider.`, {
      hint: 'Set a provider too, here or in runtime.defaults.',
    })
  }
  const config = catalog.providers.get(provider)
  if (config === undefined) {
    const hint = suggestion(provider, catalog.providers.keys()) || REMOVED
    return new PurserError('provider_unknown', `Unknown provider '${provider}'.`, { hint })
  }
  if (model === null) {
    return new PurserError('model_required', `The provider '${provider}' is set without a model.`, {
      hint: 'Set a model, or configure a defaultModel for the provider.',
    })
  }
  const isAllowed = allowLists.every((list) => isListed(list, provider, model))
  if (isAllowed && isModelOffered(config, model)) return undefined
  return new PurserError('model_not_allowed', `The model '${model}' of the provider '${provider}' is not allowed.`, {
    hint: isAllowed
      ? `It is not in the configured models of '${provider}'.`
      : 'It is not in allowedModels of this user.',
    details: { provider, model },
  })
}

function isListed(list: AllowList, provider: string, model: string): boolean {
  return list === null || list.includes(model) || list.includes(`${provider}/${model}`)
}
