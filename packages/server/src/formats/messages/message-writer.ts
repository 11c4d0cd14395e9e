import type { ChatChunk, ErrorResponse } from 'purser'
import {
  cachedTokensOf,
  cacheWriteTokensOf,
  isObject,
  parseLargeJson,
  type ReasoningDetail,
  type ToolCallPart,
  thoughtsOf,
  tokenCountOf,
  toolCallsOf,
  type Usage,
  usageOf,
} from 'purser/internal'
import type { AnswerEvent, AnswerWriter } from '../answer-writer.ts'
import { toAnthropicError } from '../anthropic-error.ts'
import { FirstChoice } from '../first-choice.ts'

interface ThinkingBlock {
  type: 'thinking'
  thinking: string
  /** Empty unless the provider signs what its models think. */
  signature: string
}
interface RedactedBlock {
  type: 'redacted_thinking'
  data: string
}
interface TextBlock {
  type: 'text'
  text: string
  citations: null
}
interface ToolUseBlock {
  type: 'tool_use'
  id: string
  name: string
  input: unknown
}
type Block = ThinkingBlock | RedactedBlock | TextBlock | ToolUseBlock

/** What waits until the first call is complete. */
type Late =
  | { readonly type: 'text' | 'thinking'; text: string }
  | { readonly type: 'detail'; readonly detail: ReasoningDetail }

interface MessageUsage {
  input_tokens: number
  cache_creation_input_tokens: number
  cache_read_input_tokens: number
  output_tokens: number
}

interface Call {
  readonly id: string
  readonly name: string
  arguments: string
}

const PING: AnswerEvent = { type: 'ping' }

/**
 * Writes chunks of a chat completion as the events of a message. One block is open at a time, as clients expect: of calls
 * whose pieces may alternate, the first is written as it arrives and the others at the end.
 */
export class MessageWriter implements AnswerWriter {
  readonly ping = 'event: ping\ndata: {"type":"ping"}\n\n'
  readonly #header: { readonly id: string; readonly model: string }
  readonly #content: Block[] = []
  readonly #calls = new Map<number, Call>()
  readonly #choice = new FirstChoice()
  readonly #late: Late[] = []
  #usage: MessageUsage = toMessageUsage(undefined)
  #isOpen = false
  #hasStarted = false
  #hasRefused = false
  #finishReason: string | null = null

  constructor(header: { readonly id: string; readonly model: string }) {
    this.#header = header
  }

  get answer(): object {
    return this.#message(this.#content, this.#stopReason)
  }

