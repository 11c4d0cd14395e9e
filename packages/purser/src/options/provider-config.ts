import { isObject } from '../core/validate.ts'
import { ENDPOINTS, type Endpoint } from '../openai/endpoint.ts'
import { choice, flag, integer, type OptionSpec, object, type SpecTable, text } from '../options-schema.ts'

/** A model provider of one of the kinds, each with the fields of its own. */
export type ProviderConfig =
  | OpenAiConfig
  | AnthropicConfig
  | GoogleConfig
  | BedrockConfig
  | AzureConfig
  | FriendliConfig
  | OpenAiCompatibleConfig
  | DemoConfig

export type ProviderKind = ProviderConfig['kind']

/** Fields of all kinds. */
export interface CommonProviderConfig {
  /**
   * Without the endpoint, such as `https://host/v1`. Default: the provider's own. Of `openai-compatible` there is none: it
   * works only for users who set a base URL in their settings.
   */
  baseURL?: string | undefined
  /** The only models of this provider, if set. */
  models?: string[] | undefined
  /** The tokens that a model can read and write, by its id, for the lists of models. */
  contextLengths?: Record<string, number> | undefined
  /** Of settings that name this provider and no model. Default: the only one of `models`. */
  defaultModel?: string | undefined
  /** The upstream field for the hashed user id. Default `'safety_identifier'`. */
  userField?: 'safety_identifier' | 'user' | 'none' | undefined
  /** Sent with every call; those that carry a key are not sent with a user's own key. */
  headers?: Record<string, string> | undefined
  /**
   * The endpoints that the provider has beside chat completions. Default: of `openai` all of OpenAI's, of
   * `openai-compatible` the same without `responses`, of `anthropic` `messages`.
   */
  endpoints?: Endpoint[] | undefined
  /** Default: no call is repeated. */
  retries?: RetryOption | undefined
  /** Where the provider runs, such as `eu-central-1`; settings of a user may name another one. */
  region?: string | undefined
  /** Hosts that users may set in their `baseURL`: `host`, `host:port` or `*.domain`. Default: every public one. */
  allowedHosts?: string[] | undefined
}

export interface OpenAiConfig extends CommonProviderConfig {
  kind: 'openai'
  apiKey?: string | undefined
  organization?: string | undefined
  project?: string | undefined
}

export interface AnthropicConfig extends CommonProviderConfig {
  kind: 'anthropic'
  apiKey?: string | undefined
  /** A bearer token, instead of a key. */
  authToken?: string | undefined
}

export interface GoogleConfig extends CommonProviderConfig {
  kind: 'google'
  apiKey?: string | undefined
}

export interface BedrockConfig extends CommonProviderConfig {
  kind: 'amazon-bedrock'
  /** A bearer token. Without one calls are signed with the access key. */
  apiKey?: string | undefined
  accessKeyId?: string | undefined
  secretAccessKey?: string | undefined
  sessionToken?: string | undefined
  /** Whether the models have prompt caching, so that `cache_control` of requests becomes a cache point. Default false. */
  cacheControl?: boolean | undefined
}

export interface AzureConfig extends CommonProviderConfig {
  kind: 'azure'
  apiKey?: string | undefined
  /** The first label of the resource's host name. Needed without a `baseURL`. */
  resourceName?: string | undefined
  apiVersion?: string | undefined
  /** The deployment stands in the path of the address. Default false. */
  useDeploymentBasedUrls?: boolean | undefined
}

export interface FriendliConfig extends CommonProviderConfig {
  kind: 'friendli'
  apiKey?: string | undefined
  teamId?: string | undefined
}

export interface OpenAiCompatibleConfig extends CommonProviderConfig {
  kind: 'openai-compatible'
  /** Empty text for a server without keys. */
  apiKey?: string | undefined
  /** Whether streams are asked for their usage. Default true. */
  includeUsage?: boolean | undefined
  /** Whether `cache_control` is passed on when a request in Anthropic's format is translated. Default false. */
  cacheControl?: boolean | undefined
}

/** The built-in model, which needs no key. */
export interface DemoConfig extends CommonProviderConfig {
  kind: 'demo'
  /** Time that each token of an answer takes, as with a real model. Default: 0 ms. */
  tokenMs?: number | undefined
}

/** Further attempts after a failure, as long as no byte of an answer has arrived. */
export interface RetryOption {
  /** After the first one; 1 to 5. */
  attempts: number
  /** Default: `connection`, `rate_limit` and `server_error`. */
  on?: RetryCause[] | undefined
  /** Before the first further attempt; it doubles, and jitter shortens it by up to a quarter. Default: 250 ms. */
  delayMs?: number | undefined
  /** If the provider asks for a longer wait, there is no further attempt. Default: 5,000 ms. */
  maxDelayMs?: number | undefined
}

