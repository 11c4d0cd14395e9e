import type { JSONObject, SharedV4ProviderOptions } from '@ai-sdk/provider'
import { isObject } from '../../core/validate.ts'
import type { ContentPart } from '../../openai/chat.ts'

/** Options of a part of the prompt, under the names of the providers that have them. */
export interface PartOptions {
  readonly providerOptions?: SharedV4ProviderOptions
}

const NO_OPTIONS: PartOptions = {}

/**
 * What a part says beside its content: where a cached prompt ends (`cache_control` is Anthropic's field for it,
 * `prompt_cache_breakpoint` OpenAI's), and in which detail an image is read.
 */
export function partOptionsOf(part: ContentPart): PartOptions {
  const { cache_control, prompt_cache_breakpoint, image_url } = part
  const openai = {
    ...(isObject(prompt_cache_breakpoint) ? { promptCacheBreakpoint: prompt_cache_breakpoint as JSONObject } : {}),
    ...(typeof image_url?.detail === 'string' ? { imageDetail: image_url.detail } : {}),
  }
  const hasOpenAi = Object.keys(openai).length > 0
  if (!hasOpenAi && !isObject(cache_control)) return NO_OPTIONS
  return { providerOptions: { ...(hasOpenAi ? { openai } : {}), ...cacheOptions(cache_control) } }
}

/** Of a tool or a call of one, which have no other options. */
export function cacheOptionsOf({ cache_control }: Readonly<Record<string, unknown>>): PartOptions {
  return isObject(cache_control) ? { providerOptions: cacheOptions(cache_control) } : NO_OPTIONS
}

/** The end of a cached prompt, as Anthropic and as Bedrock name it. */
function cacheOptions(cacheControl: unknown): SharedV4ProviderOptions {
  if (!isObject(cacheControl)) return {}
  const { ttl } = cacheControl
  const cachePoint = { type: 'default', ...(typeof ttl === 'string' ? { ttl } : {}) }
  return { anthropic: { cacheControl: cacheControl as JSONObject }, bedrock: { cachePoint } }
}
