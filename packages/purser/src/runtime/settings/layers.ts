import { deepFreeze, mergePatch } from '../../core/merge-patch.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { Layer, Override, Settings, SettingsFields, SettingsPatch } from '../api.ts'
import { type Catalog, offersModel, usualModel } from './catalog.ts'
import { FIELDS } from './validate-patch.ts'

/*
 * Layers are laid over each other from the widest to the narrowest: default, preset, user, session, turn. Each is a
 * patch; what it does not name shows through. Provider and model are one pair: no layer takes one half from below
 * and forgets that the other belonged to something else.
 */

/** What is stored of a user's own settings. */
export interface UserSettings {
  readonly version: number
  /** Without nulls: what a patch cleared is gone. */
  readonly patch: SettingsPatch
  /**
   * The provider below, when model, deployment or base URL were chosen without naming one. They belong to it: should
   * another provider come to stand there, they say nothing.
   */
  readonly chosenFor: string | null
}

/** Settings as they were when a session was pinned. */
export interface PinnedSettings {
  readonly version: number
  readonly fields: SettingsFields
  readonly operatorBaseURL: boolean
  readonly anyServer: boolean
}

export interface Resolved {
  readonly settings: Settings
  /** Why nothing can run on these settings, if so: they can be looked at, but not acquired. */
  readonly fault: PurserError | undefined
  /** The base URL is the operator's choice, so the operator's key may go there. */
  readonly operatorBaseURL: boolean
  /** No layer says which MCP servers, so any configured one may be asked for. */
  readonly anyServer: boolean
}

export const NEVER_CONFIGURED: UserSettings = Object.freeze({ version: 0, patch: Object.freeze({}), chosenFor: null })

/** Settings on the way from the widest layer to the narrowest. */
interface Sheet {
  values: { -readonly [Field in keyof SettingsFields]: SettingsFields[Field] }
  origin: Record<keyof SettingsFields, Layer>
  operatorBaseURL: boolean
  anyServer: boolean
}

const usual = new WeakMap<Catalog, WeakMap<UserSettings, Resolved>>()

/** Settings without session or override, worked out once for each version a user has. */
export function usualSettings(catalogue: Catalog, own: UserSettings): Resolved {
  const known = usual.get(catalogue) ?? new WeakMap<UserSettings, Resolved>()
  usual.set(catalogue, known)
  const resolved = known.get(own) ?? resolveSettings(catalogue, own)
  known.set(own, resolved)
  return resolved
}

export function resolveSettings(
  catalogue: Catalog,
  own: UserSettings,
  narrower: { readonly pinned?: PinnedSettings | undefined; readonly override?: Override | undefined } = {},
): Resolved {
  const { pinned, override } = narrower
  const sheet = emptySheet()
  lay(catalogue, sheet, { layer: 'default', patch: catalogue.defaults, byOperator: true })
  layPreset(catalogue, sheet, 'preset', own.patch.preset ?? catalogue.defaults.preset)
  lay(catalogue, sheet, { layer: 'user', patch: own.patch, chosenFor: own.chosenFor })
  const allowLists = [sheet.values.allowedModels]
  if (pinned !== undefined) {
    layPinned(sheet, pinned)
    allowLists.push(sheet.values.allowedModels)
  }
  if (override !== undefined) {
    layPreset(catalogue, sheet, 'turn', override.preset)
    lay(catalogue, sheet, { layer: 'turn', patch: override })
    allowLists.push(sheet.values.allowedModels)
  }
  // Every list holds: a session or a turn can narrow what the operator allows, and never widen it.
  sheet.values.allowedModels = allowLists.findLast((list) => list !== null) ?? null
  return {
    settings: deepFreeze({ version: pinned?.version ?? own.version, ...sheet.values, origin: sheet.origin }),
    fault: faultOf(catalogue, sheet.values, allowLists),
    operatorBaseURL: sheet.operatorBaseURL,
    anyServer: sheet.anyServer,
  }
}

function emptySheet(): Sheet {
  return {
    values: {
      provider: null,
      model: null,
      region: null,
      deployment: null,
      baseURL: null,
      mcpServers: [],
      preset: null,
      parameters: {},
      allowedModels: null,
    },
    origin: Object.fromEntries(FIELDS.map((field) => [field, 'default'])) as Sheet['origin'],
    operatorBaseURL: true,
    anyServer: true,
  }
}

