import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion, ChunkChoice, FinishReason, Usage } from '../../model/chat.ts'
import { finishToOpenAi, usageToOpenAi } from './finish.ts'

/** What every chunk of one answer says of itself. */
export interface Told {
  readonly id: string
  readonly created: number
  readonly model: string
}

/** Turns AI SDK stream parts into OpenAI chunks. Tools that the provider runs itself are not calls for the client. */
export interface ChunkWriter {
  /** The chunks a part makes; an error part is thrown. */
  take(part: LanguageModelV4StreamPart): ChatChunk[]
  /** Whether the answer was told to its end. */
  readonly finished: boolean
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

export function createChunkWriter(told: Told): ChunkWriter {
  const calls = new Map<string, Call>()
  const hidden = new Set<string>()
  let role: { role?: string } = { role: 'assistant' }
  let finished = false

  function chunk(choices: ChunkChoice[], more?: { usage: Usage }): ChatChunk {
    return { ...told, object: 'chat.completion.chunk', choices, ...more }
  }

  function say(delta: ChunkChoice['delta'], finish_reason: FinishReason | null = null): ChatChunk {
    const first = role
    role = {}
    return chunk([{ index: 0, delta: { ...first, ...delta }, finish_reason }])
  }

  function begin(id: string, name: string, input: string, attached: Attached = {}): ChatChunk {
    const index = calls.size
    calls.set(id, { index, told: input !== '' })
    return say({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: input }, ...attached }] })
  }

  function goOn(id: string, input: string, attached: Attached = {}): ChatChunk[] {
    const call = calls.get(id)
    if (call === undefined || (input === '' && attached.extra_content === undefined)) return []
    call.told = true
    return [say({ tool_calls: [{ index: call.index, function: { arguments: input }, ...attached }] })]
  }

  function take(part: LanguageModelV4StreamPart): ChatChunk[] {
    switch (part.type) {
      case 'text-delta':
        return part.delta === '' ? [] : [say({ content: part.delta })]
      case 'reasoning-delta':
        return part.delta === '' ? [] : [say({ reasoning_content: part.delta })]
      case 'tool-input-start':
        if (part.providerExecuted === true) hidden.add(part.id)
        return part.providerExecuted === true ? [] : [begin(part.id, part.toolName, '')]
      case 'tool-input-delta':
        return hidden.has(part.id) ? [] : goOn(part.id, part.delta)
      case 'tool-call': {
        if (part.providerExecuted === true || hidden.has(part.toolCallId)) return []
        const known = calls.get(part.toolCallId)
        const attached = attachedTo(part)
        if (known === undefined) return [begin(part.toolCallId, part.toolName, part.input, attached)]
        return goOn(part.toolCallId, known.told ? '' : part.input, attached)
      }
      case 'error':
        throw part.error
      case 'finish':
        if (isCut(part.finishReason)) return []
        finished = true
        return [say({}, finishToOpenAi(part.finishReason)), chunk([], { usage: usageToOpenAi(part.usage) })]
      default:
        return []
    }
  }

  return {
    take,
    get finished() {
      return finished
    },
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
