import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion, ChunkChoice, FinishReason, Usage } from '../../openai/chat.ts'
import { finishToOpenAi, usageToOpenAi } from '../../openai/map-finish-reason.ts'

/** What every chunk of one answer says of itself. */
export interface Told {
  readonly id: string
  readonly created: number
  readonly model: string
}

/**
 * What a provider attaches to a call and wants back with it, like a signature of its thoughts. OpenAI's format has no
 * word for it; it travels as `extra_content`, which clients that repeat a call as they got it bring back.
 */
interface Attached {
  readonly extra_content?: unknown
}

function attachedTo({ providerMetadata }: { readonly providerMetadata?: unknown }): Attached {
  return providerMetadata === undefined ? {} : { extra_content: providerMetadata }
}

/** The SDK's packages end every stream with a finish; this is how they tell of one that the provider did not end. */
function isCut({ unified, raw }: LanguageModelV4FinishReason): boolean {
  return unified === 'interrupted' || (raw === undefined && (unified === 'other' || unified === 'error'))
}

interface Call {
  readonly index: number
  told: boolean
}

/** Turns AI SDK stream parts into OpenAI chunks. Tools that the provider runs itself are not calls for the client. */
export class ChunkWriter {
  readonly #told: Told
  readonly #calls = new Map<string, Call>()
  readonly #hidden = new Set<string>()
  #role: { role?: string } = { role: 'assistant' }
  #isFinished = false

  constructor(told: Told) {
    this.#told = told
  }

  /** Whether the answer was told to its end. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** The chunks a part makes; an error part is thrown. */
  take(part: LanguageModelV4StreamPart): ChatChunk[] {
    switch (part.type) {
      case 'text-delta':
        return part.delta === '' ? [] : [this.#say({ content: part.delta })]
      case 'reasoning-delta':
        return part.delta === '' ? [] : [this.#say({ reasoning_content: part.delta })]
      case 'tool-input-start':
        if (part.providerExecuted === true) this.#hidden.add(part.id)
        return part.providerExecuted === true ? [] : [this.#begin(part.id, part.toolName)]
      case 'tool-input-delta':
        return part.delta === '' ? [] : this.#goOn(part.id, part.delta)
      case 'tool-call':
        return this.#finishCall(part)
      case 'error':
        throw part.error
      case 'finish':
        if (isCut(part.finishReason)) return []
        this.#isFinished = true
        return [this.#say({}, finishToOpenAi(part.finishReason)), this.#chunk([], { usage: usageToOpenAi(part.usage) })]
      default:
        return []
    }
  }

  /** A call may have told its input on the way, or tells it here at once. */
  #finishCall(part: LanguageModelV4StreamPart & { type: 'tool-call' }): ChatChunk[] {
    const { toolCallId: id, toolName, input } = part
    if (part.providerExecuted === true || this.#hidden.has(id)) return []
    const attached = attachedTo(part)
    const known = this.#calls.get(id)
    if (known === undefined) return [this.#begin(id, toolName, { input, attached })]
    const rest = known.told ? '' : input
    return rest === '' && attached.extra_content === undefined ? [] : this.#goOn(id, rest, attached)
  }

  #begin(
    id: string,
    name: string,
    { input = '', attached = {} }: { input?: string; attached?: Attached } = {},
  ): ChatChunk {
    const index = this.#calls.size
    this.#calls.set(id, { index, told: input !== '' })
    return this.#say({
      tool_calls: [{ index, id, type: 'function', function: { name, arguments: input }, ...attached }],
    })
  }

  #goOn(id: string, input: string, attached: Attached = {}): ChatChunk[] {
    const call = this.#calls.get(id)
    if (call === undefined) return []
    call.told = true
    return [this.#say({ tool_calls: [{ index: call.index, function: { arguments: input }, ...attached }] })]
  }

  #say(delta: ChunkChoice['delta'], finish_reason: FinishReason | null = null): ChatChunk {
    const role = this.#role
    this.#role = {}
    return this.#chunk([{ index: 0, delta: { ...role, ...delta }, finish_reason }])
  }

  #chunk(choices: ChunkChoice[], more?: { usage: Usage }): ChatChunk {
    return { ...this.#told, object: 'chat.completion.chunk', choices, ...more }
  }
}

/** A generated result as an OpenAI completion. */
export function completionFrom(result: LanguageModelV4GenerateResult, told: Told): ChatCompletion {
  const joined = (type: 'text' | 'reasoning') =>
    result.content.map((part) => (part.type === type ? part.text : '')).join('')
  const calls = result.content.filter(isCall)
  const text = joined('text')
  const reasoning = joined('reasoning')
  return {
    ...told,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && calls.length > 0 ? null : text,
          ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
          ...(calls.length === 0 ? {} : { tool_calls: calls.map(callOf) }),
        },
        finish_reason: finishToOpenAi(result.finishReason),
      },
    ],
    usage: usageToOpenAi(result.usage),
  }
}

type ToolCall = LanguageModelV4Content & { type: 'tool-call' }

function isCall(part: LanguageModelV4Content): part is ToolCall {
  return part.type === 'tool-call' && part.providerExecuted !== true
}

function callOf(call: ToolCall): unknown {
  const made = { name: call.toolName, arguments: call.input }
  return { id: call.toolCallId, type: 'function', function: made, ...attachedTo(call) }
}
