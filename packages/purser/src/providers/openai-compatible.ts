import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { ChatModel } from '../openai/chat-model.ts'
import type { ProviderConfig } from '../options.ts'
import type { ModelRequest } from '../runtime/api.ts'
import type { Credentials } from './credentials.ts'
import type { Pools } from './http/pools.ts'
import { createOpenAiHttp, type OpenAiHttpOptions } from './openai-http.ts'

export interface RelayTarget {
  readonly order: ModelRequest
  readonly access: Credentials
  readonly pools: Pools
  readonly effects: Effects
}

/** For servers that refuse what they do not know: `includeUsage: false` in the provider. Their tokens go uncounted. */
function withoutUsage({ stream_options, ...request }: ChatRequest): ChatRequest {
  if (stream_options === undefined || stream_options === null) return request
  const { include_usage: _, ...others } = stream_options
  return Object.keys(others).length === 0 ? request : { ...request, stream_options: others }
}

/** OpenAI's own models take a limit of tokens under its newer name only, some of them at least. */
function withNewNames({ max_tokens, ...request }: ChatRequest): ChatRequest {
  return max_tokens === undefined ? request : { max_completion_tokens: max_tokens, ...request }
}

/** Any server that speaks chat completions. One that needs no key is configured with `apiKey: ''`; else it is missed. */
export function openAiCompatible(target: RelayTarget): ChatModel {
  const { order, access } = target
  const { config, operatorKeyAllowed, credentials } = order
  if (access.baseURL === undefined) {
    throw new PurserError('option_invalid', `The provider '${order.provider}' needs a baseURL.`, {
      hint: "Give it to the provider or to the user, for instance 'http://127.0.0.1:9100/v1'.",
    })
  }
  const needsNone = operatorKeyAllowed && credentials === null && (config as ProviderConfig).apiKey === ''
  const apiKey = needsNone ? undefined : access.required('apiKey')
  const { includeUsage } = config as ProviderConfig
  return relay(target, {
    usual: access.baseURL,
    apiKey,
    headers: {},
    prepare: includeUsage === false ? withoutUsage : undefined,
  })
}

export function openAiRelay(target: RelayTarget): ChatModel {
  const { access } = target
  return relay(target, {
    usual: new URL('https://api.openai.com/v1'),
    apiKey: access.required('apiKey'),
    headers: { 'openai-organization': access.field('organization'), 'openai-project': access.field('project') },
    prepare: withNewNames,
  })
}

/** Friendli speaks chat completions at two places: shared models, and endpoints of one's own. */
export function friendli(target: RelayTarget): ChatModel {
  const { order, access } = target
  const { deployment } = order.settings
  return relay(deployment === null ? target : { ...target, order: { ...order, modelId: deployment } }, {
    usual: new URL(`https://api.friendli.ai/${deployment === null ? 'serverless' : 'dedicated'}/v1`),
    apiKey: access.required('apiKey'),
    headers: { 'x-friendli-team': access.field('teamId') },
  })
}

interface Place {
  readonly usual: URL
  readonly apiKey: string | undefined
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly prepare?: OpenAiHttpOptions['prepare']
}

function relay({ order, access, pools, effects }: RelayTarget, { usual, apiKey, headers, prepare }: Place): ChatModel {
  const baseURL = access.baseURL ?? usual
  const given = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return createOpenAiHttp({
    effects,
    provider: order.provider,
    model: order.modelId,
    door: pools.door(baseURL, access.trusted || access.baseURL === undefined),
    baseURL,
    apiKey,
    headers: { ...access.headers, ...Object.fromEntries(given) },
    prepare,
  })
}
