import { isObject, validateFieldCount } from '../../core/validate.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { SettingsFields, SettingsPatch } from '../../options/settings-patch.ts'
import { type Catalog, suggestName } from './catalog.ts'
import { validateParameters } from './validate-parameters.ts'

const NAME_MAX_CHARACTERS = 256
const URL_MAX_CHARACTERS = 2_048
const SERVERS_MAX = 64
const MODELS_MAX = 256
const FALLBACKS_MAX = 8
const PATCH_MAX_BYTES = 8_192
const PATCH_MAX_FIELDS = 256

/**
 * Validates a patch field by field: known fields, types, limits, and that providers, presets and servers are
 * configured. Whether the provider has the model is checked when all layers are resolved. Returns a copy.
 */
export function validatePatch(catalog: Catalog, patch: unknown): SettingsPatch {
  if (!isObject(patch)) throw new PurserError('settings_invalid', 'A settings patch must be an object.')
  validateFieldCount(patch, PATCH_MAX_FIELDS, { name: 'patch', code: 'settings_invalid' })
  const validated: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(patch)) {
    if (!isField(field)) throw unknownField(field)
    if (value === undefined) continue
    if (value !== null) VALIDATORS[field](value, catalog)
    validated[field] = value
  }
  if (Buffer.byteLength(JSON.stringify(validated)) > PATCH_MAX_BYTES) {
    throw new PurserError('settings_invalid', `A settings patch must not exceed ${PATCH_MAX_BYTES} bytes.`)
  }
  return structuredClone(validated) as SettingsPatch
}

const VALIDATORS: Readonly<Record<keyof SettingsFields, (value: unknown, catalog: Catalog) => void>> = {
  provider(value, { providers }) {
    const name = parseName('provider', value)
    if (providers.has(name)) return
    throw new PurserError('provider_unknown', `Unknown provider '${name}'.`, {
      hint: suggestName(name, providers.keys()),
    })
  },
  model: (value) => parseName('model', value),
  region: (value) => parseName('region', value),
  deployment: (value) => parseName('deployment', value),
  baseURL: validateBaseURL,
  mcpServers(value, { mcpServers }) {
    for (const name of parseNames('mcpServers', value, SERVERS_MAX)) {
      if (mcpServers.has(name)) continue
      throw new PurserError('mcp_unknown', `Unknown MCP server '${name}'.`, {
        hint: suggestName(name, mcpServers.keys()),
      })
    }
  },
  preset(value, { presets }) {
    const tag = parseName('preset', value)
    if (presets.has(tag)) return
    throw new PurserError('preset_unknown', `Unknown preset '${tag}'.`, { hint: suggestName(tag, presets.keys()) })
  },
  parameters: validateParameters,
  allowedModels: (value) => parseNames('allowedModels', value, MODELS_MAX),
  fallbacks: validateFallbacks,
}

function isField(field: string): field is keyof SettingsFields {
  return Object.hasOwn(VALIDATORS, field)
}

function unknownField(field: string): PurserError {
  const fields = Object.keys(VALIDATORS)
  return new PurserError('settings_invalid', `Unknown setting '${field}'.`, {
    hint: suggestion(field, fields) || `Valid settings: ${fields.join(', ')}.`,
    details: { field },
  })
}

function parseName(field: string, value: unknown): string {
  const isName =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= NAME_MAX_CHARACTERS &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  if (isName) return value
  throw invalidSetting(field, `must be text of 1 to ${NAME_MAX_CHARACTERS} characters without control characters`)
}

function parseNames(field: string, value: unknown, max: number): string[] {
  if (!Array.isArray(value)) throw invalidSetting(field, 'must be a list')
  if (value.length > max) throw invalidSetting(field, `must not have more than ${max} entries`)
  const names = value.map((entry) => parseName(field, entry))
  if (new Set(names).size < names.length) throw invalidSetting(field, 'must not contain an entry twice')
  return names
}

function validateFallbacks(value: unknown, { providers }: Catalog): void {
  if (!Array.isArray(value) || value.length > FALLBACKS_MAX) {
    throw invalidSetting('fallbacks', `must be a list of at most ${FALLBACKS_MAX} models`)
  }
  for (const fallback of value as unknown[]) {
    const { provider, model, ...others } = isObject(fallback) ? fallback : {}
    if (Object.keys(others).length > 0) throw invalidSetting('fallbacks', 'must consist of { provider, model }')
    parseName('fallbacks', model)
    const name = parseName('fallbacks', provider)
    if (providers.has(name)) continue
    throw new PurserError('provider_unknown', `Unknown provider '${name}'.`, {
      hint: suggestName(name, providers.keys()),
    })
  }
}

/** Settings are logged: credentials belong in a secret, not in the URL. */
function validateBaseURL(value: unknown): void {
  const url = typeof value === 'string' && value.length <= URL_MAX_CHARACTERS ? URL.parse(value) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalidSetting('baseURL', 'must be an http or https URL')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalidSetting('baseURL', 'must not have a user, password, query or fragment', 'Set keys with setSecret.')
  }
}

function invalidSetting(field: string, rule: string, hint?: string): PurserError {
  return new PurserError('settings_invalid', `The setting '${field}' ${rule}.`, { hint, details: { field } })
}