export const RETRY_CAUSES = ['connection', 'timeout', 'rate_limit', 'server_error'] as const
export type RetryCause = (typeof RETRY_CAUSES)[number]

export const PROVIDER_KINDS: readonly ProviderKind[] = [
  'openai',
  'anthropic',
  'google',
  'amazon-bedrock',
  'azure',
  'friendli',
  'openai-compatible',
  'demo',
]

const RETRIES_MAX = 5
const TOKEN_MAX_MS = 1_000

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const name = text<string | undefined>(undefined, { expected: 'text', isValid: isText })
/** May be empty, and is never shown. */
const secret = text<string | undefined>(undefined, {
  expected: 'text',
  isValid: (value) => typeof value === 'string',
  hint: 'A secret is text.',
})
function isPositiveInteger(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

const names: OptionSpec = {
  ...name,
  kind: 'labels',
  expected: 'a list of texts',
  isValid: (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
}

const COMMON = {
  baseURL: text<string | undefined>(undefined, {
    expected: 'an http(s) URL without user name and password',
    isValid: isBaseURL,
    hint: 'Example: https://host/v1.',
  }),
  models: names,
  contextLengths: object<Record<string, number> | undefined>(undefined, {
    expected: 'an object of whole numbers of 1 or more',
    isValid: (value) => isObject(value) && Object.values(value).every(isPositiveInteger),
    hint: 'Example: { "gpt-5": 400000 }.',
  }),
  defaultModel: name,
  userField: choice('safety_identifier', ['safety_identifier', 'user', 'none']),
  headers: object<Record<string, string> | undefined>(undefined, {
    expected: 'an object of texts',
    isValid: (value) => isObject(value) && Object.values(value).every(isText),
    hint: 'Example: { "x-team": "one" }.',
  }),
  endpoints: {
    ...names,
    expected: `a list of ${ENDPOINTS.map((one) => `'${one}'`).join(', ')}`,
    isValid: (value) => Array.isArray(value) && value.every((one) => ENDPOINTS.includes(one)),
  },
  retries: object<RetryOption | undefined>(undefined, {
    expected: `{ attempts, on?, delayMs?, maxDelayMs? } with 1 to ${RETRIES_MAX} attempts`,
    isValid: isRetryOption,
  }),
  region: name,
  allowedHosts: names,
} satisfies SpecTable

/** The fields of each kind: the source of their validation and of the server's schema. */
export const PROVIDER_SPECS: Readonly<Record<ProviderKind, SpecTable>> = {
  openai: { ...COMMON, apiKey: secret, organization: name, project: name },
  anthropic: { ...COMMON, apiKey: secret, authToken: secret },
  google: { ...COMMON, apiKey: secret },
  'amazon-bedrock': {
    ...COMMON,
    apiKey: secret,
    accessKeyId: secret,
    secretAccessKey: secret,
    sessionToken: secret,
    cacheControl: flag(false),
  },
  azure: { ...COMMON, apiKey: secret, resourceName: name, apiVersion: name, useDeploymentBasedUrls: flag(false) },
  friendli: { ...COMMON, apiKey: secret, teamId: name },
  'openai-compatible': { ...COMMON, apiKey: secret, includeUsage: flag(true), cacheControl: flag(false) },
  demo: { ...COMMON, tokenMs: integer(0, { min: 0, max: TOKEN_MAX_MS }) },
}

/** The fields that a user's own credentials for a provider of this kind can have. */
export function credentialFieldsOf(kind: ProviderKind): readonly string[] {
  const own = Object.entries(PROVIDER_SPECS[kind]).filter(([name]) => !Object.hasOwn(COMMON, name))
  return own.filter(([, spec]) => spec.kind === 'text').map(([name]) => name)
}

function isRetryOption(value: unknown): boolean {
  if (!isObject(value)) return false
  const { attempts, on = [], delayMs = 0, maxDelayMs = 0, ...others } = value
  const isCount = Number.isSafeInteger(attempts) && (attempts as number) >= 1 && (attempts as number) <= RETRIES_MAX
  const areCauses = Array.isArray(on) && on.every((one) => RETRY_CAUSES.includes(one))
  const areDelays = [delayMs, maxDelayMs].every((ms) => typeof ms === 'number' && ms >= 0)
  return isCount && areCauses && areDelays && Object.keys(others).length === 0
}

function isBaseURL(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, username } = new URL(value)
  return (protocol === 'http:' || protocol === 'https:') && username === ''
}
