import { isObject, throwInvalid } from '../core/validate.ts'
import { suggestion } from '../errors.ts'
import { ENDPOINTS } from '../openai/endpoint.ts'
import { PROVIDER_KINDS, type ProviderOption, RETRY_CAUSES } from '../options.ts'

const MAX_ATTEMPTS = 5

type FieldRule = readonly [expected: string, isValid: (value: unknown) => boolean]

const isText = (value: unknown) => typeof value === 'string' && value !== ''
const text: FieldRule = ['text', isText]
const textList: FieldRule = ['a list of texts', (value) => Array.isArray(value) && value.every(isText)]
const boolean: FieldRule = ['true or false', (value) => typeof value === 'boolean']

/** Fields that Purser reads; all others belong to the provider. */
const FIELDS: Readonly<Record<string, FieldRule>> = {
  baseURL: ['an http(s) URL without user name and password', isBaseURL],
  models: textList,
  allowedHosts: textList,
  defaultModel: text,
  region: text,
  apiKey: ['text', (value) => typeof value === 'string'],
  userField: [
    "'safety_identifier', 'user' or 'none'",
    (value) => /^(safety_identifier|user|none)$/.test(String(value)),
  ],
  headers: ['an object of texts', (value) => isObject(value) && Object.values(value).every(isText)],
  endpoints: [`a list of ${ENDPOINTS.map((one) => `'${one}'`).join(', ')}`, isEndpoints],
  retries: [`{ attempts, on?, delayMs?, maxDelayMs? } with 1 to ${MAX_ATTEMPTS} attempts`, isRetries],
  includeUsage: boolean,
  useDeploymentBasedUrls: boolean,
}

/** Throws `option_invalid` for the first invalid provider: when Purser is opened, not in the turn of a user. */
export function validateProviders(providers: Readonly<Record<string, ProviderOption>>): void {
  for (const [name, provider] of Object.entries(providers)) {
    if (typeof provider === 'function') continue
    if (!isObject(provider)) throwOptionInvalid(`providers.${name}`, 'an object with a kind, or a function')
    const { kind } = provider
    if (!(PROVIDER_KINDS as readonly unknown[]).includes(kind)) {
      const validKinds = PROVIDER_KINDS.map((one) => `'${one}'`).join(', ')
      throwOptionInvalid(`providers.${name}.kind`, `one of ${validKinds}`, suggestion(String(kind), PROVIDER_KINDS))
    }
    for (const [field, [expected, isValid]] of Object.entries(FIELDS)) {
      const value = provider[field]
      if (value !== undefined && !isValid(value)) throwOptionInvalid(`providers.${name}.${field}`, expected)
    }
  }
}

function throwOptionInvalid(path: string, expected: string, hint?: string): never {
  throwInvalid(`The option '${path}' must be ${expected}.`, { code: 'option_invalid', hint: hint || undefined })
}

function isEndpoints(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => ENDPOINTS.includes(one))
}

function isRetries(value: unknown): boolean {
  if (!isObject(value)) return false
  const { attempts, on = [], delayMs = 0, maxDelayMs = 0, ...others } = value
  const isCount = Number.isSafeInteger(attempts) && (attempts as number) >= 1 && (attempts as number) <= MAX_ATTEMPTS
  const areCauses = Array.isArray(on) && on.every((one) => RETRY_CAUSES.includes(one))
  const areDelays = [delayMs, maxDelayMs].every((ms) => typeof ms === 'number' && ms >= 0)
  return isCount && areCauses && areDelays && Object.keys(others).length === 0
}

function isBaseURL(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, username } = new URL(value)
  return (protocol === 'http:' || protocol === 'https:') && username === ''
}
