/**
 * OpenAI chat completions: the fields that Purser reads or writes. Requests, chunks and completions may have other fields,
 * which pass through unchanged.
 */
export interface ChatRequest {
  model?: string | undefined
  messages: ChatMessage[]
  stream?: boolean | null | undefined
  stream_options?: { include_usage?: boolean | undefined; [field: string]: unknown } | null | undefined
  tools?: unknown[] | undefined
  user?: string | undefined
  safety_identifier?: string | undefined
  metadata?: Record<string, unknown> | null | undefined
  [field: string]: unknown
}

export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | (string & {})
  content?: string | ContentPart[] | null | undefined
  [field: string]: unknown
}

export interface ContentPart {
  type: string
  text?: string
  [field: string]: unknown
}

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
  [field: string]: unknown
}
