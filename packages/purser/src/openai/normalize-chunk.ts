import { isObject } from '../core/validate.ts'
import type { ChatChunk } from './chat.ts'
import { callsOf, indexOf, normalizeMessage, textOfContent } from './normalize-message.ts'
import { ToolCallIndex } from './tool-call-index.ts'

type Fields = Record<string, unknown>

interface ChoiceState {
  readonly calls: ToolCallIndex
  /** Whether a delta had text, reasoning or a call. */
  hasDelta: boolean
  /** The text of the messages that came instead of deltas; undefined before the first. */
  messageText: string | undefined
}

export interface ChunkNormalizerOptions {
  /** For tool calls to which the upstream gives no id. */
  createId(): string
}

/**
 * Gives the chunks of one answer the form that OpenAI documents, so that everything behind it reads one form only:
 * `choices` is a list of objects, each with an index and a `delta`; text is text; each tool call has an index and an
 * id of its own; `usage` is beside `choices`. Other fields are unchanged.
 */
export class ChunkNormalizer {
  readonly #createId: () => string
  readonly #choices = new Map<number, ChoiceState>()
  #isChanged = false

  constructor({ createId }: ChunkNormalizerOptions) {
    this.#createId = createId
  }

  /** Whether a chunk had a choice. */
  get hasChoice(): boolean {
    return this.#choices.size > 0
  }

  /** The same object, as a chunk, and whether it was changed; undefined if it is no chunk. */
  normalize(value: Fields): { readonly chunk: ChatChunk; readonly isChanged: boolean } | undefined {
    const isChunk = value.choices !== undefined || isObject(value.usage) || value.object === 'chat.completion.chunk'
    if (!isChunk) return undefined
    this.#isChanged = false
    if (value.object === 'chat.completion') this.#set(value, 'object', 'chat.completion.chunk')
    if (value.usage !== undefined && value.usage !== null && !isObject(value.usage)) this.#remove(value, 'usage')
    const { choices } = value
    const list = Array.isArray(choices) ? choices : [choices]
    const objects = list.filter(isObject)
    if (list !== choices || objects.length !== list.length) this.#set(value, 'choices', objects)
    for (const [position, choice] of objects.entries()) this.#normalizeChoice(choice, position, value)
    return { chunk: value as unknown as ChatChunk, isChanged: this.#isChanged }
  }

  #normalizeChoice(choice: Fields, position: number, chunk: Fields): void {
    const index = indexOf(choice.index) ?? position
    if (choice.index !== index) this.#set(choice, 'index', index)
    const reason = choice.finish_reason
    if (reason !== undefined && reason !== null && (typeof reason !== 'string' || reason === '')) {
      this.#set(choice, 'finish_reason', null)
    }
    if (isObject(choice.usage)) {
      // Moonshot reports usage in the choice.
      if (!isObject(chunk.usage)) this.#set(chunk, 'usage', choice.usage)
      this.#remove(choice, 'usage')
    }
    const state = this.#stateOf(index)
    const delta = this.#deltaOf(choice, state)
    if (normalizeMessage(delta)) this.#isChanged = true
    for (const piece of callsOf(delta)) if (state.calls.assign(piece)) this.#isChanged = true
  }

  /** A `message` beside deltas repeats what they said. Without deltas it is the answer, or what there is of it so far. */
  #deltaOf(choice: Fields, state: ChoiceState): Fields {
    const { delta, message } = choice
    const own = typeof delta === 'string' ? { content: delta } : isObject(delta) ? delta : undefined
    const ownHasContent = own !== undefined && hasContent(own)
    const isNeeded = own === undefined || (!ownHasContent && typeof choice.finish_reason === 'string')
    const whole = isNeeded && !state.hasDelta && isObject(message) ? restOf(message, state) : undefined
    state.hasDelta ||= ownHasContent
    if (message !== undefined) this.#remove(choice, 'message')
    const result = whole ?? own ?? {}
    if (result !== delta) this.#set(choice, 'delta', result)
    return result
  }

  #stateOf(index: number): ChoiceState {
    let state = this.#choices.get(index)
    if (state === undefined) {
      state = { calls: new ToolCallIndex(this.#createId), hasDelta: false, messageText: undefined }
      this.#choices.set(index, state)
    }
    return state
  }

  #set(object: Fields, name: string, value: unknown): void {
    object[name] = value
    this.#isChanged = true
  }

  #remove(object: Fields, name: string): void {
    delete object[name]
    this.#isChanged = true
  }
}

/** What a message adds to the messages before it, which it repeats or continues. */
function restOf(message: Fields, state: ChoiceState): Fields {
  const before = state.messageText
  const text = textOfContent(message.content)
  if (before === undefined) {
    state.messageText = text
    return message
  }
  const rest = text.startsWith(before) ? text.slice(before.length) : text
  state.messageText = before + rest
  return { content: rest }
}

function hasContent({ content, reasoning_content, reasoning, tool_calls, function_call, refusal }: Fields): boolean {
  return [content, reasoning_content, reasoning, tool_calls, function_call, refusal].some(isPresent)
}

function isPresent(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  return value !== undefined && value !== null && value !== ''
}
