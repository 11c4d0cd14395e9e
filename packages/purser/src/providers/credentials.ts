import { PurserError } from '../errors.ts'
import type { ProviderConfig } from '../options.ts'
import type { ModelRequest } from '../runtime/api.ts'

/**
 * With what a model is called: whose key, at which address. The key is the user's own or the operator's, never a
 * mixture; what belongs to an account (organization, team, project) comes from the same side as the key.
 */
export interface Credentials {
  /** A field of the key's side; undefined when it is not text or empty. */
  field(name: string): string | undefined
  /** The same, or `secret_missing`. */
  required(name: string): string
  /** A field that is no secret: the key's side first, else the operator's configuration. */
  setting(name: string): string | undefined
  /** Where the provider is, when somebody said so. */
  readonly baseURL: URL | undefined
  /** The operator named the address or allows it: then it may also be an inner one. */
  readonly trusted: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** Headers that carry a key: the operator's must not stand beside a user's own. */
const KEY_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
])

export function resolveCredentials(order: ModelRequest, config: ProviderConfig): Credentials {
  const own = order.credentials
  const source = own ?? (order.operatorKeyAllowed ? config : {})
  const field = (name: string) => textOf(Object.hasOwn(source, name) ? source[name] : undefined)
  const baseURL = baseUrlOf(order, config)
  return {
    field,
    required(name) {
      const value = field(name)
      if (value === undefined) throw missing(order, name)
      return value
    },
    setting: (name) => field(name) ?? textOf(config[name]),
    baseURL,
    trusted: order.operatorKeyAllowed || (baseURL !== undefined && isAllowedHost(baseURL, config)),
    headers: order.operatorKeyAllowed ? headersFor(config, own !== null) : {},
  }
}

const SECRET_FIELDS = ['apiKey', 'authToken', 'accessKeyId', 'secretAccessKey', 'sessionToken'] as const

/** The secrets that a call may carry, so that they can be taken out of what comes back. */
export function secretsOf({ credentials, config }: ModelRequest): string[] {
  if (credentials !== null) return Object.values(credentials)
  if (typeof config === 'function') return []
  return SECRET_FIELDS.map((field) => config[field]).filter((secret) => typeof secret === 'string')
}

export function missing(order: ModelRequest, field: string): PurserError {
  const why = order.credentials === null && !order.operatorKeyAllowed ? ' for the address that the user set' : ''
  const keyless = isOpenAiCompatible(order) ? " For a server that needs no key, configure apiKey: ''." : ''
  return new PurserError('secret_missing', `There is no '${field}' for the provider '${order.provider}'${why}.`, {
    hint: `Set the user's own with setSecret('${order.provider}', { ${field}: … }), or configure it for the provider.${keyless}`,
    details: { provider: order.provider, field },
  })
}

function isOpenAiCompatible({ config }: ModelRequest): boolean {
  return typeof config === 'object' && config.kind === 'openai-compatible'
}

function baseUrlOf({ settings, provider }: ModelRequest, config: ProviderConfig): URL | undefined {
  const given = settings.baseURL ?? config.baseURL
  if (given === undefined || given === null || given === '') return undefined
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '') {
    throw new PurserError('settings_invalid', `The base URL of the provider '${provider}' is not an http(s) address.`, {
      hint: 'It looks like https://host/v1, without user name or password.',
    })
  }
  return url
}

/** `allowedHosts` of the provider names hosts (`host`, `host:port` or `*.domain`) that users may set. */
function isAllowedHost(url: URL, config: ProviderConfig): boolean {
  const allowed = Array.isArray(config.allowedHosts) ? config.allowedHosts : []
  const found = allowed.some((pattern) =>
    typeof pattern === 'string' && pattern.startsWith('*.')
      ? url.hostname.endsWith(pattern.slice(1).toLowerCase())
      : pattern === url.host || pattern === url.hostname,
  )
  if (!found && allowed.length > 0) {
    throw new PurserError('host_not_allowed', `The host '${url.hostname}' may not be called.`, {
      hint: `The operator allows: ${allowed.join(', ')}.`,
    })
  }
  return found
}

function headersFor({ headers = {} }: ProviderConfig, withOwnKey: boolean): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => !withOwnKey || !KEY_HEADERS.has(name.toLowerCase()))
  return Object.fromEntries(kept)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}
