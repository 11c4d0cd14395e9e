import type { ChatChunk, ErrorResponse } from 'purser'
import { isObject, type ReasoningDetail, type ToolCallPart, thoughtsOf, toolCallsOf, usageOf } from 'purser/internal'
import type { AnswerEvent, AnswerWriter } from '../answer-writer.ts'
import { FirstChoice } from '../first-choice.ts'
import type { Fields } from '../request-body.ts'
import { namespacesOf } from './convert-tools.ts'
import {
  CallItem,
  type ItemAddress,
  MessageItem,
  type OpenItem,
  ReasoningItem,
  type ResponseEvent,
} from './output-items.ts'
import {
  createResponse,
  incompleteReason,
  type ResponseHeader,
  type ResponseObject,
  toResponseUsage,
} from './response-object.ts'
import { sealReasoning } from './sealed-reasoning.ts'

export interface ResponseWriterDeps {
  /** Epoch seconds. */
  now(): number
  /** Keeps the complete response, before the client gets its last event. Resolves to whether it was kept. */
  readonly keep?: ((response: ResponseObject) => Promise<boolean>) | undefined
}

/**
 * Writes chunks of a chat completion as the events of a response. The events and the whole response come from the same
 * items, so that a client that assembles the stream gets the response of a request that does not stream.
 */
export class ResponseWriter implements AnswerWriter {
  readonly ping = ':\n\n'
  readonly #response: ResponseObject
  readonly #namespaces: ReturnType<typeof namespacesOf>
  readonly #now: () => number
  readonly #keep: ((response: ResponseObject) => Promise<boolean>) | undefined
  readonly #includesSealed: boolean
  #sequence = 0
  #hasStarted = false
  /** The reasoning or the message that is being written. */
  #current: ReasoningItem | MessageItem | undefined
  /** Calls stay open to the end, because their pieces may alternate. */
  readonly #calls = new Map<number, CallItem>()
  readonly #indexes = new Map<OpenItem, number>()
  readonly #choice = new FirstChoice()
  #finishReason: string | null = null

  constructor(body: Fields, header: ResponseHeader, { now, keep }: ResponseWriterDeps) {
    this.#response = createResponse(body, header)
    this.#namespaces = namespacesOf(body.tools)
    this.#includesSealed = Array.isArray(body.include) && body.include.includes('reasoning.encrypted_content')
    this.#now = now
    this.#keep = keep
  }

  get answer(): object {
    return this.#response
  }