  push(chunk: ChatChunk): readonly AnswerEvent[] {
    const events = this.#start()
    const usage = usageOf(chunk)
    if (usage !== undefined) this.#usage = toMessageUsage(usage)
    const choice = this.#choice.find(chunk)
    if (choice === undefined) return events
    const delta = choice.delta ?? {}
    const { content, refusal } = delta
    for (const { text, detail } of thoughtsOf(delta)) {
      events.push(...this.#pushText('thinking', text))
      if (detail !== undefined) events.push(...this.#pushDetail(detail))
    }
    if (typeof refusal === 'string' && refusal !== '') this.#hasRefused = true
    events.push(...this.#pushText('text', content), ...this.#pushText('text', refusal))
    for (const piece of toolCallsOf(delta, `call_${this.#header.id}`)) events.push(...this.#pushCall(piece))
    if (typeof choice.finish_reason === 'string') this.#finishReason = choice.finish_reason
    return events
  }

  async end(): Promise<readonly AnswerEvent[]> {
    const events = [...this.#start(), ...this.#closeBlock()]
    const calls = [...this.#calls.values()]
    for (const call of calls.slice(1)) {
      events.push(...this.#openCall(call))
      if (call.arguments !== '') events.push(this.#inputDelta(call.arguments))
      events.push(...this.#closeBlock())
    }
    const blocks = this.#content.filter((block) => block.type === 'tool_use')
    for (const [index, block] of blocks.entries()) block.input = await parseInput(calls[index]?.arguments ?? '')
    for (const late of this.#late) {
      events.push(...(late.type === 'detail' ? this.#writeDetail(late.detail) : this.#writeText(late.type, late.text)))
    }
    events.push(...this.#closeBlock())
    const delta = { stop_reason: this.#stopReason, stop_sequence: null }
    events.push({ type: 'message_delta', delta, usage: this.#usage }, { type: 'message_stop' })
    return events
  }

  fail(error: ErrorResponse['body']['error']): AnswerEvent {
    return { ...toAnthropicError(error, 500) }
  }

  get #stopReason(): string {
    if (this.#hasRefused || this.#finishReason === 'content_filter') return 'refusal'
    if (this.#finishReason === 'length') return 'max_tokens'
    return this.#calls.size > 0 ? 'tool_use' : 'end_turn'
  }

  #start(): AnswerEvent[] {
    if (this.#hasStarted) return []
    this.#hasStarted = true
    return [{ type: 'message_start', message: this.#message([], null) }, PING]
  }

  #message(content: readonly Block[], stop_reason: string | null): object {
    const usage = { ...this.#usage, server_tool_use: null, service_tier: null }
    const { id, model } = this.#header
    return { id, type: 'message', role: 'assistant', model, content, stop_reason, stop_sequence: null, usage }
  }

  /** Text and thoughts behind the first call wait for the end, because its block must stay open. */
  #pushText(type: 'text' | 'thinking', text: unknown): AnswerEvent[] {
    if (typeof text !== 'string' || text === '') return []
    if (this.#calls.size === 0) return this.#writeText(type, text)
    const last = this.#late.at(-1)
    if (last?.type === type) last.text += text
    else this.#late.push({ type, text })
    return []
  }

  #pushDetail(detail: ReasoningDetail): AnswerEvent[] {
    if (this.#calls.size === 0) return this.#writeDetail(detail)
    this.#late.push({ type: 'detail', detail })
    return []
  }

  /** Signs the open thought; encrypted thoughts are blocks of their own. */
  #writeDetail(detail: ReasoningDetail): AnswerEvent[] {
    if (detail.type === 'reasoning.encrypted') {
      const block = { type: 'redacted_thinking', data: detail.data } as const
      return [...this.#closeBlock(), this.#add(block), ...this.#closeBlock()]
    }
    const { signature } = detail
    const events = this.#openText('thinking')
    const block = this.#content.at(-1)
    if (block?.type === 'thinking') block.signature = signature
    return [...events, this.#delta({ type: 'signature_delta', signature }), ...this.#closeBlock()]
  }

  #openText(type: 'text' | 'thinking'): AnswerEvent[] {
    if (this.#isOpen && this.#content.at(-1)?.type === type) return []
    const isText = type === 'text'
    const events = this.#closeBlock()
    events.push(this.#add(isText ? { type, text: '', citations: null } : { type, thinking: '', signature: '' }))
    return events
  }

  #writeText(type: 'text' | 'thinking', text: string): AnswerEvent[] {
    const events = this.#openText(type)
    const block = this.#content.at(-1)
    if (block?.type === 'text') block.text += text
    else if (block?.type === 'thinking') block.thinking += text
    const delta = type === 'text' ? { type: 'text_delta', text } : { type: 'thinking_delta', thinking: text }
    return [...events, this.#delta(delta)]
  }

  #pushCall({ index = 0, id = '', function: called }: ToolCallPart): AnswerEvent[] {
    const input = called?.arguments ?? ''
    const open = this.#calls.get(index)
    const call = open ?? { id, name: called?.name ?? '', arguments: '' }
    call.arguments += input
    if (open === undefined) this.#calls.set(index, call)
    const isFirst = this.#calls.values().next().value === call
    if (!isFirst) return []
    const events = open === undefined ? [...this.#closeBlock(), ...this.#openCall(call)] : []
    return input === '' ? events : [...events, this.#inputDelta(input)]
  }

  #openCall({ id, name }: Call): AnswerEvent[] {
    return [this.#add({ type: 'tool_use', id, name, input: {} })]
  }

  #inputDelta(partial_json: string): AnswerEvent {
    return this.#delta({ type: 'input_json_delta', partial_json })
  }

  #add(block: Block): AnswerEvent {
    this.#isOpen = true
    this.#content.push(block)
    return { type: 'content_block_start', index: this.#content.length - 1, content_block: structuredClone(block) }
  }

  #closeBlock(): AnswerEvent[] {
    if (!this.#isOpen) return []
    this.#isOpen = false
    return [{ type: 'content_block_stop', index: this.#content.length - 1 }]
  }

  #delta(delta: object): AnswerEvent {
    return { type: 'content_block_delta', index: this.#content.length - 1, delta }
  }
}

function toMessageUsage(usage: Usage | undefined): MessageUsage {
  const input = tokenCountOf(usage?.prompt_tokens) ?? 0
  const cached = Math.min(input, cachedTokensOf(usage ?? {}) ?? 0)
  const written = Math.min(input - cached, cacheWriteTokensOf(usage ?? {}) ?? 0)
  return {
    input_tokens: input - cached - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cached,
    output_tokens: tokenCountOf(usage?.completion_tokens) ?? 0,
  }
}

/** Arguments that were cut are no JSON; then the call has none. */
async function parseInput(text: string): Promise<unknown> {
  try {
    const input: unknown = await parseLargeJson(text === '' ? '{}' : text, JSON.parse)
    return isObject(input) ? input : {}
  } catch {
    return {}
  }
}
