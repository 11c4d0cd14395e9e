import type { ChatChunk, ChatCompletion, ChunkChoice, CompletionChoice, FinishReason, Usage } from './chat.ts'

type Fields = Record<string, unknown>

/** Fields of a chunk that are told anew in each one, and are not part of the message. */
const TOLD_BY_CHUNK = new Set(['object', 'choices'])
const TOLD_BY_CHOICE = new Set(['index', 'delta', 'finish_reason'])

/** Texts that are told once; all other texts come in pieces. */
const WHOLE_TEXTS = new Set(['role', 'id', 'type', 'name', 'format'])

/**
 * A completion told as a stream: a chunk with the whole message of each choice, one with its finish reason, and at
 * last the usage, if there is one. `completionOf` of these chunks gives the same completion.
 */
export function chunksOf(completion: ChatCompletion): ChatChunk[] {
  const { choices, usage, object: _, ...shared } = completion
  const chunk = (told: ChunkChoice[], more?: Fields): ChatChunk => ({
    ...shared,
    object: 'chat.completion.chunk',
    choices: told,
    ...more,
  })
  const chunks: ChatChunk[] = []
  for (const { message, finish_reason, ...rest } of choices) {
    chunks.push(chunk([{ ...rest, delta: asDelta(message), finish_reason: null }]))
    chunks.push(chunk([{ index: rest.index, delta: {}, finish_reason }]))
  }
  if ((usage ?? null) !== null || chunks.length === 0) chunks.push(chunk([], { usage: usage ?? null }))
  return chunks
}

function asDelta(message: CompletionChoice['message']): ChunkChoice['delta'] {
  if (!Array.isArray(message.tool_calls)) return { ...message }
  return { ...message, tool_calls: message.tool_calls.map((call, index) => ({ index, ...(call as Fields) })) }
}

/**
 * The completion that a stream has told. Pieces of one choice and of one tool call are put together by their index;
 * a field that Purser does not know is joined when it is text, appended when it is a list, else the last one stands.
 */
export function completionOf(chunks: readonly ChatChunk[]): ChatCompletion {
  const shared: Fields = {}
  const choices = new Map<number, CompletionChoice>()
  for (const chunk of chunks) {
    for (const [name, value] of Object.entries(chunk)) {
      if (!TOLD_BY_CHUNK.has(name) && safe(name) && (value !== null || isNews(name, shared))) shared[name] = value
    }
    for (const told of chunk.choices ?? []) {
      const index = told.index ?? 0
      let choice = choices.get(index)
      if (choice === undefined) {
        choice = { index, message: { role: 'assistant', content: null }, finish_reason: null }
        choices.set(index, choice)
      }
      mergeChoice(choice, told)
    }
  }
  const first = chunks[0]
  return {
    ...shared,
    id: first?.id ?? '',
    object: 'chat.completion',
    created: first?.created ?? 0,
    model: first?.model ?? '',
    choices: [...choices.values()].sort((a, b) => a.index - b.index).map(withoutCallIndex),
  }
}

/** A null is told only where nothing is known; `usage: null` in a chunk means that it is told later. */
function isNews(name: string, known: Fields): boolean {
  return name !== 'usage' && known[name] === undefined
}

function withoutCallIndex(choice: CompletionChoice): CompletionChoice {
  const calls = choice.message.tool_calls as Fields[] | undefined
  if (!Array.isArray(calls)) return choice
  return { ...choice, message: { ...choice.message, tool_calls: calls.map(({ index: _, ...call }) => call) } }
}

function mergeChoice(choice: CompletionChoice, told: ChunkChoice): void {
  if ((told.finish_reason ?? null) !== null) choice.finish_reason = told.finish_reason
  mergeInto(choice.message, told.delta ?? {})
  const rest = Object.entries(told).filter(([name]) => !TOLD_BY_CHOICE.has(name))
  mergeInto(choice, Object.fromEntries(rest))
}

function mergeInto(target: Fields, told: Fields): void {
  for (const [name, value] of Object.entries(told)) {
    if (value === undefined || !safe(name)) continue
    const known = target[name] ?? undefined
    if (name === 'tool_calls' && Array.isArray(value)) target[name] = mergeCalls(known as Fields[] | undefined, value)
    else if (known === undefined) target[name] = value
    else if (value !== null) target[name] = joined(name, known, value)
  }
}

function joined(name: string, known: unknown, value: unknown): unknown {
  if (typeof known === 'string' && typeof value === 'string') {
    if (!WHOLE_TEXTS.has(name)) return known + value
    return value === '' ? known : value
  }
  if (Array.isArray(known) && Array.isArray(value)) return [...known, ...value]
  if (isFields(known) && isFields(value)) {
    const both = { ...known }
    mergeInto(both, value)
    return both
  }
  return value
}

/** The index says which call a piece belongs to; without one, a piece with another id begins a new call. */
function mergeCalls(known: Fields[] | undefined, pieces: readonly unknown[]): Fields[] {
  const calls = Array.isArray(known) ? [...known] : []
  for (const piece of pieces) {
    if (!isFields(piece)) continue
    const place = placeOf(piece, calls)
    const call = { ...calls[place] }
    mergeInto(call, piece)
    calls[place] = call
  }
  return calls
}

function placeOf(piece: Fields, calls: readonly Fields[]): number {
  if (typeof piece.index === 'number') {
    const place = calls.findIndex((call) => call.index === piece.index)
    return place === -1 ? calls.length : place
  }
  const last = calls.at(-1)
  const isNew = last === undefined || (typeof piece.id === 'string' && piece.id !== '' && piece.id !== last.id)
  return isNew ? calls.length : calls.length - 1
}

/** Why the answer ended: `stop` only if every choice did; null when it has not (or was cut). */
export function finishOf(answer: ChatCompletion | ChatChunk): FinishReason | null {
  let finish: FinishReason | null = null
  for (const choice of answer.choices ?? []) {
    const reason = choice.finish_reason ?? null
    if (reason !== null && (finish === null || finish === 'stop')) finish = reason
  }
  return finish
}

/** The usage that a completion or a chunk tells, if it tells one. */
export function usageOf(answer: ChatCompletion | ChatChunk): Usage | undefined {
  return isFields(answer.usage) ? answer.usage : undefined
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** JSON may hold a member of this name, which must not become the prototype of an object. */
function safe(name: string): boolean {
  return name !== '__proto__'
}
