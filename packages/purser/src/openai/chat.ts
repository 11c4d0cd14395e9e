/**
 * A request for a chat completion, in OpenAI's format. Fields of a provider's own pass through unchanged; a program adds
 * them by widening the type.
 *
 * @example
 * const request: ChatRequest & { top_k: number } = { messages: [{ role: 'user', content: 'Hi' }], top_k: 40 }
 */
export interface ChatRequest {
  /** Absent, `auto` or `purser`: the model of the user's settings. */
  model?: string | undefined
  messages: ChatMessage[]
  stream?: boolean | null | undefined
  stream_options?: StreamOptions | null | undefined
  tools?: ChatTool[] | undefined
  tool_choice?: 'none' | 'auto' | 'required' | object | undefined
  parallel_tool_calls?: boolean | undefined
  functions?: FunctionDefinition[] | undefined
  function_call?: 'none' | 'auto' | { name: string } | undefined
  response_format?: ResponseFormat | undefined
  max_tokens?: number | null | undefined
  max_completion_tokens?: number | null | undefined
  temperature?: number | null | undefined
  top_p?: number | null | undefined
  presence_penalty?: number | null | undefined
  frequency_penalty?: number | null | undefined
  logit_bias?: Record<string, number> | null | undefined
  logprobs?: boolean | null | undefined
  top_logprobs?: number | null | undefined
  n?: number | null | undefined
  seed?: number | null | undefined
  stop?: string | string[] | null | undefined
  reasoning_effort?: string | null | undefined
  verbosity?: 'low' | 'medium' | 'high' | null | undefined
  modalities?: ('text' | 'audio')[] | null | undefined
  audio?: object | null | undefined
  prediction?: object | null | undefined
  moderation?: object | null | undefined
  web_search_options?: object | undefined
  service_tier?: string | null | undefined
  store?: boolean | null | undefined
  prompt_cache_key?: string | null | undefined
  prompt_cache_options?: object | undefined
  prompt_cache_retention?: string | null | undefined
  /** Anthropic's automatic end of the cached prompt. */
  cache_control?: object | null | undefined
  /** The user; for `user.turn` the user it is called on, whatever it says. */
  user?: string | undefined
  safety_identifier?: string | null | undefined
  metadata?: Record<string, unknown> | null | undefined
}

export interface StreamOptions {
  include_usage?: boolean | undefined
  include_obfuscation?: boolean | undefined
}

export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function'
  content?: string | ContentPart[] | null | undefined
  name?: string | undefined
  refusal?: string | null | undefined
  /** Reasoning of the assistant, as many providers have it. */
  reasoning_content?: string | null | undefined
  /** The same as its provider has signed or encrypted it, to be returned unchanged. */
  reasoning_details?: object[] | null | undefined
  tool_calls?: object[] | undefined
  tool_call_id?: string | undefined
  function_call?: object | null | undefined
  audio?: object | null | undefined
}

/** All fields, those of a provider's own too. */
export function fieldsOf(value: ChatRequest | ContentPart): Readonly<Record<string, unknown>> {
  return value as unknown as Readonly<Record<string, unknown>>
}

export interface ContentPart {
  type: string
  text?: string | undefined
  image_url?: { url: string; detail?: string | undefined } | undefined
  input_audio?: { data: string; format: string } | undefined
  file?: object | undefined
  refusal?: string | undefined
  prompt_cache_breakpoint?: object | undefined
  /** The end of a cached prompt, in Anthropic's words. */
  cache_control?: object | undefined
}

export interface FunctionDefinition {
  name: string
  description?: string | undefined
  /** A JSON Schema. */
  parameters?: Record<string, unknown> | undefined
  strict?: boolean | null | undefined
}

export type ChatTool = { type: 'function'; function: FunctionDefinition } | { type: 'custom'; custom: object }

export type ResponseFormat = { type: 'text' } | { type: 'json_object' } | { type: 'json_schema'; json_schema: object }

export interface ChatChunk {
  id: string
  object: 'chat.completion.chunk'
  created: number
  model: string
  choices: ChunkChoice[]
  usage?: Usage | null
  [field: string]: unknown
}

export interface ChunkChoice {
  index: number
  delta: { role?: string; content?: string | null; tool_calls?: unknown[]; [field: string]: unknown }
  finish_reason: FinishReason | null
  [field: string]: unknown
}

export interface ChatCompletion {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  choices: CompletionChoice[]
  usage?: Usage | null
  [field: string]: unknown
}

export interface CompletionChoice {
  index: number
  message: { role: string; content: string | null; tool_calls?: unknown[]; [field: string]: unknown }
  finish_reason: FinishReason | null
  [field: string]: unknown
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'function_call' | (string & {})

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details?: unknown
  [field: string]: unknown
}
