import { isObject } from '../core/validate.ts'
import type { ChatChunk, ChatCompletion, ChunkChoice, CompletionChoice, FinishReason, Usage } from './chat.ts'

type Fields = Record<string, unknown>

/** Fields of a chunk that are not fields of the completion. */
const CHUNK_FIELDS = new Set(['object', 'choices'])
/** Fields of a chunk's choice that are merged in their own way. */
const CHOICE_FIELDS = new Set(['index', 'delta', 'finish_reason'])

/** Text fields that a provider sends once or repeats whole; all other text arrives in pieces. */
const WHOLE_TEXT_FIELDS = new Set(['role', 'id', 'type', 'name', 'format'])

/**
 * A completion as a stream: for each choice a chunk with its whole message and one with its finish reason, then one with
 * the usage, if there is any. `mergeChunks` of these chunks gives the same completion.
 */
export function toChunks(completion: ChatCompletion): ChatChunk[] {
  const { choices, usage, object: _, ...shared } = completion
  const createChunk = (chunkChoices: ChunkChoice[], fields?: Fields): ChatChunk => ({
    ...shared,
    object: 'chat.completion.chunk',
    choices: chunkChoices,
    ...fields,
  })
  const chunks: ChatChunk[] = []
  for (const { message, finish_reason, ...rest } of choices) {
    chunks.push(createChunk([{ ...rest, delta: toDelta(message), finish_reason: null }]))
    chunks.push(createChunk([{ index: rest.index, delta: {}, finish_reason }]))
  }
  if ((usage ?? null) !== null || chunks.length === 0) chunks.push(createChunk([], { usage: usage ?? null }))
  return chunks
}

function toDelta(message: CompletionChoice['message']): ChunkChoice['delta'] {
  if (!Array.isArray(message.tool_calls)) return { ...message }
  return { ...message, tool_calls: message.tool_calls.map((call, index) => ({ index, ...(call as Fields) })) }
}

/**
 * The completion that a stream consists of. Pieces of one choice and of one tool call are merged by their index. Of an
 * unknown field, text is concatenated and lists are appended; of other values the last one is used.
 */
export function mergeChunks(chunks: readonly ChatChunk[]): ChatCompletion {
  const shared: Fields = {}
  const choices = new Map<number, CompletionChoice>()
  for (const chunk of chunks) {
    mergeSharedFields(shared, chunk)
    for (const choice of chunk.choices ?? []) mergeChoice(choices, choice)
  }
  const first = chunks[0]
  return {
    ...shared,
    id: first?.id ?? '',
    object: 'chat.completion',
    created: first?.created ?? 0,
    model: first?.model ?? '',
    choices: [...choices.values()].sort((a, b) => a.index - b.index).map(withoutCallIndexes),
  }
}

/** The last value of each field; null only if no chunk has another value. */
function mergeSharedFields(shared: Fields, chunk: ChatChunk): void {
  for (const [name, value] of Object.entries(chunk)) {
    if (CHUNK_FIELDS.has(name) || isPrototype(name)) continue
    // `usage: null` in a chunk means that a later one has the usage.
    if (value === null && (name === 'usage' || shared[name] !== undefined)) continue
    shared[name] = value
  }
}

function mergeChoice(choices: Map<number, CompletionChoice>, piece: ChunkChoice): void {
  const index = piece.index ?? 0
  let choice = choices.get(index)
  if (choice === undefined) {
    choice = { index, message: { role: 'assistant', content: null }, finish_reason: null }
    choices.set(index, choice)
  }
  if ((piece.finish_reason ?? null) !== null) choice.finish_reason = piece.finish_reason
  mergeFields(choice.message, piece.delta ?? {})
  const otherFields = Object.entries(piece).filter(([name]) => !CHOICE_FIELDS.has(name))
  mergeFields(choice, Object.fromEntries(otherFields))
}

function mergeFields(target: Fields, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || isPrototype(name)) continue
    const current = target[name] ?? undefined
    if (name === 'tool_calls' && Array.isArray(value)) target[name] = mergeCalls(current, value)
    else if (current === undefined) target[name] = value
    else if (value !== null) target[name] = mergeValues(name, current, value)
  }
}

function mergeValues(name: string, current: unknown, value: unknown): unknown {
  if (typeof current === 'string' && typeof value === 'string') {
    if (!WHOLE_TEXT_FIELDS.has(name)) return current + value
    return value === '' ? current : value
  }
  if (Array.isArray(current) && Array.isArray(value)) return [...current, ...value]
  if (isObject(current) && isObject(value)) {
    const merged = { ...current }
    mergeFields(merged, value)
    return merged
  }
  return value
}

function mergeCalls(current: unknown, pieces: readonly unknown[]): Fields[] {
  const calls: Fields[] = Array.isArray(current) ? [...current] : []
  for (const piece of pieces) {
    if (!isObject(piece)) continue
    const position = findCall(calls, piece)
    const call = { ...calls[position] }
    mergeFields(call, piece)
    calls[position] = call
  }
  return calls
}

/** The position of the call that a piece belongs to, by its index; without one, another id begins a new call. */
function findCall(calls: readonly Fields[], piece: Fields): number {
  if (typeof piece.index === 'number') {
    const position = calls.findIndex((call) => call.index === piece.index)
    return position === -1 ? calls.length : position
  }
  const last = calls.at(-1)
  const isNew = last === undefined || (typeof piece.id === 'string' && piece.id !== '' && piece.id !== last.id)
  return isNew ? calls.length : calls.length - 1
}

function withoutCallIndexes(choice: CompletionChoice): CompletionChoice {
  const calls = choice.message.tool_calls as Fields[] | undefined
  if (!Array.isArray(calls)) return choice
  return { ...choice, message: { ...choice.message, tool_calls: calls.map(({ index: _, ...call }) => call) } }
}

/** Why the answer ended: `stop` only if every choice did; null if it has not ended, or was cut. */
export function finishReasonOf(answer: ChatCompletion | ChatChunk): FinishReason | null {
  let finish: FinishReason | null = null
  for (const choice of answer.choices ?? []) {
    const reason = choice.finish_reason ?? null
    if (reason !== null && (finish === null || finish === 'stop')) finish = reason
  }
  return finish
}

/** The usage that a completion or a chunk reports; undefined if it reports none. */
export function usageOf(answer: ChatCompletion | ChatChunk): Usage | undefined {
  return isObject(answer.usage) ? answer.usage : undefined
}

/** JSON may contain a member of this name, which must not set the prototype of an object. */
function isPrototype(name: string): boolean {
  return name === '__proto__'
}
