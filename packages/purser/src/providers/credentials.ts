import { secretsInHeaders, secretsInQuery } from '../core/redact.ts'
import { PurserError } from '../errors.ts'
import type { ProviderConfig } from '../options/provider-config.ts'
import type { ModelRequest } from '../runtime/ports.ts'

/**
 * The key and the address of one model. The key is the user's own or the operator's, never a mixture; fields of an
 * account (organization, team, project) come from the same side as the key.
 */
export interface Credentials {
  /** A field from the side of the key; undefined when it is absent, blank or not text. */
  get(name: string): string | undefined
  /** Like `get`, but throws `secret_missing`. */
  require(name: string): string
  /** A field that is no secret: from the side of the key, by default from the operator's configuration. */
  setting(name: string): string | undefined
  /** The base URL that the user or the operator set. */
  readonly baseURL: URL | undefined
  /** Whether the operator named the base URL or allows its host: it may then be a private address. */
  readonly isTrusted: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** Headers that carry a key: the operator's are not sent with a user's own key. */
const KEY_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
])

/** A field by its name; each kind of provider has fields of its own. */
function readField(fields: object, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields as Readonly<Record<string, unknown>>)[name] : undefined
}

/** Throws `settings_invalid` for a base URL that is not http(s), `host_not_allowed` for one outside `allowedHosts`. */
export function resolveCredentials(request: ModelRequest, config: ProviderConfig): Credentials {
  const { credentials, operatorKeyAllowed } = request
  const source = credentials ?? (operatorKeyAllowed ? config : {})
  const get = (name: string) => textOf(readField(source, name))
  const baseURL = parseBaseURL(request, config)
  return {
    get,
    require(name) {
      const value = get(name)
      if (value === undefined) throw secretMissing(request, name)
      return value
    },
    setting: (name) => get(name) ?? textOf(readField(config, name)),
    baseURL,
    isTrusted: operatorKeyAllowed || (baseURL !== undefined && isAllowedHost(baseURL, config)),
    headers: operatorKeyAllowed ? headersOf(config, credentials !== null) : {},
  }
}

export function isKeyHeader(name: string): boolean {
  return KEY_HEADERS.has(name.toLowerCase())
}

export function isSecretField(field: string): boolean {
  return (SECRET_FIELDS as readonly string[]).includes(field)
}

const SECRET_FIELDS = ['apiKey', 'authToken', 'accessKeyId', 'secretAccessKey', 'sessionToken'] as const

/**
 * Everything a call may carry that must not appear in an error of the provider: keys, and the operator's headers and
 * query, which may be keys of a gateway in front of it.
 */
export function secretsOf({ credentials, config, settings }: ModelRequest): string[] {
  const own = Object.values(credentials ?? {})
  if (typeof config === 'function') return own
  const keys = SECRET_FIELDS.map((field) => readField(config, field)).filter((secret) => typeof secret === 'string')
  const baseURL = URL.parse(settings.baseURL ?? config.baseURL ?? '') ?? undefined
  return [...own, ...keys, ...secretsInHeaders(config.headers ?? {}), ...secretsInQuery(baseURL)]
}

export function secretMissing(request: ModelRequest, field: string): PurserError {
  const { provider, config, credentials, operatorKeyAllowed } = request
  const where = credentials === null && !operatorKeyAllowed ? ' at the base URL that the user set' : ''
  const isOpenAiCompatible = typeof config === 'object' && config.kind === 'openai-compatible'
  const keyless = isOpenAiCompatible ? " For a server without keys, configure apiKey: ''." : ''
  return new PurserError('secret_missing', `Missing '${field}' for the provider '${provider}'${where}.`, {
    hint: `Set the user's own with setSecret('${provider}', { ${field}: … }), or configure it for the provider.${keyless}`,
    details: { provider, field },
  })
}

function parseBaseURL({ settings, provider }: ModelRequest, config: ProviderConfig): URL | undefined {
  const text = settings.baseURL ?? config.baseURL
  if (text === undefined || text === null || text === '') return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '') {
    throw new PurserError(
      'settings_invalid',
      `The base URL of the provider '${provider}' must be an http(s) URL without user name and password.`,
      { hint: 'Example: https://host/v1.' },
    )
  }
  return url
}

/** `allowedHosts` of the provider names hosts (`host`, `host:port` or `*.domain`) that users may set. */
function isAllowedHost(url: URL, config: ProviderConfig): boolean {
  const allowedHosts = Array.isArray(config.allowedHosts) ? config.allowedHosts : []
  const isAllowed = allowedHosts.some((pattern) =>
    typeof pattern === 'string' && pattern.startsWith('*.')
      ? url.hostname.endsWith(pattern.slice(1).toLowerCase())
      : pattern === url.host || pattern === url.hostname,
  )
  if (!isAllowed && allowedHosts.length > 0) {
    throw new PurserError('host_not_allowed', `The host '${url.hostname}' is not allowed.`, {
      hint: `Allowed hosts: ${allowedHosts.join(', ')}.`,
    })
  }
  return isAllowed
}

function headersOf({ headers = {} }: ProviderConfig, hasOwnKey: boolean): Record<string, string> {
  const sent = Object.entries(headers).filter(([name]) => !hasOwnKey || !isKeyHeader(name))
  return Object.fromEntries(sent)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}
