import { afterCurrentTick } from './effects.ts'
import { parseExactJson } from './exact-json.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SPACE = 0x20
const LETTER_U = 0x75
/** Of `\\uXXXX`. */
const ESCAPE_BYTES = 6
const HIGH_HALF = /^d[89ab]/i
const BYTE_ORDER_MARK = Buffer.from('\ufeff')

/** Bytes that are read between two turns of the event loop, which takes about two milliseconds. */
const STEP_BYTES = 262_144
/** Making a value takes as long as reading this many bytes of text. */
const VALUE_BYTES = 128
/** A longer text is decoded in steps. */
const PIECE_BYTES = 65_536
/** No number needs as many, and a parser reads it in one step. */
const NUMBER_MAX_BYTES = 65_536
/** White space that is skipped before the size of the step is looked at. */
const SPACE_MAX_BYTES = 4_096
/** In a text this many bytes are looked at one by one, before the next quote is searched natively. */
const NEAR_BYTES = 64

export interface ParseInStepsOptions {
  readonly parseNumber: (text: string) => unknown
}

type Steps<Result> = Generator<undefined, Result, undefined>

/**
 * Parses JSON as `JSON.parse` does, in steps between which the process does other work; the bytes are overwritten. What
 * it needs besides the bytes and the value is small. Rejects with `SyntaxError`, also for the member `__proto__` and for
 * a `prototype` in a `constructor`, with which a copy of the value would change the prototype of an object.
 */
export async function parseJsonInSteps(bytes: Buffer, options: ParseInStepsOptions): Promise<unknown> {
  const steps = new JsonReader(bytes, options).read()
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await new Promise<void>(afterCurrentTick)
  }
}

/** A text that is at least as long is parsed in steps. */
const LARGE_CHARACTERS = 65_536

/**
 * What `parse` returns; a promise for a large text, which is parsed in steps. Throws or rejects with `SyntaxError`.
 *
 * @param parse `JSON.parse`, or another parser of numbers
 */
export function parseLargeJson(text: string, parse: (text: string) => unknown = parseExactJson): unknown {
  return text.length < LARGE_CHARACTERS ? parse(text) : parseJsonInSteps(Buffer.from(text), { parseNumber: parse })
}

interface Container {
  readonly value: unknown[] | Record<string, unknown>
  /** Of the member that is read. */
  name: string
}

class JsonReader {
  readonly #bytes: Buffer
  readonly #parseNumber: (text: string) => unknown
  readonly #open: Container[] = []
  #at = 0
  /** What was read in this step. */
  #stepBytes = 0

  constructor(bytes: Buffer, { parseNumber }: ParseInStepsOptions) {
    this.#bytes = bytes
    this.#parseNumber = parseNumber
    if (bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) this.#at = BYTE_ORDER_MARK.length
  }

