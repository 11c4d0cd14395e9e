import { mergePatch } from '../../core/merge-patch.ts'
import type { SettingsFields, SettingsPatch } from '../../options/settings-patch.ts'
import type { Layer } from '../api.ts'
import { type Catalog, getDefaultModel } from './catalog.ts'

/*
 * Layers are applied from the widest to the narrowest: default, plan, preset, user, session, turn. Each is a patch: fields
 * it does not set keep the value of the layer below. Provider and model are one pair: a layer that changes the
 * provider also resets the fields that belong to the provider.
 */

/** The stored settings of one user. */
export interface UserSettings {
  readonly version: number
  /** Without nulls: a cleared field is absent. */
  readonly patch: SettingsPatch
  /**
   * The provider of the layers below at the time when model, deployment or base URL were set without a provider. They
   * belong to that provider: they are ignored while the layers below set another one.
   */
  readonly chosenFor: string | null
}

/** The stored settings of a pinned session. */
export interface PinnedSettings {
  readonly version: number
  readonly fields: SettingsFields
  readonly operatorBaseURL: boolean
  readonly anyServer: boolean
}

export const NEVER_CONFIGURED: UserSettings = Object.freeze({ version: 0, patch: Object.freeze({}), chosenFor: null })

type MutableFields = { -readonly [Field in keyof SettingsFields]: SettingsFields[Field] }

interface LayerOptions {
  /** The patch is part of the operator's configuration. */
  readonly byOperator?: boolean
  /** See `UserSettings.chosenFor`. */
  readonly chosenFor?: string | null
}

const NO_SETTINGS: MutableFields = {
  provider: null,
  model: null,
  region: null,
  deployment: null,
  baseURL: null,
  mcpServers: [],
  preset: null,
  parameters: {},
  allowedModels: null,
  fallbacks: [],
}

const FIELDS = Object.keys(NO_SETTINGS) as (keyof SettingsFields)[]

/** Settings while the layers are applied. */
export class SettingsDraft {
  values: MutableFields = { ...NO_SETTINGS }
  readonly origin: Record<keyof SettingsFields, Layer> = Object.fromEntries(
    FIELDS.map((field) => [field, 'default']),
  ) as Record<keyof SettingsFields, Layer>
  /** The operator chose the base URL, so the operator's key may be sent there. */
  operatorBaseURL = true
  /** No layer sets `mcpServers`, so every configured server is allowed. */
  anyServer = true
  readonly #catalog: Catalog

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  applyLayer(layer: Layer, patch: SettingsPatch, { byOperator = false, chosenFor = null }: LayerOptions = {}): void {
    const { region, mcpServers, preset, parameters, allowedModels, fallbacks } = patch
    if (patch.provider !== undefined) this.#setProvider(layer, patch.provider, patch.model)
    if (chosenFor === null || chosenFor === this.values.provider) this.#setProviderFields(layer, patch, byOperator)
    this.#set('region', region, layer)
    this.#set('preset', preset, layer)
    this.#set('allowedModels', allowedModels, layer)
    if (fallbacks !== undefined) this.#set('fallbacks', fallbacks ?? [], layer)
    if (mcpServers !== undefined) {
      this.#set('mcpServers', mcpServers ?? [], layer)
      this.anyServer = mcpServers === null
    }
    if (parameters !== undefined) {
      this.#set('parameters', parameters === null ? {} : mergePatch(this.values.parameters, parameters), layer)
    }
  }

  /** Applies the preset with this tag as `layer`; a tag that is not configured is skipped. */
  applyPreset(layer: Layer, tag: string | null | undefined): void {
    const patch = typeof tag === 'string' ? this.#catalog.presets.get(tag) : undefined
    if (patch !== undefined) this.applyLayer(layer, patch, { byOperator: true })
  }

  applyPinned({ fields, operatorBaseURL, anyServer }: PinnedSettings): void {
    // Sessions of earlier versions have fewer fields.
    this.values = { ...NO_SETTINGS, ...fields }
    for (const field of FIELDS) this.origin[field] = 'session'
    this.operatorBaseURL = operatorBaseURL
    this.anyServer = anyServer
  }

  #setProvider(layer: Layer, provider: string | null, model: string | null | undefined): void {
    if (provider !== this.values.provider) this.#resetProviderFields(layer)
    this.#set('provider', provider, layer)
    this.#set('model', model ?? getDefaultModel(this.#catalog, provider), layer)
  }

  #setProviderFields(layer: Layer, { provider, model, deployment, baseURL }: SettingsPatch, byOperator: boolean): void {
    if (provider === undefined && model !== undefined) {
      this.#set('model', model ?? getDefaultModel(this.#catalog, this.values.provider), layer)
    }
    this.#set('deployment', deployment, layer)
    if (baseURL === undefined) return
    this.#set('baseURL', baseURL, layer)
    this.operatorBaseURL = byOperator || baseURL === null
  }

  /** Deployment and base URL belong to one provider and must not be used with the key of another one. */
  #resetProviderFields(layer: Layer): void {
    if (this.values.deployment !== null) this.#set('deployment', null, layer)
    if (this.values.baseURL !== null) this.#set('baseURL', null, layer)
    this.operatorBaseURL = true
  }

  #set<Field extends keyof SettingsFields>(field: Field, value: MutableFields[Field] | undefined, layer: Layer): void {
    if (value === undefined) return
    this.values[field] = value
    this.origin[field] = layer
  }
}
