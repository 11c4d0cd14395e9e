import { isJsonObject } from '../../core/merge-patch.ts'
import { PurserError, suggestion } from '../../errors.ts'
import type { SettingsFields, SettingsPatch } from '../api.ts'
import type { Catalog } from './catalog.ts'
import { validateParameters } from './validate-parameters.ts'

export const FIELDS: readonly (keyof SettingsFields)[] = [
  'provider',
  'model',
  'region',
  'deployment',
  'baseURL',
  'mcpServers',
  'preset',
  'parameters',
  'allowedModels',
]

const NAME_MAX_CHARACTERS = 256
const URL_MAX_CHARACTERS = 2_048
const SERVERS_MAX = 64
const MODELS_MAX = 256
const PATCH_MAX_BYTES = 8_192

/**
 * Checks a patch field by field: names it knows, types, limits, and that providers, presets and servers exist.
 * Whether the pair of provider and model fits is seen only when all layers are laid over each other.
 */
export function validatePatch(catalogue: Catalog, patch: unknown): SettingsPatch {
  if (!isJsonObject(patch)) throw new PurserError('settings_invalid', 'A settings patch is an object.')
  const given: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(patch)) {
    if (!isField(field)) throw unknownField(field)
    if (value === undefined) continue
    if (value !== null) CHECKS[field](value, catalogue)
    given[field] = value
  }
  if (Buffer.byteLength(JSON.stringify(given)) > PATCH_MAX_BYTES) {
    throw new PurserError('settings_invalid', `Settings are larger than ${PATCH_MAX_BYTES} bytes.`)
  }
  return structuredClone(given) as SettingsPatch
}

const CHECKS: Readonly<Record<keyof SettingsFields, (value: unknown, catalogue: Catalog) => void>> = {
  provider(value, { providers }) {
    const name = nameOf('provider', value)
    if (providers.has(name)) return
    throw new PurserError('provider_unknown', `There is no provider '${name}'.`, {
      hint: known(name, providers.keys()),
    })
  },
  model: (value) => nameOf('model', value),
  region: (value) => nameOf('region', value),
  deployment: (value) => nameOf('deployment', value),
  baseURL: checkBaseURL,
  mcpServers(value, { servers }) {
    for (const name of namesOf('mcpServers', value, SERVERS_MAX)) {
      if (servers.has(name)) continue
      throw new PurserError('mcp_unknown', `There is no MCP server '${name}'.`, { hint: known(name, servers.keys()) })
    }
  },
  preset(value, { presets }) {
    const tag = nameOf('preset', value)
    if (presets.has(tag)) return
    throw new PurserError('preset_unknown', `There is no preset '${tag}'.`, { hint: known(tag, presets.keys()) })
  },
  parameters: validateParameters,
  allowedModels: (value) => namesOf('allowedModels', value, MODELS_MAX),
}

function isField(field: string): field is keyof SettingsFields {
  return Object.hasOwn(CHECKS, field)
}

function unknownField(field: string): PurserError {
  return new PurserError('settings_invalid', `There is no setting '${field}'.`, {
    hint: suggestion(field, FIELDS) || `Known settings: ${FIELDS.join(', ')}.`,
    details: { field },
  })
}

function nameOf(field: string, value: unknown): string {
  const fits =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= NAME_MAX_CHARACTERS &&
    value.isWellFormed() &&
    !/\p{Cc}/u.test(value)
  if (fits) return value
  throw wrong(field, `is not text of 1 to ${NAME_MAX_CHARACTERS} characters`)
}

function namesOf(field: string, value: unknown, max: number): string[] {
  if (!Array.isArray(value)) throw wrong(field, 'is not a list')
  if (value.length > max) throw wrong(field, `has more than ${max} entries`)
  const names = value.map((entry) => nameOf(field, entry))
  if (new Set(names).size < names.length) throw wrong(field, 'has an entry twice')
  return names
}

/** An address only: whatever authenticates belongs into a secret, and would be logged here. */
function checkBaseURL(value: unknown): void {
  const url = typeof value === 'string' && value.length <= URL_MAX_CHARACTERS ? URL.parse(value) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong('baseURL', 'is not an http or https URL')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw wrong('baseURL', 'has a user, password, query or fragment', 'Keys belong into setSecret.')
  }
}

function wrong(field: string, fault: string, hint?: string): PurserError {
  return new PurserError('settings_invalid', `The setting '${field}' ${fault}.`, { hint, details: { field } })
}

function known(given: string, names: Iterable<string>): string {
  const all = [...names]
  return suggestion(given, all) || `Configured: ${all.slice(0, 20).join(', ') || 'none'}.`
}