  *read(): Steps<unknown> {
    for (;;) {
      let value = yield* this.#begin()
      // Undefined: a list or an object has begun, and its first value is next.
      while (value !== undefined) {
        const container = this.#open.at(-1)
        if (container === undefined) {
          if ((yield* this.#skipSpace()) !== undefined) throw invalid()
          return value
        }
        add(container, value)
        value = yield* this.#end(container)
      }
      if (this.#isStepOver(VALUE_BYTES)) yield* this.#pause()
    }
  }

  /** Reads the next value; returns undefined behind the start of a list or an object that is not empty. */
  *#begin(): Steps<unknown> {
    const byte = yield* this.#skipSpace()
    if (byte === QUOTE) return yield* this.#readText()
    if (byte !== OPEN_LIST && byte !== OPEN_OBJECT) return this.#readScalar()
    this.#at++
    const container: Container = { value: byte === OPEN_LIST ? [] : {}, name: '' }
    const next = yield* this.#skipSpace()
    if (next === (byte === OPEN_LIST ? CLOSE_LIST : CLOSE_OBJECT)) {
      this.#at++
      return container.value
    }
    this.#open.push(container)
    if (byte === OPEN_OBJECT) yield* this.#readName(container)
    return undefined
  }

  /** Reads what follows a member; returns the list or the object if that was its last one. */
  *#end(container: Container): Steps<unknown> {
    const byte = yield* this.#skipSpace()
    const isList = Array.isArray(container.value)
    this.#at++
    if (byte === COMMA) {
      if (!isList) yield* this.#readName(container)
      return undefined
    }
    if (byte !== (isList ? CLOSE_LIST : CLOSE_OBJECT)) throw invalid()
    this.#open.pop()
    return container.value
  }

  *#readName(container: Container): Steps<void> {
    if ((yield* this.#skipSpace()) !== QUOTE) throw invalid()
    container.name = yield* this.#readText()
    if ((yield* this.#skipSpace()) !== COLON) throw invalid()
    this.#at++
  }

  /** The next byte that is no white space, which is not taken; undefined at the end. */
  *#skipSpace(): Steps<number | undefined> {
    for (;;) {
      const end = this.#at + SPACE_MAX_BYTES
      for (; this.#at < end; this.#at++) {
        const byte = this.#bytes[this.#at]
        if (byte === undefined || !isSpace(byte)) return byte
      }
      if (this.#isStepOver(SPACE_MAX_BYTES)) yield* this.#pause()
    }
  }

  /** A number, `true`, `false` or `null`. */
  #readScalar(): unknown {
    const start = this.#at
    while (isScalar(this.#bytes[this.#at])) this.#at++
    this.#stepBytes += this.#at - start
    if (this.#at - start > NUMBER_MAX_BYTES) throw invalid()
    const text = this.#bytes.toString('latin1', start, this.#at)
    const first = this.#bytes[start]
    return first !== undefined && first < 0x3a ? this.#parseNumber(text) : JSON.parse(text)
  }

  /** Behind its first quote a text ends at the next quote that is not escaped. */
  *#readText(): Steps<string> {
    const start = this.#at
    const end = yield* this.#findTextEnd(start + 1)
    this.#at = end + 1
    this.#stepBytes += end - start
    if (end - start <= PIECE_BYTES) return JSON.parse(this.#bytes.toString('utf8', start, end + 1)) as string
    return yield* this.#decodeLongText(start + 1, end)
  }

  *#findTextEnd(start: number): Steps<number> {
    const bytes = this.#bytes
    let from = start
    for (let at = start; ; ) {
      const end = Math.min(at + NEAR_BYTES, bytes.length)
      for (; at < end; at++) {
        if (bytes[at] === QUOTE) return at
        if (bytes[at] === BACKSLASH) at++
      }
      if (at >= bytes.length) throw invalid()
      const next = skipPlainText(bytes, at)
      if (this.#isStepOver(at - from)) yield* this.#pause()
      from = next
      at = next
    }
  }

  /**
   * The text between two quotes. Its escapes are overwritten piece by piece, because no character takes more bytes than
   * its escape; then all of it is decoded in one native call. Half a character, which UTF-8 cannot express, makes the
   * pieces themselves the result.
   */
  *#decodeLongText(start: number, end: number): Steps<string> {
    const bytes = this.#bytes
    const hasEscapes = bytes.subarray(start, end).includes(BACKSLASH)
    let written = start
    for (let at = start; at < end; ) {
      const next = hasEscapes ? endOfPiece(bytes, at, end) : Math.min(at + PIECE_BYTES, end)
      const piece = hasEscapes ? bytes.toString('utf8', at, next) : bytes.toString('latin1', at, next)
      const text = JSON.parse(`"${piece}"`) as string
      if (!text.isWellFormed()) return yield* this.#joinPieces(bytes.toString('utf8', start, written), at, end)
      if (hasEscapes) written += bytes.write(text, written)
      if (this.#isStepOver(next - at)) yield* this.#pause()
      at = next
    }
    yield* this.#pause()
    const text = bytes.toString('utf8', start, hasEscapes ? written : end)
    yield* this.#pause()
    return text
  }

  *#joinPieces(head: string, start: number, end: number): Steps<string> {
    const pieces = [head]
    for (let at = start; at < end; ) {
      const next = endOfPiece(this.#bytes, at, end)
      pieces.push(JSON.parse(`"${this.#bytes.toString('utf8', at, next)}"`) as string)
      if (this.#isStepOver(next - at)) yield* this.#pause()
      at = next
    }
    return pieces.join('')
  }

  #isStepOver(bytes: number): boolean {
    this.#stepBytes += bytes
    return this.#stepBytes > STEP_BYTES
  }

  *#pause(): Steps<void> {
    this.#stepBytes = 0
    yield undefined
  }
}

function add({ value, name }: Container, member: unknown): void {
  if (Array.isArray(value)) {
    value.push(member)
    return
  }
  const isForbidden = name === '__proto__' || (name === 'constructor' && hasPrototype(member))
  if (isForbidden) throw invalid()
  value[name] = member
}

function hasPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 0x09 && byte <= 0x0d && byte !== 0x0b && byte !== 0x0c)
}

/** Letters, digits, signs and the point. */
function isScalar(byte: number | undefined): boolean {
  if (byte === undefined) return false
  const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
  return isLetter || (byte >= 0x2b && byte <= 0x39 && byte !== COMMA)
}

/** The index of the next quote, or of the backslashes before it: what precedes them cannot end a text. */
function skipPlainText(bytes: Buffer, start: number): number {
  const quote = bytes.indexOf(QUOTE, start)
  const end = quote === -1 ? bytes.length : quote
  let at = end
  while (at > start && bytes[at - 1] === BACKSLASH) at--
  return at
}

/** The end of a piece of a text with escapes: never within a character or its escape, nor between the halves of one. */
function endOfPiece(bytes: Buffer, start: number, textEnd: number): number {
  const limit = start + PIECE_BYTES
  if (limit >= textEnd) return textEnd
  const last = bytes.lastIndexOf(BACKSLASH, limit - 1)
  if (last >= limit - ESCAPE_BYTES && isEscape(bytes, last, start)) {
    const isUnicode = bytes[last + 1] === LETTER_U
    const end = last + (isUnicode ? ESCAPE_BYTES : 2)
    const isHighHalf = isUnicode && HIGH_HALF.test(bytes.toString('latin1', last + 2, last + ESCAPE_BYTES))
    if (end > limit || isHighHalf) return last
  }
  let end = limit
  while (isContinuation(bytes[end])) end--
  return end
}

/** Whether a backslash begins an escape: those directly before it are pairs. */
function isEscape(bytes: Buffer, position: number, start: number): boolean {
  let at = position
  while (at > start && bytes[at - 1] === BACKSLASH) at--
  return (position - at) % 2 === 0
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}

function invalid(): SyntaxError {
  return new SyntaxError('The text is not valid JSON.')
}