interface Sheetful {
  readonly layer: Layer
  readonly patch: SettingsPatch
  readonly byOperator?: boolean
  readonly chosenFor?: string | null
}

function lay(catalogue: Catalog, sheet: Sheet, { layer, patch, byOperator = false, chosenFor = null }: Sheetful): void {
  const { values, origin } = sheet
  if (patch.provider !== undefined) {
    if (patch.provider !== values.provider) unbind(sheet, layer)
    values.provider = patch.provider
    values.model = patch.model ?? usualModel(catalogue, patch.provider)
    origin.provider = layer
    origin.model = layer
  }
  const belongs = chosenFor === null || chosenFor === values.provider
  if (belongs && patch.provider === undefined && patch.model !== undefined) {
    values.model = patch.model ?? usualModel(catalogue, values.provider)
    origin.model = layer
  }
  if (belongs && patch.deployment !== undefined) {
    values.deployment = patch.deployment
    origin.deployment = layer
  }
  if (belongs && patch.baseURL !== undefined) {
    values.baseURL = patch.baseURL
    origin.baseURL = layer
    sheet.operatorBaseURL = byOperator || patch.baseURL === null
  }
  if (patch.region !== undefined) {
    values.region = patch.region
    origin.region = layer
  }
  if (patch.mcpServers !== undefined) {
    values.mcpServers = patch.mcpServers ?? []
    origin.mcpServers = layer
    sheet.anyServer = patch.mcpServers === null
  }
  if (patch.preset !== undefined) {
    values.preset = patch.preset
    origin.preset = layer
  }
  if (patch.parameters !== undefined) {
    values.parameters = patch.parameters === null ? {} : mergePatch(values.parameters, patch.parameters)
    origin.parameters = layer
  }
  if (patch.allowedModels !== undefined) {
    values.allowedModels = patch.allowedModels
    origin.allowedModels = layer
  }
}

/** Deployment and base URL are places of one provider, and must not be visited with another one's key. */
function unbind(sheet: Sheet, layer: Layer): void {
  for (const field of ['deployment', 'baseURL'] as const) {
    if (sheet.values[field] === null) continue
    sheet.values[field] = null
    sheet.origin[field] = layer
  }
  sheet.operatorBaseURL = true
}

function layPreset(catalogue: Catalog, sheet: Sheet, layer: Layer, tag: string | null | undefined): void {
  const patch = typeof tag === 'string' ? catalogue.presets.get(tag) : undefined
  if (patch !== undefined) lay(catalogue, sheet, { layer, patch, byOperator: true })
}

function layPinned(sheet: Sheet, pinned: PinnedSettings): void {
  sheet.values = { ...pinned.fields }
  for (const field of FIELDS) sheet.origin[field] = 'session'
  sheet.operatorBaseURL = pinned.operatorBaseURL
  sheet.anyServer = pinned.anyServer
}

function faultOf(
  catalogue: Catalog,
  { provider, model, preset }: SettingsFields,
  allowLists: readonly (readonly string[] | null)[],
): PurserError | undefined {
  if (preset !== null && !catalogue.presets.has(preset)) {
    return new PurserError('preset_unknown', `There is no preset '${preset}'.`, {
      hint: suggestion(preset, catalogue.presets.keys()) || 'It may have been taken out of the configuration.',
    })
  }
  if (provider === null) {
    if (model === null) return undefined
    return new PurserError('provider_unknown', `The model '${model}' is set, but no provider.`, {
      hint: 'Name a provider too, here or in runtime.defaults.',
    })
  }
  const config = catalogue.providers.get(provider)
  if (config === undefined) {
    return new PurserError('provider_unknown', `There is no provider '${provider}'.`, {
      hint: suggestion(provider, catalogue.providers.keys()) || 'It may have been taken out of the configuration.',
    })
  }
  if (model === null) return modelRequired(provider)
  const allowed = allowLists.every(
    (list) => list === null || list.includes(model) || list.includes(`${provider}/${model}`),
  )
  if (allowed && offersModel(config, model)) return undefined
  return new PurserError('model_not_allowed', `The model '${model}' of '${provider}' is not allowed here.`, {
    hint: allowed
      ? `The models configured for '${provider}' do not have it.`
      : "It is not in this user's allowedModels.",
    details: { provider, model },
  })
}

function modelRequired(provider: string): PurserError {
  return new PurserError('model_required', `The provider '${provider}' is set, but no model.`, {
    hint: `Name a model, or give the provider a defaultModel.`,
  })
}
