import { isObject } from '../core/validate.ts'

/** A piece of a tool call in a delta, with fields of the right types only. */
export interface ToolCallPiece {
  index?: number
  id?: string
  function?: { name?: string; arguments?: string; [field: string]: unknown }
  [field: string]: unknown
}

interface Call {
  readonly index: number
  /** As the upstream counts; undefined if it does not. */
  readonly upstreamIndex: number | undefined
  readonly id: string
  name: string | undefined
  /** Collected only for a call without an upstream index, to see where it ends. */
  arguments: string
}

/**
 * Gives each tool call of one choice an index and an id of its own. Providers send parallel calls under one index, or
 * without any; what tells them apart then are their ids and names. Only the first piece of a call has its id and name,
 * because clients append those of later pieces.
 */
export class ToolCallIndex {
  readonly #createId: () => string
  /** The last call under each index of the upstream. */
  readonly #byUpstreamIndex = new Map<number, Call>()
  readonly #byId = new Map<string, Call>()
  readonly #indexes = new Set<number>()
  #nextIndex = 0
  #last: Call | undefined

  constructor(createId: () => string) {
    this.#createId = createId
  }

  /** Completes a piece. Returns whether that changed it. */
  assign(piece: ToolCallPiece): boolean {
    const found = this.#find(piece)
    const call = found ?? this.#start(piece)
    let isChanged = piece.index !== call.index
    piece.index = call.index
    if (found === undefined) {
      isChanged ||= piece.id !== call.id
      piece.id = call.id
    } else isChanged = dropRepeated(piece, call) || isChanged
    call.name ??= piece.function?.name
    if (call.upstreamIndex === undefined) call.arguments += piece.function?.arguments ?? ''
    this.#last = call
    return isChanged
  }

  #start({ id = `call_${this.#createId()}`, index, function: definition }: ToolCallPiece): Call {
    const isFree = index !== undefined && !this.#indexes.has(index)
    const call: Call = {
      index: isFree ? index : this.#nextIndex,
      upstreamIndex: index,
      id,
      name: definition?.name,
      arguments: '',
    }
    this.#nextIndex = Math.max(this.#nextIndex, call.index + 1)
    this.#indexes.add(call.index)
    this.#byId.set(id, call)
    if (index !== undefined) this.#byUpstreamIndex.set(index, call)
    return call
  }

  /** The call that a piece continues; undefined if the piece begins one. */
  #find(piece: ToolCallPiece): Call | undefined {
    const { index, id } = piece
    const withId = id === undefined ? undefined : this.#byId.get(id)
    const isSame = withId !== undefined && (index === undefined || withId.upstreamIndex === index)
    const call = isSame ? withId : index === undefined ? this.#last : this.#byUpstreamIndex.get(index)
    return call === undefined || isNewCall(piece, call) ? undefined : call
  }
}

function isNewCall({ id, index, function: definition }: ToolCallPiece, current: Call): boolean {
  const name = definition?.name
  const hasIndex = index !== undefined
  const hasOtherName = name !== undefined && current.name !== undefined && name !== current.name
  if (id !== undefined) return hasOtherName || (id !== current.id && (!hasIndex || name !== undefined))
  return hasOtherName || (!hasIndex && name !== undefined && current.name !== undefined && isComplete(current))
}

function isComplete({ arguments: text }: Call): boolean {
  if (!text.trimEnd().endsWith('}')) return false
  try {
    return isObject(JSON.parse(text))
  } catch {
    return false
  }
}

function dropRepeated(piece: ToolCallPiece, call: Call): boolean {
  const repeatsName = call.name !== undefined && piece.function?.name !== undefined
  if (repeatsName) delete piece.function?.name
  const repeatsId = piece.id !== undefined
  delete piece.id
  return repeatsName || repeatsId
}
