import { PurserError, suggestion } from '../errors.ts'
import { PROVIDER_KINDS, type ProviderOption } from '../options.ts'

type Check = readonly [expected: string, passes: (value: unknown) => boolean]

const isText = (value: unknown) => typeof value === 'string' && value !== ''
const texts: Check = ['a list of texts', (value) => Array.isArray(value) && value.every(isText)]
const text: Check = ['text', isText]
const flag: Check = ['true or false', (value) => typeof value === 'boolean']

/** Fields that Purser reads; others are the provider's own. */
const FIELDS: Readonly<Record<string, Check>> = {
  baseURL: ['an http(s) address without user name', isAddress],
  models: texts,
  allowedHosts: texts,
  defaultModel: text,
  region: text,
  apiKey: ['text', (value) => typeof value === 'string'],
  userField: [
    "'safety_identifier', 'user' or 'none'",
    (value) => /^(safety_identifier|user|none)$/.test(String(value)),
  ],
  headers: ['an object of texts', (value) => isFields(value) && Object.values(value).every(isText)],
  includeUsage: flag,
  useDeploymentBasedUrls: flag,
}

/** Throws `option_invalid` for the first provider that cannot be, when Purser is opened and not at somebody's turn. */
export function validateProviders(providers: Readonly<Record<string, ProviderOption>>): void {
  for (const [name, provider] of Object.entries(providers)) {
    if (typeof provider === 'function') continue
    if (!isFields(provider)) throw invalid(`providers.${name}`, 'an object with a kind, or a function')
    const { kind } = provider
    if (!(PROVIDER_KINDS as readonly unknown[]).includes(kind)) {
      const known = PROVIDER_KINDS.map((one) => `'${one}'`).join(', ')
      throw invalid(`providers.${name}.kind`, `one of ${known}`, suggestion(String(kind), PROVIDER_KINDS))
    }
    for (const [field, [expected, passes]] of Object.entries(FIELDS)) {
      const value = provider[field]
      if (value !== undefined && !passes(value)) throw invalid(`providers.${name}.${field}`, expected)
    }
  }
}

function invalid(path: string, expected: string, hint?: string): PurserError {
  return new PurserError('option_invalid', `The option '${path}' must be ${expected}.`, hint ? { hint } : {})
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, username } = new URL(value)
  return (protocol === 'http:' || protocol === 'https:') && username === ''
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
