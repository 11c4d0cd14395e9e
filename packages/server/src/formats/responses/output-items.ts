/** An event of a response, without its sequence number. */
export interface ResponseEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** An item of the output while it is written. Its object is the one in the output of the response. */
export interface OpenItem {
  readonly object: object
  /** The events that close it. `status` is that of the response. */
  close(status: 'completed' | 'incomplete'): ResponseEvent[]
}

/** Where an item is in the response. */
export interface ItemAddress {
  readonly item_id: string
  readonly output_index: number
}

/** What the model thought, as a summary: the form that clients show. */
export class ReasoningItem implements OpenItem {
  readonly object: {
    id: string
    type: 'reasoning'
    summary: { type: 'summary_text'; text: string }[]
    encrypted_content?: string
  }
  readonly #address: ItemAddress & { readonly summary_index: 0 }

  constructor(address: ItemAddress) {
    this.#address = { ...address, summary_index: 0 }
    this.object = { id: address.item_id, type: 'reasoning', summary: [] }
  }

  push(delta: string): ResponseEvent[] {
    const events: ResponseEvent[] = []
    if (this.object.summary.length === 0) {
      const part = { type: 'summary_text' as const, text: '' }
      events.push({ type: 'response.reasoning_summary_part.added', ...this.#address, part: { ...part } })
      this.object.summary.push(part)
    }
    for (const part of this.object.summary) part.text += delta
    events.push({ type: 'response.reasoning_summary_text.delta', ...this.#address, delta })
    return events
  }

  close(): ResponseEvent[] {
    return this.object.summary.flatMap((part) => [
      { type: 'response.reasoning_summary_text.done', ...this.#address, text: part.text },
      { type: 'response.reasoning_summary_part.done', ...this.#address, part },
    ])
  }
}

type MessagePart =
  | { type: 'output_text'; text: string; annotations: unknown[]; logprobs: unknown[] }
  | { type: 'refusal'; refusal: string }

/** A message of text and refusals. */
export class MessageItem implements OpenItem {
  readonly object: { id: string; type: 'message'; role: 'assistant'; status: string; content: MessagePart[] }
  readonly #address: ItemAddress

  constructor(address: ItemAddress) {
    this.#address = address
    this.object = { id: address.item_id, type: 'message', role: 'assistant', status: 'in_progress', content: [] }
  }

  pushText(delta: string, logprobs: readonly unknown[]): ResponseEvent[] {
    const { part, events } = this.#open('output_text')
    if (part.type !== 'output_text') return events
    part.text += delta
    part.logprobs.push(...logprobs)
    return [...events, { type: 'response.output_text.delta', ...this.#partAddress, delta, logprobs }]
  }

  pushRefusal(delta: string): ResponseEvent[] {
    const { part, events } = this.#open('refusal')
    if (part.type !== 'refusal') return events
    part.refusal += delta
    return [...events, { type: 'response.refusal.delta', ...this.#partAddress, delta }]
  }

  close(status: 'completed' | 'incomplete'): ResponseEvent[] {
    const events = this.#closePart()
    this.object.status = status
    return events
  }

  get #partAddress(): ItemAddress & { readonly content_index: number } {
    return { ...this.#address, content_index: this.object.content.length - 1 }
  }

  #open(type: MessagePart['type']): { part: MessagePart; events: ResponseEvent[] } {
    const last = this.object.content.at(-1)
    if (last?.type === type) return { part: last, events: [] }
    const events = this.#closePart()
    const part: MessagePart =
      type === 'refusal' ? { type, refusal: '' } : { type, text: '', annotations: [], logprobs: [] }
    this.object.content.push(part)
    events.push({ type: 'response.content_part.added', ...this.#partAddress, part: structuredClone(part) })
    return { part, events }
  }

  #closePart(): ResponseEvent[] {
    const part = this.object.content.at(-1)
    if (part === undefined) return []
    const done =
      part.type === 'refusal'
        ? { type: 'response.refusal.done', ...this.#partAddress, refusal: part.refusal }
        : { type: 'response.output_text.done', ...this.#partAddress, text: part.text, logprobs: part.logprobs }
    return [done, { type: 'response.content_part.done', ...this.#partAddress, part }]
  }
}

interface OpenCall {
  readonly id: string
  readonly name: string
  readonly namespace?: string | undefined
  readonly isCustom: boolean
}

/** A call of a function or of a custom tool. */
export class CallItem implements OpenItem {
  readonly object: { id: string; type: string; call_id: string; name: string; status: string; [input: string]: string }
  readonly #address: ItemAddress
  readonly #input: 'arguments' | 'input'
  readonly #event: string

  constructor(address: ItemAddress, { id, name, namespace, isCustom }: OpenCall) {
    this.#address = address
    this.#input = isCustom ? 'input' : 'arguments'
    this.#event = isCustom ? 'response.custom_tool_call_input' : 'response.function_call_arguments'
    const type = isCustom ? 'custom_tool_call' : 'function_call'
    const group = namespace === undefined ? {} : { namespace }
    this.object = { id: address.item_id, type, status: 'in_progress', call_id: id, name, ...group, [this.#input]: '' }
  }

  push(delta: string): ResponseEvent[] {
    if (delta === '') return []
    this.object[this.#input] += delta
    return [{ type: `${this.#event}.delta`, ...this.#address, delta }]
  }

  close(status: 'completed' | 'incomplete'): ResponseEvent[] {
    this.object.status = status
    const input = this.object[this.#input]
    return [{ type: `${this.#event}.done`, ...this.#address, name: this.object.name, [this.#input]: input }]
  }
}
