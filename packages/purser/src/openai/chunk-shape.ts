import { textBytesOfChunk } from './estimate-tokens.ts'
import { hasUsage } from './sniff-chunk.ts'
import { TOOL_CALLS } from './tool-calls.ts'

/** The members whose values differ between the chunks of one answer. */
const TEXTS = /"(?:content|reasoning_content|reasoning|arguments|obfuscation)"\s*:\s*"(?!")/g
/** Some upstreams give each chunk an id and a time of its own. */
const TEXTS_AND_HEADER = new RegExp(`^\\{"id":"|"created":(?=[1-9])|${TEXTS.source}`, 'g')

/** The end of a piece that is followed by a text of the answer. */
const BEFORE_ANSWER = /"(?:content|reasoning_content|reasoning|arguments)"\s*:\s*"$/

/** A longer chunk is not learned. */
const MAX_LENGTH = 2_048
/** After so many chunks of different shapes in a row, id and time are expected to differ. */
const HEADER_MISSES = 4
/** After so many, only a few more are learned. */
const MAX_MISSES = 16

const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_U = 0x75
const ESCAPES = new Set(['"', '\\', '/', 'b', 'f', 'n', 'r', 't'].map((character) => character.charCodeAt(0)))

/**
 * The shape that most chunks of an answer have: the same text around another piece of content. A chunk of the same shape
 * as one that was parsed and needed no change needs none either, and is not parsed.
 *
 * Chunks are found in a text of characters, or in bytes as a text with one character for each (Latin-1): what is compared
 * is ASCII, or does not match.
 */
export class ChunkShape {
  /** What precedes each of the values that differ, and what follows the last; empty: no shape is known. */
  #pieces: readonly string[] = NONE
  /** Whether the value behind each piece is a text of the answer. */
  #isAnswer: readonly boolean[] = NONE
  #misses = 0
  /** Whether its chunks have texts of the answer, and nothing else that a reader of the answer looks at. */
  isPlain = false
  /** The length of the texts of the answer in the chunk that was found last. */
  answerLength = 0

  /** What precedes the first value that differs. */
  get head(): string {
    return this.#pieces[0] ?? ''
  }

  /** The end of a chunk that begins at `start` and differs from the last learned one in these values only; -1: there is none. */
  findEnd(text: string, start: number): number {
    const pieces = this.#pieces
    const last = pieces.length - 1
    if (last < 1) return -1
    let position = start
    let answerLength = 0
    for (let index = 0; index < last; index++) {
      const piece = pieces[index] as string
      const begin = position + piece.length
      // Several times faster than `startsWith`.
      if (text.slice(position, begin) !== piece) return -1
      position = findValueEnd(text, begin)
      if (position === -1) return -1
      if (this.#isAnswer[index]) answerLength += position - begin
    }
    const rest = pieces[last] as string
    const end = position + rest.length
    if (text.slice(position, end) !== rest) return -1
    this.#misses = 0
    this.answerLength = answerLength
    return end
  }

  /** Learns the shape of a chunk that is in its final form. */
  learn(chunk: string): void {
    this.#misses++
    const isWorthIt = chunk.length <= MAX_LENGTH && (this.#misses <= MAX_MISSES || this.#misses % MAX_MISSES === 0)
    const values = this.#misses > HEADER_MISSES ? TEXTS_AND_HEADER : TEXTS
    if (!isWorthIt) {
      this.forget()
      return
    }
    const split = splitAtValues(chunk, values)
    this.#pieces = split.pieces
    this.#isAnswer = split.pieces.map((piece) => BEFORE_ANSWER.test(piece))
    const answer = split.values.filter((_, index) => this.#isAnswer[index])
    const answerBytes = answer.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0)
    this.isPlain = answerBytes === textBytesOfChunk(chunk) && !chunk.includes(TOOL_CALLS) && !hasUsage(chunk)
  }

  forget(): void {
    this.#pieces = NONE
    this.isPlain = false
  }
}

const NONE: readonly never[] = []

/** A quote inside a JSON string is escaped, so a match is always a member. */
function splitAtValues(chunk: string, members: RegExp): { readonly pieces: string[]; readonly values: string[] } {
  const pieces: string[] = []
  const values: string[] = []
  let start = 0
  members.lastIndex = 0
  while (members.test(chunk)) {
    const begin = members.lastIndex
    pieces.push(chunk.slice(start, begin))
    start = findValueEnd(chunk, begin)
    values.push(chunk.slice(begin, start))
    members.lastIndex = start
  }
  pieces.push(chunk.slice(start))
  return { pieces, values }
}

/** The end of a text behind its opening quote, or of an integer behind the colon; -1 if the value is neither. */
function findValueEnd(chunk: string, start: number): number {
  return chunk.charCodeAt(start - 1) === COLON ? findIntegerEnd(chunk, start) : findTextEnd(chunk, start)
}

function findIntegerEnd(text: string, start: number): number {
  let index = start
  for (let code = text.charCodeAt(index); code >= ZERO && code <= NINE; code = text.charCodeAt(++index));
  return index === start || text.charCodeAt(start) === ZERO ? -1 : index
}

/** The index of the quote that ends the JSON string that contains `start`; -1 if it is no JSON string. */
function findTextEnd(text: string, start: number): number {
  for (let index = start; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) return index
    if (code < 0x20) return -1
    if (code !== BACKSLASH) continue
    index++
    const escaped = text.charCodeAt(index)
    if (escaped === LOWER_U) {
      if (!/^[\da-f]{4}$/i.test(text.slice(index + 1, index + 5))) return -1
      index += 4
    } else if (!ESCAPES.has(escaped)) return -1
  }
  return -1
}
