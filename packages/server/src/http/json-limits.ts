import { HttpError } from '../app/errors.ts'

const MAX_VALUES = 100_000
const MAX_DEPTH = 1_000
/** The fields of a body. No request needs as many; each costs in everything that reads or copies the body. */
const MAX_FIELDS = 256

/** In a string this many bytes are looked at one by one, before the next quote is searched natively. */
const STEP_BYTES = 64

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
/** The bit in which `[` and `{`, and `]` and `}`, differ. */
const BRACE_BIT = 0x20
const OPENING = 0x7b
const CLOSING = 0x7d

/** Whether a text of so many bytes cannot have too many values or levels. 0: unknown. */
export function isTooShortToCount(bytes: number): boolean {
  return bytes > 0 && bytes <= Math.min(MAX_DEPTH, MAX_VALUES)
}

/**
 * Counts the values and the levels of JSON text as it arrives, before it is parsed: a parser makes all of them in one
 * step, in which the process does nothing else. Whether the text is valid is for the parser to find out.
 */
export class JsonCounter {
  #values = 1
  #depth = 0
  #isInString = false
  #isEscaped = false

  /** @throws {HttpError} 400 beyond 100,000 values or 1,000 levels */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) at = this.#isInString ? this.#skipString(bytes, at) : this.#countValues(bytes, at)
  }

  /** Counts up to the start of a string; returns the index behind its quote. */
  #countValues(bytes: Uint8Array, start: number): number {
    const { length } = bytes
    for (let at = start; at < length; at++) {
      const byte = bytes[at] as number
      if (byte === QUOTE) {
        this.#isInString = true
        return at + 1
      }
      if (byte === COMMA) this.#countValue()
      else if ((byte | BRACE_BIT) === OPENING) this.#open()
      else if ((byte | BRACE_BIT) === CLOSING) this.#depth--
    }
    return length
  }

  /** Returns the index behind the end of the string, or that of the next step within it. */
  #skipString(bytes: Uint8Array, start: number): number {
    const end = Math.min(bytes.length, start + STEP_BYTES)
    for (let at = start; at < end; at++) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (bytes[at] === BACKSLASH) this.#isEscaped = true
      else if (bytes[at] === QUOTE) {
        this.#isInString = false
        return at + 1
      }
    }
    return this.#isEscaped ? end : skipPlainText(bytes, end)
  }

  #open(): void {
    this.#countValue()
    if (++this.#depth > MAX_DEPTH) throw tooLarge(MAX_DEPTH, 'levels')
  }

  #countValue(): void {
    if (++this.#values > MAX_VALUES) throw tooLarge(MAX_VALUES, 'values')
  }
}

/** The index of the next quote, or of the backslashes before it: what precedes them cannot end a string. */
function skipPlainText(bytes: Uint8Array, start: number): number {
  const quote = bytes.indexOf(QUOTE, start)
  const end = quote === -1 ? bytes.length : quote
  let at = end
  while (at > start && bytes[at - 1] === BACKSLASH) at--
  return at
}

/** @throws {HttpError} 400 for an object of more than 256 fields */
export function checkFieldCount(body: unknown): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return
  let count = 0
  for (const _ in body) {
    if (++count > MAX_FIELDS) throw tooLarge(MAX_FIELDS, 'fields')
  }
}

function tooLarge(limit: number, what: string): HttpError {
  return new HttpError(
    400,
    'invalid_request_error',
    `The request body has more than ${limit.toLocaleString('en')} ${what}.`,
  )
}
