import type { LanguageModelV4Content, LanguageModelV4StreamPart, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion, FinishReason, Usage } from '../openai/chat.ts'
import { usageOf } from '../openai/completion.ts'
import { mapFinishReasonFromOpenAi, mapUsageFromOpenAi } from '../openai/map-finish-reason.ts'

type Part = LanguageModelV4StreamPart

/** What OpenAI's format carries as `extra_content`: metadata of the provider, to be returned with the call. */
interface ProviderMetadata {
  readonly providerMetadata?: SharedV4ProviderMetadata
}

interface OpenToolCall {
  readonly id: string
  readonly name: string
  input: string
  metadata: ProviderMetadata
}

/** A tool call of a message, or a piece of one in a delta. */
interface ToolCallDelta {
  readonly index?: number
  readonly id?: string
  readonly function?: { readonly name?: string; readonly arguments?: string }
  readonly extra_content?: unknown
}

/**
 * Converts OpenAI chunks to AI SDK stream parts: text and reasoning in blocks, the input of tool calls as it arrives.
 */
export class StreamPartWriter {
  readonly #toolCalls = new Map<number, OpenToolCall>()
  #block: { readonly kind: 'text' | 'reasoning'; readonly id: string } | undefined
  #blockCount = 0
  #hasMetadata = false
  #finish: FinishReason | null = null
  #usage: Usage | undefined

  write(chunk: ChatChunk): Part[] {
    const parts: Part[] = []
    if (!this.#hasMetadata) parts.push({ type: 'response-metadata', ...convertToMetadata(chunk) })
    this.#hasMetadata = true
    this.#usage = usageOf(chunk) ?? this.#usage
    const choice = chunk.choices[0]
    if (choice === undefined) return parts
    this.#finish = choice.finish_reason ?? this.#finish
    const { content, reasoning_content, reasoning, tool_calls } = choice.delta ?? {}
    this.#writeText('reasoning', reasoning_content ?? reasoning, parts)
    this.#writeText('text', content, parts)
    for (const delta of tool_calls ?? []) this.#writeToolCall(delta as ToolCallDelta, parts)
    return parts
  }

  /** The parts after the last chunk: ends of open blocks, complete tool calls, and the finish. */
  end(): Part[] {
    const parts: Part[] = []
    this.#endBlock(parts)
    for (const { id, name, input, metadata } of this.#toolCalls.values()) {
      parts.push({ type: 'tool-input-end', id })
      parts.push({ type: 'tool-call', toolCallId: id, toolName: name, input: input || '{}', ...metadata })
    }
    const usage = mapUsageFromOpenAi(this.#usage)
    return [...parts, { type: 'finish', finishReason: mapFinishReasonFromOpenAi(this.#finish), usage }]
  }

  #writeText(kind: 'text' | 'reasoning', delta: unknown, parts: Part[]): void {
    if (typeof delta !== 'string' || delta === '') return
    if (this.#block?.kind !== kind) {
      this.#endBlock(parts)
      parts.push({ type: `${kind}-start`, id: String(this.#blockCount) })
      this.#block = { kind, id: String(this.#blockCount++) }
    }
    parts.push({ type: `${kind}-delta`, id: this.#block.id, delta })
  }

  #writeToolCall(delta: ToolCallDelta, parts: Part[]): void {
    // Without an index, a delta with an id starts a call and one without continues the last call.
    const { size } = this.#toolCalls
    const { index = delta.id === undefined ? Math.max(0, size - 1) : size, function: definition = {} } = delta
    let call = this.#toolCalls.get(index)
    if (call === undefined) {
      this.#endBlock(parts)
      call = { id: delta.id ?? `call_${index}`, name: definition.name ?? '', input: '', metadata: {} }
      this.#toolCalls.set(index, call)
      parts.push({ type: 'tool-input-start', id: call.id, toolName: call.name })
    }
    if (delta.extra_content !== undefined) call.metadata = providerMetadataOf(delta)
    if (!definition.arguments) return
    call.input += definition.arguments
    parts.push({ type: 'tool-input-delta', id: call.id, delta: definition.arguments })
  }

  #endBlock(parts: Part[]): void {
    if (this.#block !== undefined) parts.push({ type: `${this.#block.kind}-end`, id: this.#block.id })
    this.#block = undefined
  }
}

function providerMetadataOf({ extra_content }: ToolCallDelta): ProviderMetadata {
  return extra_content === undefined ? {} : { providerMetadata: extra_content as SharedV4ProviderMetadata }
}

const NO_MESSAGE: Partial<ChatCompletion['choices'][number]['message']> = {}

/** Converts the first choice of a completion to AI SDK content. */
export function convertToContent(completion: ChatCompletion): LanguageModelV4Content[] {
  const { content, reasoning_content, reasoning, tool_calls } = completion.choices[0]?.message ?? NO_MESSAGE
  const reasoningText = reasoning_content ?? reasoning
  const parts: LanguageModelV4Content[] = []
  if (typeof reasoningText === 'string' && reasoningText !== '') parts.push({ type: 'reasoning', text: reasoningText })
  if (typeof content === 'string' && content !== '') parts.push({ type: 'text', text: content })
  for (const [index, toolCall] of ((tool_calls ?? []) as ToolCallDelta[]).entries()) {
    const { id = `call_${index}`, function: definition = {} } = toolCall
    parts.push({
      type: 'tool-call',
      toolCallId: id,
      toolName: definition.name ?? '',
      input: definition.arguments || '{}',
      ...providerMetadataOf(toolCall),
    })
  }
  return parts
}

export function convertToMetadata(answer: ChatChunk | ChatCompletion): {
  id: string
  modelId: string
  timestamp: Date
} {
  return { id: answer.id, modelId: answer.model, timestamp: new Date(answer.created * 1000) }
}
