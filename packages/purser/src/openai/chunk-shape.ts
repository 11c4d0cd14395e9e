/** The members whose values differ between the chunks of one answer. */
const TEXTS = /"(?:content|reasoning_content|reasoning|arguments|obfuscation)"\s*:\s*"(?!")/g
/** Some upstreams give each chunk an id and a time of its own. */
const TEXTS_AND_HEADER = new RegExp(`^\\{"id":"|"created":(?=[1-9])|${TEXTS.source}`, 'g')

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
 */
export class ChunkShape {
  /** What precedes each of the values that differ, and what follows the last; empty: no shape is known. */
  #pieces: readonly string[] = []
  #misses = 0

  /** Whether the chunk differs from the last learned one in these values only. */
  matches(chunk: string): boolean {
    const pieces = this.#pieces
    const last = pieces.length - 1
    if (last < 1) return false
    let position = 0
    for (let index = 0; index < last; index++) {
      const piece = pieces[index] as string
      const start = position + piece.length
      // Several times faster than `startsWith`.
      if (chunk.slice(position, start) !== piece) return false
      position = findValueEnd(chunk, start)
      if (position === -1) return false
    }
    if (chunk.slice(position) !== pieces[last]) return false
    this.#misses = 0
    return true
  }

  /** Learns the shape of a chunk that is in its final form. */
  learn(chunk: string): void {
    this.#misses++
    const isWorthIt = chunk.length <= MAX_LENGTH && (this.#misses <= MAX_MISSES || this.#misses % MAX_MISSES === 0)
    const values = this.#misses > HEADER_MISSES ? TEXTS_AND_HEADER : TEXTS
    this.#pieces = isWorthIt ? splitAtValues(chunk, values) : []
  }

  forget(): void {
    this.#pieces = []
  }
}

/** A quote inside a JSON string is escaped, so a match is always a member. */
function splitAtValues(chunk: string, values: RegExp): string[] {
  const pieces: string[] = []
  let start = 0
  values.lastIndex = 0
  while (values.test(chunk)) {
    pieces.push(chunk.slice(start, values.lastIndex))
    start = findValueEnd(chunk, values.lastIndex)
    values.lastIndex = start
  }
  pieces.push(chunk.slice(start))
  return pieces
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
