import { afterCurrentTick } from './effects.ts'
import { isRawNumber } from './exact-json.ts'

/** Writing this many characters takes well under a millisecond. */
const PIECE_CHARACTERS = 65_536
/** A value is large from this many characters and values on. */
const LARGE_SIZE = 65_536
/** Pieces written or hashed between two turns of the event loop. */
const PIECES_PER_STEP = 4

/** Whether writing a value as JSON in one step could hold up the event loop. Looks at no more of it than that takes. */
export function isLargeJson(value: unknown): boolean {
  const pending: unknown[] = [value]
  let size = 0
  while (pending.length > 0 && size <= LARGE_SIZE) {
    const node = pending.pop()
    size++
    if (typeof node === 'string') size += node.length
    else if (Array.isArray(node)) size += pushItems(node, pending)
    else if (typeof node === 'object' && node !== null) size += pushMembers(node, pending)
  }
  return size > LARGE_SIZE
}

/** Returns the size of the list without its items. */
function pushItems(list: readonly unknown[], pending: unknown[]): number {
  if (list.length <= LARGE_SIZE) for (const item of list) pending.push(item)
  return list.length
}

/** Returns the size of the names. */
function pushMembers(object: object, pending: unknown[]): number {
  let size = 0
  for (const name in object) {
    size += name.length
    if (size > LARGE_SIZE) break
    pending.push((object as Record<string, unknown>)[name])
  }
  return size
}

export interface JsonPieceOptions {
  /** The names of an object's members in the order in which they are written. */
  readonly namesOf: (object: object) => string[]
  /** The text of a value that is no plain JSON, such as a Map; undefined: the value is left out, as by `JSON.stringify`. */
  readonly writeOther: (value: unknown) => string | undefined
  readonly maxDepth: number
  /** Writes an object or a list that is nested deeper than `maxDepth`, in those of `open`; or throws. */
  readonly onTooDeep: (value: object, open: readonly object[]) => string
}

const PLAIN: JsonPieceOptions = {
  namesOf: Object.keys,
  writeOther: (value) => JSON.stringify(value),
  maxDepth: 1_024,
  onTooDeep(value, open) {
    // `JSON.stringify` would notice it too, but only after many seconds.
    if (open.includes(value)) throw new TypeError('A value that contains itself cannot be written as JSON.')
    return JSON.stringify(value)
  },
}

/**
 * The text of `JSON.stringify` in pieces of about 64K characters. No piece ends between the two halves of a character, so
 * that each can be encoded alone.
 */
export function jsonPieces(value: unknown, options: JsonPieceOptions = PLAIN): Generator<string, void, undefined> {
  return new PieceWriter(options).writeAll(value)
}

class PieceWriter {
  readonly #options: JsonPieceOptions
  /** The objects and lists that are being written, one in the other. */
  readonly #open: object[] = []
  #text = ''

  constructor(options: JsonPieceOptions) {
    this.#options = options
  }

  *writeAll(value: unknown): Generator<string, void, undefined> {
    if (!(yield* this.#write(resolve(value, ''), '', 0))) this.#text += 'null'
    yield this.#take()
  }

  /** Writes `head` and the value; writes nothing and returns false for a value that JSON leaves out. */
  *#write(value: unknown, head: string, depth: number): Generator<string, boolean, undefined> {
    if (typeof value === 'string') {
      this.#text += head
      yield* this.#writeString(value)
    } else if (isPlainObject(value)) {
      this.#text += head
      if (depth === this.#options.maxDepth) this.#text += this.#options.onTooDeep(value, this.#open)
      else if (Array.isArray(value)) yield* this.#writeArray(value, depth)
      else yield* this.#writeObject(value, depth)
    } else {
      const text = isRawNumber(value) ? value.rawJSON : this.#options.writeOther(value)
      if (text === undefined) return false
      this.#text += head + text
    }
    if (this.#text.length >= PIECE_CHARACTERS) yield this.#take()
    return true
  }

  *#writeArray(values: readonly unknown[], depth: number): Generator<string, void, undefined> {
    this.#open.push(values)
    this.#text += '['
    for (let index = 0; index < values.length; index++) {
      if (index > 0) this.#text += ','
      const isWritten = yield* this.#write(resolve(values[index], String(index)), '', depth + 1)
      if (!isWritten) this.#text += 'null'
    }
    this.#text += ']'
    this.#open.pop()
  }

  *#writeObject(object: object, depth: number): Generator<string, void, undefined> {
    let separator = ''
    this.#open.push(object)
    this.#text += '{'
    for (const name of this.#options.namesOf(object)) {
      const member = resolve((object as Record<string, unknown>)[name], name)
      if (yield* this.#write(member, `${separator}${JSON.stringify(name)}:`, depth + 1)) separator = ','
    }
    this.#text += '}'
    this.#open.pop()
  }

  *#writeString(text: string): Generator<string, void, undefined> {
    if (text.length <= PIECE_CHARACTERS) {
      this.#text += JSON.stringify(text)
      return
    }
    this.#text += '"'
    for (let at = 0; at < text.length; ) {
      const end = endOfPiece(text, at)
      this.#text += JSON.stringify(text.slice(at, end)).slice(1, -1)
      at = end
      yield this.#take()
    }
    this.#text += '"'
  }

  #take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }
}

/** What `JSON.stringify` writes instead of a value with a `toJSON` method. */
function resolve(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { toJSON } = value as { toJSON?: unknown }
  return typeof toJSON === 'function' ? toJSON.call(value, name) : value
}

/** False for objects with internal state, such as a Map: their own members are not all of their data. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype || prototype === null || Object.prototype.toString.call(value) === '[object Object]'
  )
}

function endOfPiece(text: string, start: number): number {
  const end = start + PIECE_CHARACTERS
  if (end >= text.length) return text.length
  const isHighHalf = (text.charCodeAt(end - 1) & 0xfc00) === 0xd800
  return isHighHalf ? end - 1 : end
}

/** Calls `use` for the bytes of all pieces. Other work of the process has its turn every few pieces. */
export async function forEachPiece(pieces: Iterable<string>, use: (bytes: Buffer) => void): Promise<void> {
  let count = 0
  for (const piece of pieces) {
    use(Buffer.from(piece))
    if (++count % PIECES_PER_STEP === 0) await new Promise<void>(afterCurrentTick)
  }
}

/** The text of `JSON.stringify`; a promise for a large value, which is written in steps. */
export function stringifyJson(value: unknown): string | Promise<string> {
  return isLargeJson(value) ? writeJsonTexts([value]).then(([text = '']) => text) : JSON.stringify(value)
}

/** The texts of `JSON.stringify` of all values, written in steps. */
export async function writeJsonTexts(values: readonly unknown[]): Promise<string[]> {
  const texts: string[] = []
  let count = 0
  for (const value of values) {
    let text = ''
    for (const piece of jsonPieces(value)) {
      text += piece
      if (++count % PIECES_PER_STEP === 0) await new Promise<void>(afterCurrentTick)
    }
    texts.push(text)
  }
  return texts
}

/** The bytes of `JSON.stringify`, in pieces that were written in steps. */
export async function encodeJson(value: unknown): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = []
  await forEachPiece(jsonPieces(value), (bytes) => pieces.push(bytes))
  return pieces
}
