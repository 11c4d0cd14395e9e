import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { OpenAiCompatibleConfig } from '../options/provider-config.ts'
import type { LiveModel, ModelRequest } from '../runtime/ports.ts'
import type { Credentials } from './credentials.ts'
import type { Pools } from './http/pools.ts'
import { createHttpEndpoints } from './http-endpoints.ts'
import { createOpenAiHttpModel, type OpenAiHttpModelDeps } from './openai-http.ts'

export interface OpenAiCompatibleDeps {
  readonly request: ModelRequest
  readonly credentials: Credentials
  readonly pools: Pools
  readonly effects: Effects
  readonly maxResponseBytes: number
}

/** A model behind an address, and the other endpoints there. */
export type HttpModel = Pick<LiveModel, 'chat' | 'endpoints'>

/** A server that speaks the chat completions format. One without keys is configured with `apiKey: ''`. */
export function createOpenAiCompatibleModel(deps: OpenAiCompatibleDeps): HttpModel {
  const { request, credentials } = deps
  const { apiKey: operatorKey, includeUsage } = request.config as OpenAiCompatibleConfig
  if (credentials.baseURL === undefined) {
    throw new PurserError('option_invalid', `The provider '${request.provider}' needs a baseURL.`, {
      hint: "Configure it for the provider or for the user. Example: 'http://127.0.0.1:9100/v1'.",
    })
  }
  const isKeyless = request.operatorKeyAllowed && request.credentials === null && operatorKey === ''
  return createModel(deps, {
    defaultURL: credentials.baseURL,
    apiKey: isKeyless ? undefined : credentials.require('apiKey'),
    headers: {},
    prepare: includeUsage === false ? withoutUsageOption : undefined,
  })
}

export function createOpenAiModel(deps: OpenAiCompatibleDeps): HttpModel {
  const { credentials } = deps
  return createModel(deps, {
    defaultURL: new URL('https://api.openai.com/v1'),
    apiKey: credentials.require('apiKey'),
    headers: {
      'openai-organization': credentials.get('organization'),
      'openai-project': credentials.get('project'),
    },
    prepare: withMaxCompletionTokens,
  })
}

/** Friendli has two endpoints: one for its shared models, and one for the user's own deployments. */
export function createFriendliModel(deps: OpenAiCompatibleDeps): HttpModel {
  const { request, credentials } = deps
  const { deployment } = request.settings
  return createModel(deployment === null ? deps : { ...deps, request: { ...request, modelId: deployment } }, {
    defaultURL: new URL(`https://api.friendli.ai/${deployment === null ? 'serverless' : 'dedicated'}/v1`),
    apiKey: credentials.require('apiKey'),
    headers: { 'x-friendli-team': credentials.get('teamId') },
  })
}

interface Endpoint {
  /** Used when no base URL is configured. */
  readonly defaultURL: URL
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly prepare?: OpenAiHttpModelDeps['prepare']
}

function createModel(deps: OpenAiCompatibleDeps, { defaultURL, apiKey, headers, prepare }: Endpoint): HttpModel {
  const { request, credentials, pools, effects, maxResponseBytes } = deps
  const baseURL = credentials.baseURL ?? defaultURL
  const defined = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)
  const allHeaders = { ...credentials.headers, ...Object.fromEntries(defined) }
  const connection = {
    effects,
    provider: request.provider,
    getDispatcher: pools.dispatcherFor(baseURL, credentials.isTrusted || credentials.baseURL === undefined),
    baseURL,
    maxResponseBytes,
  }
  const chat = createOpenAiHttpModel({ ...connection, model: request.modelId, apiKey, headers: allHeaders, prepare })
  const key = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
  return { chat, endpoints: createHttpEndpoints({ ...connection, headers: { ...key, ...allHeaders } }) }
}

/** For servers that reject unknown fields: the provider's `includeUsage: false`. Their tokens are not counted. */
function withoutUsageOption({ stream_options, ...request }: ChatRequest): ChatRequest {
  if (stream_options === undefined || stream_options === null) return request
  const { include_usage: _, ...others } = stream_options
  return Object.keys(others).length === 0 ? request : { ...request, stream_options: others }
}

/** Some models of OpenAI accept the token limit only under its newer name. */
function withMaxCompletionTokens({ max_tokens, ...request }: ChatRequest): ChatRequest {
  return max_tokens === undefined ? request : { max_completion_tokens: max_tokens, ...request }
}
