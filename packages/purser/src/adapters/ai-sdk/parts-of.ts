import type { LanguageModelV4Content, LanguageModelV4StreamPart, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion, FinishReason, Usage } from '../../model/chat.ts'
import { usageOf } from '../../model/completion.ts'
import { finishFromOpenAi, usageFromOpenAi } from './finish.ts'

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
export interface PartWriter {
  take(chunk: ChatChunk): Part[]
  end(): Part[]
}

export function createPartWriter(): PartWriter {
  let open: { kind: 'text' | 'reasoning'; id: string } | undefined
  let blocks = 0
  let begun = false
  let finish: FinishReason | null = null
  let usage: Usage | undefined
  const calls = new Map<number, Call>()

  function close(parts: Part[]): void {
    if (open !== undefined) parts.push({ type: `${open.kind}-end`, id: open.id })
    open = undefined
  }

  function speak(kind: 'text' | 'reasoning', delta: unknown, parts: Part[]): void {
    if (typeof delta !== 'string' || delta === '') return
    if (open?.kind !== kind) {
      close(parts)
      open = { kind, id: String(blocks++) }
      parts.push({ type: `${kind}-start`, id: open.id })
    }
    parts.push({ type: `${kind}-delta`, id: open.id, delta })
  }

  function call(piece: ToolPiece, parts: Part[]): void {
    const { index = calls.size, function: made = {} } = piece
    let known = calls.get(index)
    if (known === undefined) {
      close(parts)
      known = { id: piece.id ?? `call_${index}`, name: made.name ?? '', input: '', attached: {} }
      calls.set(index, known)
      parts.push({ type: 'tool-input-start', id: known.id, toolName: known.name })
    }
    if (piece.extra_content !== undefined) known.attached = attachedTo(piece)
    if (made.arguments) {
      known.input += made.arguments
      parts.push({ type: 'tool-input-delta', id: known.id, delta: made.arguments })
    }
  }

  return {
    take(chunk) {
      const parts: Part[] = []
      if (!begun) {
        begun = true
        parts.push({ type: 'response-metadata', ...metadataOf(chunk) })
      }
      usage = usageOf(chunk) ?? usage
      const choice = chunk.choices[0]
      if (choice === undefined) return parts
      finish = choice.finish_reason ?? finish
      const { content, reasoning_content, reasoning, tool_calls } = choice.delta ?? {}
      speak('reasoning', reasoning_content ?? reasoning, parts)
      speak('text', content, parts)
      for (const piece of tool_calls ?? []) call(piece as ToolPiece, parts)
      return parts
    },
    end() {
      const parts: Part[] = []
      close(parts)
      for (const { id, name, input, attached } of calls.values()) {
        parts.push({ type: 'tool-input-end', id })
        parts.push({ type: 'tool-call', toolCallId: id, toolName: name, input: input || '{}', ...attached })
      }
      parts.push({ type: 'finish', finishReason: finishFromOpenAi(finish), usage: usageFromOpenAi(usage) })
      return parts
    },
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
export function contentOf(completion: ChatCompletion): LanguageModelV4Content[] {
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

export function metadataOf(told: ChatChunk | ChatCompletion): { id: string; modelId: string; timestamp: Date } {
  return { id: told.id, modelId: told.model, timestamp: new Date(told.created * 1000) }
}
