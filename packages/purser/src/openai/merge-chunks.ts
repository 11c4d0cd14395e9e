import { isRawNumber } from '../core/exact-json.ts'
import { isObject } from '../core/validate.ts'
import type { ChatChunk, ChatCompletion, ChunkChoice, CompletionChoice } from './chat.ts'
import { usageOf } from './completion.ts'

type Fields = Record<string, unknown>

/** Fields of a chunk that are not fields of the completion, or are merged in their own way. */
const CHUNK_FIELDS = new Set(['object', 'choices', 'id', 'created', 'model', 'usage'])
/** Fields of a chunk's choice that are merged in their own way. */
const CHOICE_FIELDS = new Set(['index', 'delta', 'finish_reason'])

/** Text fields that a provider sends once or repeats whole; all other text arrives in pieces. */
const WHOLE_TEXT_FIELDS = new Set(['role', 'id', 'type', 'name', 'format'])

/** The characters that a value without text counts as. */
const SCALAR_SIZE = 8

/** The completion that a stream consists of; see `ChunkMerger`. */
export function mergeChunks(chunks: readonly ChatChunk[]): ChatCompletion {
  const merger = new ChunkMerger()
  for (const chunk of chunks) merger.push(chunk)
  return merger.completion()
}

interface MergedChoice {
  readonly choice: CompletionChoice
  readonly calls: Fields[]
  readonly callsByIndex: Map<number, Fields>
}

/**
 * Collects the chunks of a stream into one completion. Pieces of one choice and of one tool call are merged by their
 * index. Of an unknown field, text is concatenated and lists are appended; of other values the last one is used. Null
 * and empty values replace nothing.
 */
export class ChunkMerger {
  /** The first values that say anything; all chunks of an answer have the same. */
  #header = { id: '', created: 0, model: '' }
  readonly #fields: Fields = {}
  readonly #choices = new Map<number, MergedChoice>()
  #size = 0

  /** The characters of all choices so far, approximately. */
  get size(): number {
    return this.#size
  }

  /** Does not change the chunk, nor refer to its choices afterwards. */
  push(chunk: ChatChunk): void {
    const { id, created, model } = this.#header
    this.#header = { id: id || chunk.id, created: created || chunk.created, model: model || chunk.model }
    const usage = usageOf(chunk)
    if (usage !== undefined) this.#fields.usage = usage
    for (const [name, value] of Object.entries(chunk)) {
      if (CHUNK_FIELDS.has(name) || isPrototype(name)) continue
      if ((value !== null && value !== '') || this.#fields[name] === undefined) this.#fields[name] = value
    }
    for (const choice of chunk.choices ?? []) this.#mergeChoice(choice)
  }

  completion(): ChatCompletion {
    const { id, created, model } = this.#header
    return {
      ...this.#fields,
      id: id || '',
      object: 'chat.completion',
      created: created || 0,
      model: model || '',
      choices: [...this.#choices.values()].map(choiceOf).sort((a, b) => a.index - b.index),
    }
  }

  #mergeChoice(piece: ChunkChoice): void {
    const merged = this.#choiceAt(piece.index ?? 0)
    const { choice } = merged
    if ((piece.finish_reason ?? '') !== '') choice.finish_reason = piece.finish_reason
    for (const [name, value] of Object.entries(piece.delta ?? {})) {
      if (name === 'tool_calls' && Array.isArray(value)) this.#mergeCalls(merged, value)
      else this.#mergeField(choice.message, name, value)
    }
    for (const [name, value] of Object.entries(piece)) {
      if (!CHOICE_FIELDS.has(name)) this.#mergeField(choice, name, value)
    }
  }

  #choiceAt(index: number): MergedChoice {
    let merged = this.#choices.get(index)
    if (merged === undefined) {
      const choice = { index, message: { role: 'assistant', content: null }, finish_reason: null }
      merged = { choice, calls: [], callsByIndex: new Map() }
      this.#choices.set(index, merged)
    }
    return merged
  }

  #mergeCalls({ calls, callsByIndex }: MergedChoice, pieces: readonly unknown[]): void {
    for (const piece of pieces) {
      if (!isObject(piece)) continue
      const { index, ...fields } = piece
      const position = typeof index === 'number' ? index : positionOf(calls, piece)
      let call = callsByIndex.get(position)
      if (call === undefined) {
        call = {}
        calls.push(call)
        callsByIndex.set(position, call)
      }
      for (const [name, value] of Object.entries(fields)) this.#mergeField(call, name, value)
    }
  }

  #mergeField(target: Fields, name: string, value: unknown): void {
    if (value === undefined || isPrototype(name)) return
    const current = Object.hasOwn(target, name) ? (target[name] ?? undefined) : undefined
    if (current === undefined) target[name] = this.#copy(value)
    else if (value !== null) target[name] = this.#mergeValues(name, current, value)
  }

  /** Lists and objects of the target are its own and are changed in it. */
  #mergeValues(name: string, current: unknown, value: unknown): unknown {
    if (typeof current === 'string' && typeof value === 'string') return this.#mergeTexts(name, current, value)
    if (Array.isArray(current) && Array.isArray(value)) {
      for (const item of value) current.push(this.#copy(item))
      return current
    }
    if (isObject(current) && isObject(value)) {
      for (const [member, item] of Object.entries(value)) this.#mergeField(current, member, item)
      return current
    }
    const isMixedContent = name === 'content' && (Array.isArray(current) || Array.isArray(value))
    return isMixedContent ? this.#mergeValues(name, toParts(current), toParts(value)) : this.#copy(value)
  }

  #mergeTexts(name: string, current: string, value: string): string {
    if (WHOLE_TEXT_FIELDS.has(name)) return value === '' ? current : value
    this.#size += value.length
    return current + value
  }

  /** A copy without the lists and objects of the chunk; counts its size. */
  #copy(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#copy(item))
    if (!isObject(value) || isRawNumber(value)) {
      this.#size += typeof value === 'string' ? value.length : SCALAR_SIZE
      return value
    }
    const copy: Fields = {}
    for (const [name, item] of Object.entries(value)) {
      this.#size += name.length
      if (!isPrototype(name)) copy[name] = this.#copy(item)
    }
    return copy
  }
}

function choiceOf({ choice, calls }: MergedChoice): CompletionChoice {
  return calls.length === 0 ? choice : { ...choice, message: { ...choice.message, tool_calls: calls } }
}

/** Without an index, another id begins a new call. */
function positionOf(calls: readonly Fields[], piece: Fields): number {
  const last = calls.at(-1)
  const isNew = last === undefined || (typeof piece.id === 'string' && piece.id !== '' && piece.id !== last.id)
  return isNew ? calls.length : calls.length - 1
}

/** Content that comes as text and as a list of parts is a list of parts. */
function toParts(content: unknown): unknown[] {
  if (Array.isArray(content)) return content
  return content === '' ? [] : [{ type: 'text', text: content }]
}

/** JSON may contain a member of this name, which must not set the prototype of an object. */
function isPrototype(name: string): boolean {
  return name === '__proto__'
}
