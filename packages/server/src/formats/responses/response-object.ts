import { cachedTokensOf, cacheWriteTokensOf, isObject, tokenCountOf, type Usage } from 'purser/internal'
import type { Fields } from '../request-body.ts'

/** A response: the settings of the request, and what has been answered so far. */
export interface ResponseObject extends Fields {
  readonly id: string
  status: 'in_progress' | 'completed' | 'incomplete'
  output: object[]
  /** Epoch seconds. */
  completed_at: number | null
  incomplete_details: { readonly reason: string } | null
  usage: object | null
  store: boolean
}

export interface ResponseHeader {
  readonly id: string
  /** Epoch seconds. */
  readonly createdAt: number
  readonly previousId: string | null
  /** Whether it is to be kept. */
  readonly store: boolean
}

/** Settings that a response repeats, with what they are where the request does not set them. */
const SETTINGS: Fields = {
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  model: 'auto',
  parallel_tool_calls: true,
  prompt_cache_key: null,
  safety_identifier: null,
  service_tier: 'auto',
  temperature: 1,
  tool_choice: 'auto',
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  user: null,
  metadata: {},
}

/** A response that has just begun. */
export function createResponse(body: Fields, { id, createdAt, previousId, store }: ResponseHeader): ResponseObject {
  const { reasoning, text } = body
  const settings = Object.entries(SETTINGS).map(([name, value]) => [name, body[name] ?? value])
  return {
    ...(Object.fromEntries(settings) as Fields),
    tools: Array.isArray(body.tools) ? body.tools.map(describeTool) : [],
    id,
    object: 'response',
    created_at: createdAt,
    status: 'in_progress',
    background: false,
    completed_at: null,
    error: null,
    incomplete_details: null,
    output: [],
    previous_response_id: previousId,
    reasoning: { effort: null, summary: null, ...(isObject(reasoning) ? reasoning : {}) },
    store,
    text: { format: { type: 'text' }, ...(isObject(text) ? text : {}) },
    presence_penalty: 0,
    frequency_penalty: 0,
    usage: null,
  }
}

/** A function says in a response what it leaves out in a request. */
function describeTool(tool: unknown): unknown {
  if (!isObject(tool) || tool.type !== 'function') return tool
  return { description: null, parameters: null, strict: null, ...tool }
}

export function toResponseUsage(usage: Usage): object {
  const { prompt_tokens, completion_tokens, completion_tokens_details: output } = usage
  const inputTokens = tokenCountOf(prompt_tokens) ?? 0
  const outputTokens = tokenCountOf(completion_tokens) ?? 0
  return {
    input_tokens: inputTokens,
    input_tokens_details: {
      cached_tokens: cachedTokensOf(usage) ?? 0,
      cache_write_tokens: cacheWriteTokensOf(usage) ?? 0,
    },
    output_tokens: outputTokens,
    output_tokens_details: {
      reasoning_tokens: (isObject(output) ? tokenCountOf(output.reasoning_tokens) : undefined) ?? 0,
    },
    total_tokens: inputTokens + outputTokens,
  }
}

/** Why a response ended early; undefined for a complete one. */
export function incompleteReason(finishReason: string | null): string | undefined {
  if (finishReason === 'length') return 'max_output_tokens'
  return finishReason === 'content_filter' ? 'content_filter' : undefined
}
