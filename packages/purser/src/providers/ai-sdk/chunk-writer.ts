import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion, ChunkChoice, FinishReason, Usage } from '../../openai/chat.ts'
import { mapFinishReasonToOpenAi, mapUsageToOpenAi } from '../../openai/map-finish-reason.ts'
import { ReasoningCollector, toReasoningDetail } from './signed-reasoning.ts'

/** The fields that all chunks of one answer have in common. */
export type ChunkHeader = Pick<ChatChunk, 'id' | 'created' | 'model'>

/**
 * What a provider attaches to a tool call and expects back with it, such as a signature of its reasoning. OpenAI's
 * format has no field for it; it travels as `extra_content`, which clients return when they repeat a call as they
 * received it.
 */
interface ExtraContent {
  readonly extra_content?: unknown
}

function extraContentOf({ providerMetadata }: { readonly providerMetadata?: unknown }): ExtraContent {
  return providerMetadata === undefined ? {} : { extra_content: providerMetadata }
}

/**
 * The SDK's packages end every stream with a finish part; these reasons mark a stream that the provider did not end.
 */
function isCut({ unified, raw }: LanguageModelV4FinishReason): boolean {
  return unified === 'interrupted' || (raw === undefined && (unified === 'other' || unified === 'error'))
}

interface OpenToolCall {
  readonly index: number
  hasInput: boolean
}

/**
 * Converts AI SDK stream parts to OpenAI chunks. Tools that the provider executes itself are not calls for the client
 * and are left out.
 */
export class ChunkWriter {
  readonly #header: ChunkHeader
  readonly #toolCalls = new Map<string, OpenToolCall>()
  readonly #providerExecuted = new Set<string>()
  readonly #reasoning = new ReasoningCollector()
  #role: { role?: string } = { role: 'assistant' }
  #isFinished = false

  constructor(header: ChunkHeader) {
    this.#header = header
  }

  /** Whether the answer is complete. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** The chunks for one part. Throws the error of an error part. */
  write(part: LanguageModelV4StreamPart): ChatChunk[] {
    switch (part.type) {
      case 'text-delta':
        return part.delta === '' ? [] : [this.#delta({ content: part.delta })]
      case 'reasoning-start':
        this.#reasoning.push(part.id, '', part.providerMetadata)
        return []
      case 'reasoning-delta':
        this.#reasoning.push(part.id, part.delta, part.providerMetadata)
        return part.delta === '' ? [] : [this.#delta({ reasoning_content: part.delta })]
      case 'reasoning-end':
        this.#reasoning.push(part.id, '', part.providerMetadata)
        return this.#endReasoning(part.id)
      case 'tool-input-start':
        if (part.providerExecuted === true) this.#providerExecuted.add(part.id)
        return part.providerExecuted === true ? [] : [this.#startToolCall(part.id, part.toolName)]
      case 'tool-input-delta':
        return part.delta === '' ? [] : this.#continueToolCall(part.id, part.delta)
      case 'tool-call':
        return this.#finishToolCall(part)
      case 'error':
        throw part.error
      case 'finish':
        if (isCut(part.finishReason)) return []
        this.#isFinished = true
        return [
          this.#delta({}, mapFinishReasonToOpenAi(part.finishReason)),
          this.#chunk([], { usage: mapUsageToOpenAi(part.usage) }),
        ]
      default:
        return []
    }
  }

  #endReasoning(id: string): ChatChunk[] {
    const detail = this.#reasoning.end(id)
    return detail === undefined ? [] : [this.#delta({ reasoning_details: [detail] })]
  }

  /** The input of a call either came before in deltas, or comes with this part. */
  #finishToolCall(part: LanguageModelV4StreamPart & { type: 'tool-call' }): ChatChunk[] {
    const { toolCallId: id, toolName, input } = part
    if (part.providerExecuted === true || this.#providerExecuted.has(id)) return []
    const extraContent = extraContentOf(part)
    const open = this.#toolCalls.get(id)
    if (open === undefined) return [this.#startToolCall(id, toolName, { input, extraContent })]
    const rest = open.hasInput ? '' : input
    return rest === '' && extraContent.extra_content === undefined ? [] : this.#continueToolCall(id, rest, extraContent)
  }

  #startToolCall(
    id: string,
    name: string,
    { input = '', extraContent = {} }: { input?: string; extraContent?: ExtraContent } = {},
  ): ChatChunk {
    const index = this.#toolCalls.size
    this.#toolCalls.set(id, { index, hasInput: input !== '' })
    return this.#delta({
      tool_calls: [{ index, id, type: 'function', function: { name, arguments: input }, ...extraContent }],
    })
  }

  #continueToolCall(id: string, input: string, extraContent: ExtraContent = {}): ChatChunk[] {
    const open = this.#toolCalls.get(id)
    if (open === undefined) return []
    open.hasInput = true
    return [this.#delta({ tool_calls: [{ index: open.index, function: { arguments: input }, ...extraContent }] })]
  }

  /** The first delta of an answer also has the role. */
  #delta(delta: ChunkChoice['delta'], finish_reason: FinishReason | null = null): ChatChunk {
    const role = this.#role
    this.#role = {}
    return this.#chunk([{ index: 0, delta: { ...role, ...delta }, finish_reason }])
  }

  #chunk(choices: ChunkChoice[], more?: { usage: Usage }): ChatChunk {
    return { ...this.#header, object: 'chat.completion.chunk', choices, ...more }
  }
}

/** Converts a generate result of the AI SDK to an OpenAI completion. */
export function convertToCompletion(result: LanguageModelV4GenerateResult, header: ChunkHeader): ChatCompletion {
  const join = (type: 'text' | 'reasoning') =>
    result.content.map((part) => (part.type === type ? part.text : '')).join('')
  const toolCalls = result.content.filter(isClientToolCall)
  const text = join('text')
  const details = result.content.flatMap((part) =>
    part.type === 'reasoning' ? (toReasoningDetail(part.text, part.providerMetadata) ?? []) : [],
  )
  const reasoning = join('reasoning')
  return {
    ...header,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && toolCalls.length > 0 ? null : text,
          ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
          ...(details.length === 0 ? {} : { reasoning_details: details }),
          ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(convertToolCall) }),
        },
        finish_reason: mapFinishReasonToOpenAi(result.finishReason),
      },
    ],
    usage: mapUsageToOpenAi(result.usage),
  }
}

type ToolCall = LanguageModelV4Content & { type: 'tool-call' }

function isClientToolCall(part: LanguageModelV4Content): part is ToolCall {
  return part.type === 'tool-call' && part.providerExecuted !== true
}

function convertToolCall(call: ToolCall): unknown {
  const definition = { name: call.toolName, arguments: call.input }
  return { id: call.toolCallId, type: 'function', function: definition, ...extraContentOf(call) }
}