  push(chunk: ChatChunk): readonly AnswerEvent[] {
    const events = this.#start()
    const usage = usageOf(chunk)
    if (usage !== undefined) this.#response.usage = toResponseUsage(usage)
    const choice = this.#choice.find(chunk)
    if (choice === undefined) return this.#number(events)
    const delta = choice.delta ?? {}
    const { content, refusal } = delta
    events.push(...this.#pushThoughts(delta))
    if (isText(content)) {
      const logprobs = logprobsOf(choice.logprobs)
      events.push(...this.#open(MessageItem, (item) => item.pushText(content, logprobs)))
    }
    if (isText(refusal)) events.push(...this.#open(MessageItem, (item) => item.pushRefusal(refusal)))
    for (const piece of toolCallsOf(delta, `call_${this.#response.id}`)) events.push(...this.#pushCall(piece))
    if (typeof choice.finish_reason === 'string') this.#finishReason = choice.finish_reason
    return this.#number(events)
  }

  async end(): Promise<readonly AnswerEvent[]> {
    const reason = incompleteReason(this.#finishReason)
    const status = reason === undefined ? 'completed' : 'incomplete'
    const events = [...this.#start(), ...this.#closeCurrent(status)]
    for (const call of this.#calls.values()) events.push(...this.#close(call, status))
    this.#calls.clear()
    this.#response.status = status
    this.#response.completed_at = this.#now()
    this.#response.incomplete_details = reason === undefined ? null : { reason }
    if (this.#keep !== undefined) this.#response.store = await this.#keep(this.#response)
    events.push({ type: `response.${status}`, response: this.#response })
    return this.#number(events)
  }

  fail(error: ErrorResponse['body']['error']): AnswerEvent {
    const { code, message, param } = error
    return { type: 'error', sequence_number: this.#sequence++, code, message, param, error }
  }

  #start(): ResponseEvent[] {
    if (this.#hasStarted) return []
    this.#hasStarted = true
    const response = { ...this.#response, output: [] }
    return [
      { type: 'response.created', response },
      { type: 'response.in_progress', response },
    ]
  }

  /** Writes to the current item, if it is of this class; otherwise closes it and begins another. */
  #open<Item extends ReasoningItem | MessageItem>(
    ItemClass: new (address: ItemAddress) => Item,
    write: (item: Item) => ResponseEvent[],
  ): ResponseEvent[] {
    if (this.#current instanceof ItemClass) return write(this.#current)
    const events = this.#closeCurrent('completed')
    const item = new ItemClass(this.#nextAddress(ItemClass === (ReasoningItem as unknown) ? 'rs' : 'msg'))
    this.#current = item
    events.push(this.#add(item))
    return [...events, ...write(item)]
  }

  #pushThoughts(delta: Fields): ResponseEvent[] {
    return thoughtsOf(delta).flatMap(({ text, detail }) => [
      ...(text === '' ? [] : this.#open(ReasoningItem, (item) => item.push(text))),
      ...(detail === undefined ? [] : this.#seal(detail)),
    ])
  }

  /** Ends the reasoning with what its provider expects back, if the client has asked for that. */
  #seal(detail: ReasoningDetail): ResponseEvent[] {
    if (!this.#includesSealed) return []
    const events = this.#open(ReasoningItem, (item) => {
      item.object.encrypted_content = sealReasoning(detail)
      return []
    })
    return [...events, ...this.#closeCurrent('completed')]
  }

  #pushCall({ index = 0, id = '', type, function: called, custom }: ToolCallPart): ResponseEvent[] {
    const input = custom?.input ?? called?.arguments ?? ''
    const open = this.#calls.get(index)
    if (open !== undefined) return open.push(input)
    const isCustom = type === 'custom' || custom !== undefined
    const events = this.#closeCurrent('completed')
    const name = custom?.name ?? called?.name ?? ''
    const { namespace, name: ownName = name } = this.#namespaces.get(name) ?? {}
    const call = new CallItem(this.#nextAddress(isCustom ? 'ctc' : 'fc'), { id, name: ownName, namespace, isCustom })
    this.#calls.set(index, call)
    events.push(this.#add(call))
    return [...events, ...call.push(input)]
  }

  #nextAddress(prefix: string): ItemAddress {
    const output_index = this.#response.output.length
    return { item_id: `${prefix}_${this.#response.id.replace(/^resp_/, '')}_${output_index}`, output_index }
  }

  #add(item: OpenItem): ResponseEvent {
    const output_index = this.#response.output.length
    this.#indexes.set(item, output_index)
    this.#response.output.push(item.object)
    return { type: 'response.output_item.added', output_index, item: structuredClone(item.object) }
  }

  #closeCurrent(status: 'completed' | 'incomplete'): ResponseEvent[] {
    const item = this.#current
    this.#current = undefined
    return item === undefined ? [] : this.#close(item, status)
  }

  #close(item: OpenItem, status: 'completed' | 'incomplete'): ResponseEvent[] {
    const events = item.close(status)
    return [...events, { type: 'response.output_item.done', output_index: this.#indexes.get(item), item: item.object }]
  }

  #number(events: readonly ResponseEvent[]): readonly AnswerEvent[] {
    return events.map(({ type, ...fields }) => ({ type, sequence_number: this.#sequence++, ...fields }))
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function logprobsOf(logprobs: unknown): readonly unknown[] {
  return isObject(logprobs) && Array.isArray(logprobs.content) ? logprobs.content : []
}
