import type { LanguageModelV4FinishReason, LanguageModelV4Usage } from '@ai-sdk/provider'
import type { FinishReason, Usage } from './chat.ts'
import { tokenCountOf } from './completion.ts'

/* Finish reasons and usage, between the AI SDK's format and OpenAI's. */

const TO_OPENAI: Readonly<Record<string, string>> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
}
const FROM_OPENAI: Readonly<Record<string, LanguageModelV4FinishReason['unified']>> = {
  stop: 'stop',
  length: 'length',
  content_filter: 'content-filter',
  tool_calls: 'tool-calls',
  function_call: 'tool-calls',
}

/** A reason without an OpenAI equivalent keeps the provider's own name, so that it is never read as a clean stop. */
export function mapFinishReasonToOpenAi({ unified, raw }: LanguageModelV4FinishReason): FinishReason {
  return TO_OPENAI[unified] ?? (raw === undefined || raw === 'stop' ? unified : raw)
}

export function mapFinishReasonFromOpenAi(finish: FinishReason | null): LanguageModelV4FinishReason {
  if (finish === null) return { unified: 'other', raw: undefined }
  return { unified: (Object.hasOwn(FROM_OPENAI, finish) ? FROM_OPENAI[finish] : undefined) ?? 'other', raw: finish }
}

export function mapUsageToOpenAi({ inputTokens, outputTokens }: LanguageModelV4Usage): Usage {
  const prompt_tokens = inputTokens.total ?? 0
  const completion_tokens = outputTokens.total ?? 0
  const { cacheRead, cacheWrite } = inputTokens
  const cached = {
    ...(cacheRead === undefined ? {} : { cached_tokens: cacheRead }),
    ...(cacheWrite === undefined ? {} : { cache_write_tokens: cacheWrite }),
  }
  const { reasoning } = outputTokens
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    ...(Object.keys(cached).length === 0 ? {} : { prompt_tokens_details: cached }),
    ...(reasoning === undefined ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
  }
}

export function mapUsageFromOpenAi(usage: Usage | undefined): LanguageModelV4Usage {
  const cacheRead = getCount(usage?.prompt_tokens_details, 'cached_tokens')
  const cacheWrite = getCount(usage?.prompt_tokens_details, 'cache_write_tokens')
  const reasoning = getCount(usage?.completion_tokens_details, 'reasoning_tokens')
  const input = tokenCountOf(usage?.prompt_tokens)
  const output = tokenCountOf(usage?.completion_tokens)
  return {
    inputTokens: {
      total: input,
      noCache: input === undefined ? undefined : Math.max(0, input - (cacheRead ?? 0) - (cacheWrite ?? 0)),
      cacheRead,
      cacheWrite,
    },
    outputTokens: {
      total: output,
      text: output === undefined ? undefined : Math.max(0, output - (reasoning ?? 0)),
      reasoning,
    },
  }
}

function getCount(details: unknown, field: string): number | undefined {
  if (typeof details !== 'object' || details === null) return undefined
  return tokenCountOf((details as Record<string, unknown>)[field])
}
