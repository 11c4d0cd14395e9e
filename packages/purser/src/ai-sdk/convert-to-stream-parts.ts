import type { LanguageModelV4Content, LanguageModelV4StreamPart, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import { isObject } from '../core/validate.ts'
import type { ChatChunk, ChatCompletion, FinishReason, Usage } from '../openai/chat.ts'
import { usageOf } from '../openai/completion.ts'
import { mapFinishReasonFromOpenAi, mapUsageFromOpenAi } from '../openai/map-finish-reason.ts'
import { textOfContent } from '../openai/normalize-message.ts'
import { type ToolCallPart, toolCallsOf } from '../openai/tool-calls-of.ts'

type Part = LanguageModelV4StreamPart

/** What OpenAI's format carries as `extra_content`: metadata of the provider, to be returned with the call. */
interface ProviderMetadata {
  readonly providerMetadata?: SharedV4ProviderMetadata
}

interface OpenToolCall {
  readonly id: string
  /** Undefined until the upstream names the call; its parts wait for the name. */
  name: string | undefined
  input: string
  metadata: ProviderMetadata
}

/**
 * Converts OpenAI chunks to AI SDK stream parts: text and reasoning in blocks, the input of tool calls as it arrives.
 */
export class StreamPartWriter {
  readonly #toolCalls = new Map<number, OpenToolCall>()
  #block: { readonly kind: 'text' | 'reasoning'; readonly id: string } | undefined
  #blockCount = 0
  #hasMetadata = false
  /** Of the one choice that is converted: the SDK has no others. */
  #choiceIndex: number | undefined
  #finish: FinishReason | null = null
  #usage: Usage | undefined

  write(chunk: ChatChunk): Part[] {
    const parts: Part[] = []
    // Azure's first chunk has an empty id.
    if (!this.#hasMetadata && chunk.id) {
      parts.push({ type: 'response-metadata', ...convertToMetadata(chunk) })
      this.#hasMetadata = true
    }
    this.#usage = usageOf(chunk) ?? this.#usage
    for (const choice of chunk.choices ?? []) {
      this.#choiceIndex ??= choice.index
      if (choice.index === this.#choiceIndex) this.#writeChoice(choice, parts)
    }
    return parts
  }

  #writeChoice({ delta, finish_reason }: ChatChunk['choices'][number], parts: Part[]): void {
    this.#finish = finish_reason || this.#finish
    const { content, refusal } = delta ?? {}
    this.#writeText('reasoning', reasoningOf(delta ?? {}), parts)
    this.#writeText('text', textOfContent(content), parts)
    this.#writeText('text', textOfContent(refusal), parts)
    for (const piece of toolCallsOf(delta ?? {}, 'call_0')) this.#writeToolCall(piece, parts)
  }

  /** The parts after the last chunk: ends of open blocks, complete tool calls, and the finish. */
  end(): Part[] {
    const parts: Part[] = []
    this.#endBlock(parts)
    for (const call of this.#toolCalls.values()) {
      if (call.name === undefined) this.#startToolCall(call, '', parts)
      const { id, name = '', input, metadata } = call
      parts.push({ type: 'tool-input-end', id })
      parts.push({ type: 'tool-call', toolCallId: id, toolName: name, input: input || '{}', ...metadata })
    }
    const usage = mapUsageFromOpenAi(this.#usage)
    return [...parts, { type: 'finish', finishReason: mapFinishReasonFromOpenAi(this.#finish), usage }]
  }

  #writeText(kind: 'text' | 'reasoning', delta: string, parts: Part[]): void {
    if (delta === '') return
    if (this.#block?.kind !== kind) {
      this.#endBlock(parts)
      parts.push({ type: `${kind}-start`, id: String(this.#blockCount) })
      this.#block = { kind, id: String(this.#blockCount++) }
    }
    parts.push({ type: `${kind}-delta`, id: this.#block.id, delta })
  }

  #writeToolCall(delta: ToolCallPart, parts: Part[]): void {
    // Without an index, a delta with an id starts a call and one without continues the last call.
    const { size } = this.#toolCalls
    const { index = delta.id === undefined ? Math.max(0, size - 1) : size, function: definition = {} } = delta
    let call = this.#toolCalls.get(index)
    if (call === undefined) {
      this.#endBlock(parts)
      call = { id: delta.id ?? `call_${index}`, name: undefined, input: '', metadata: {} }
      this.#toolCalls.set(index, call)
    }
    if (isObject(delta.extra_content)) call.metadata = providerMetadataOf(delta)
    if (call.name === undefined && definition.name) this.#startToolCall(call, definition.name, parts)
    if (!definition.arguments) return
    call.input += definition.arguments
    if (call.name !== undefined) parts.push({ type: 'tool-input-delta', id: call.id, delta: definition.arguments })
  }

  #startToolCall(call: OpenToolCall, name: string, parts: Part[]): void {
    call.name = name
    parts.push({ type: 'tool-input-start', id: call.id, toolName: name })
    if (call.input !== '') parts.push({ type: 'tool-input-delta', id: call.id, delta: call.input })
  }

  #endBlock(parts: Part[]): void {
    if (this.#block !== undefined) parts.push({ type: `${this.#block.kind}-end`, id: this.#block.id })
    this.#block = undefined
  }
}

function providerMetadataOf({ extra_content }: ToolCallPart): ProviderMetadata {
  return isObject(extra_content) ? { providerMetadata: extra_content as SharedV4ProviderMetadata } : {}
}

/** Providers use one of two names, or both for the same text. */
function reasoningOf({ reasoning_content, reasoning }: Record<string, unknown>): string {
  const text = [reasoning_content, reasoning].find((value) => typeof value === 'string' && value !== '')
  return (text ?? '') as string
}

const NO_MESSAGE: Partial<ChatCompletion['choices'][number]['message']> = {}

/** Converts the first choice of a completion to AI SDK content. */
export function convertToContent(completion: ChatCompletion): LanguageModelV4Content[] {
  const message = completion.choices[0]?.message ?? NO_MESSAGE
  const reasoning = reasoningOf(message)
  const text = `${textOfContent(message.content)}${textOfContent(message.refusal)}`
  const parts: LanguageModelV4Content[] = []
  if (reasoning !== '') parts.push({ type: 'reasoning', text: reasoning })
  if (text !== '') parts.push({ type: 'text', text })
  for (const [index, toolCall] of toolCallsOf(message, 'call_0').entries()) {
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

/** Empty values are absent ones. */
export function convertToMetadata({ id, model, created }: ChatChunk | ChatCompletion): {
  id?: string
  modelId?: string
  timestamp?: Date
} {
  const timestamp = new Date(created * 1000)
  return {
    ...(id ? { id } : {}),
    ...(model ? { modelId: model } : {}),
    ...(created && !Number.isNaN(timestamp.getTime()) ? { timestamp } : {}),
  }
}
