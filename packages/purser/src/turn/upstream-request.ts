import type { CacheableRequest } from '../answers/cache-key.ts'
import type { ResolvedContext } from '../context/api.ts'
import { type ChatRequest, fieldsOf } from '../openai/chat.ts'
import { injectContext } from '../openai/inject-context.ts'
import { pseudonymizeUser } from '../openai/pseudonymize-user.ts'
import { removeCacheControl } from '../openai/remove-cache-control.ts'
import type { ProviderOption } from '../options.ts'
import type { Lease, Settings } from '../runtime/api.ts'

/** Model parameters: AI SDK names, as settings have them, to OpenAI names, as requests have them. */
const OPENAI_NAMES: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  maxOutputTokens: 'max_tokens',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  stopSequences: 'stop',
  seed: 'seed',
  reasoningEffort: 'reasoning_effort',
}

/** Two names of one parameter: a request that sets one of them is not given the other. */
const SYNONYMS: Readonly<Record<string, string>> = { max_tokens: 'max_completion_tokens' }

/**
 * The request as the model gets it: the user's model and parameters, the user's context behind the application's own
 * text, and a pseudonym in the field that identified the user. Unknown fields pass through.
 */
export function upstreamRequest(
  request: ChatRequest,
  user: {
    readonly settings: Settings
    readonly provider: ProviderOption | undefined
    readonly pseudonym: string
    readonly contextText: string
    /** Whether the client wrote the request in another format. */
    readonly isTranslated: boolean
  },
): ChatRequest {
  const { settings, provider, pseudonym, contextText, isTranslated } = user
  const field = typeof provider === 'function' ? 'none' : (provider?.userField ?? 'safety_identifier')
  const readable = acceptsCacheControl(provider, isTranslated) ? request : removeCacheControl(request)
  const anonymous = pseudonymizeUser(readable, { field, id: pseudonym })
  anonymous.model = settings.model ?? undefined
  return withParameters(injectContext(anonymous, contextText), settings.parameters)
}

/**
 * Whether the provider gets the ends of cached prompts. A client that writes chat completions knows whether its provider
 * accepts them; a translated request has them for Anthropic, and others have to be configured for it.
 */
function acceptsCacheControl(provider: ProviderOption | undefined, isTranslated: boolean): boolean {
  if (provider === undefined || typeof provider === 'function') return true
  switch (provider.kind) {
    case 'amazon-bedrock':
      return provider.cacheControl === true
    case 'openai-compatible':
      return !isTranslated || provider.cacheControl === true
    case 'openai':
    case 'friendli':
      return !isTranslated
    default:
      return true
  }
}

/** What the answer depends on: the request with the user's parameters, what it runs on, and the user's context. */
export function cacheableRequest(
  request: ChatRequest,
  { settings, chat }: Pick<Lease, 'settings' | 'chat'>,
  context: ResolvedContext,
): CacheableRequest {
  const { provider, model, region, deployment, baseURL } = settings
  return {
    request: withParameters(request, settings.parameters),
    target: { provider, model, region, deployment, baseURL, endpoint: chat.target },
    context: context.digest,
  }
}

/**
 * Adds the user's parameters that the request does not set. Unknown names are added as they are. Returns the request
 * itself if there are none.
 */
function withParameters(request: ChatRequest, parameters: Readonly<Record<string, unknown>>): ChatRequest {
  const fields = fieldsOf(request)
  let added: Record<string, unknown> | undefined
  for (const name in parameters) {
    const value = parameters[name]
    const field = OPENAI_NAMES[name] ?? name
    const own = fields[field] ?? fields[SYNONYMS[field] ?? field]
    if (own !== undefined || value === undefined || value === null) continue
    added ??= {}
    added[field] = value
  }
  return added === undefined ? request : { ...request, ...added }
}
