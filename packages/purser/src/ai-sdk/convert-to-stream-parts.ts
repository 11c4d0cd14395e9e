import type { LanguageModelV4Content, LanguageModelV4StreamPart, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion, FinishReason, Usage } from '../openai/chat.ts'
import { usageOf } from '../openai/completion.ts'
import { finishFromOpenAi, usageFromOpenAi } from '../openai/map-finish-reason.ts'

type Part = LanguageModelV4StreamPart

interface Call {
  id: string
  name: string
  input: string
  attached: Attached
}

interface Attached {
  providerMetadata?: SharedV4ProviderMetadata
}

/** Turns OpenAI chunks into AI SDK stream parts: text and reasoning in blocks, tool calls with their input as it comes. */
export class PartWriter {
  readonly #calls = new Map<number, Call>()
  #open: { readonly kind: 'text' | 'reasoning'; readonly id: string } | undefined
  #blocks = 0
  #isBegun = false
  #finish: FinishReason | null = null
  #usage: Usage | undefined

  take(chunk: ChatChunk): Part[] {
    const parts: Part[] = []
    if (!this.#isBegun) parts.push({ type: 'response-metadata', ...convertToMetadata(chunk) })
    this.#isBegun = true
    this.#usage = usageOf(chunk) ?? this.#usage
    const choice = chunk.choices[0]
    if (choice === undefined) return parts
    this.#finish = choice.finish_reason ?? this.#finish
    const { content, reasoning_content, reasoning, tool_calls } = choice.delta ?? {}
    this.#speak('reasoning', reasoning_content ?? reasoning, parts)
    this.#speak('text', content, parts)
    for (const piece of tool_calls ?? []) this.#call(piece as ToolPiece, parts)
    return parts
  }

  /** What the end of the chunks makes: calls are whole now, and the finish says what was told of it. */
  end(): Part[] {
    const parts: Part[] = []
    this.#close(parts)
    for (const { id, name, input, attached } of this.#calls.values()) {
      parts.push({ type: 'tool-input-end', id })
      parts.push({ type: 'tool-call', toolCallId: id, toolName: name, input: input || '{}', ...attached })
    }
    const usage = usageFromOpenAi(this.#usage)
    return [...parts, { type: 'finish', finishReason: finishFromOpenAi(this.#finish), usage }]
  }

  #speak(kind: 'text' | 'reasoning', delta: unknown, parts: Part[]): void {
    if (typeof delta !== 'string' || delta === '') return
    if (this.#open?.kind !== kind) {
      this.#close(parts)
      parts.push({ type: `${kind}-start`, id: String(this.#blocks) })
      this.#open = { kind, id: String(this.#blocks++) }
    }
    parts.push({ type: `${kind}-delta`, id: this.#open.id, delta })
  }

  #call(piece: ToolPiece, parts: Part[]): void {
    // Without an index, a piece with an id begins a call and one without goes on with the last.
    const { size } = this.#calls
    const { index = piece.id === undefined ? Math.max(0, size - 1) : size, function: made = {} } = piece
    let call = this.#calls.get(index)
    if (call === undefined) {
      this.#close(parts)
      call = { id: piece.id ?? `call_${index}`, name: made.name ?? '', input: '', attached: {} }
      this.#calls.set(index, call)
      parts.push({ type: 'tool-input-start', id: call.id, toolName: call.name })
    }
    if (piece.extra_content !== undefined) call.attached = attachedTo(piece)
    if (!made.arguments) return
    call.input += made.arguments
    parts.push({ type: 'tool-input-delta', id: call.id, delta: made.arguments })
  }

  #close(parts: Part[]): void {
    if (this.#open !== undefined) parts.push({ type: `${this.#open.kind}-end`, id: this.#open.id })
    this.#open = undefined
  }
}

interface ToolPiece {
  readonly index?: number
  readonly id?: string
  readonly function?: { readonly name?: string; readonly arguments?: string }
  readonly extra_content?: unknown
}

function attachedTo({ extra_content }: ToolPiece): Attached {
  return extra_content === undefined ? {} : { providerMetadata: extra_content as SharedV4ProviderMetadata }
}

const NO_MESSAGE: Partial<ChatCompletion['choices'][number]['message']> = {}

/** A whole completion's first choice as AI SDK content. */
export function convertToContent(completion: ChatCompletion): LanguageModelV4Content[] {
  const { content, reasoning_content, reasoning, tool_calls } = completion.choices[0]?.message ?? NO_MESSAGE
  const thought = reasoning_content ?? reasoning
  const parts: LanguageModelV4Content[] = []
  if (typeof thought === 'string' && thought !== '') parts.push({ type: 'reasoning', text: thought })
  if (typeof content === 'string' && content !== '') parts.push({ type: 'text', text: content })
  for (const [index, piece] of (tool_calls ?? []).entries()) {
    const { id = `call_${index}`, function: made = {} } = piece as ToolPiece
    const input = made.arguments || '{}'
    parts.push({
      type: 'tool-call',
      toolCallId: id,
      toolName: made.name ?? '',
      input,
      ...attachedTo(piece as ToolPiece),
    })
  }
  return parts
}

export function convertToMetadata(told: ChatChunk | ChatCompletion): { id: string; modelId: string; timestamp: Date } {
  return { id: told.id, modelId: told.model, timestamp: new Date(told.created * 1000) }
}
