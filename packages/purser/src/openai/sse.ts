import { PurserError } from '../errors.ts'

/** What ends a stream that was told to its end. */
export const DONE = '[DONE]'

/** `[DONE]` as bytes on the wire. */
export const DONE_FRAME = 'data: [DONE]\n\n'

/** One server-sent event. Text of several lines is written as several `data:` lines, which readers join again. */
export function frameOf(text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `data: ${text}\n\n`
  return `data: ${text.split(/\r\n|\r|\n/).join('\ndata: ')}\n\n`
}

export interface SseParserOptions {
  /** Bytes one event may have; a longer one is `upstream_failed`. */
  readonly maxEventBytes: number
}

const LF = 10
const CR = 13

/** The first byte of `data`: all other fields and comments are not even decoded. */
const D = 100

/**
 * Turns bytes as they come into the data of events. Only `data:` is read; comments and other fields are skipped.
 *
 * An event stream is cut into lines while it is still bytes: no byte of a longer character looks like a line end, so
 * a character that was split by the network is whole again when its line is decoded. A line ends with LF, CR or CRLF;
 * after a CR at the end of the bytes, an LF at the start of the next ones belongs to it.
 */
export class SseParser {
  readonly #maxEventBytes: number
  #held: Buffer[] = []
  #heldBytes = 0
  #data: string | undefined
  #dataBytes = 0
  #afterCr = false
  #isFirst = true

  constructor({ maxEventBytes }: SseParserOptions) {
    this.#maxEventBytes = maxEventBytes
  }

  /** The data of every event these bytes complete, in order. Bytes that are kept are copied. */
  push(bytes: Uint8Array): string[] {
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const events: string[] = []
    let start = this.#afterCr && chunk[0] === LF ? 1 : 0
    if (chunk.length > 0) this.#afterCr = false
    let lf = chunk.indexOf(LF, start)
    let cr = chunk.indexOf(CR, start)
    while (lf !== -1 || cr !== -1) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
      this.#limit(end - start)
      this.#take(this.#whole(chunk.subarray(start, end)), events)
      start = end + 1
      if (end === cr) {
        if (start === chunk.length) this.#afterCr = true
        else if (chunk[start] === LF) start += 1
        cr = chunk.indexOf(CR, start)
      }
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start)
    }
    this.#hold(chunk.subarray(start))
    return events
  }

  /** The data that was not yet ended by an empty line; call it once, after the last bytes. */
  end(): string | undefined {
    if (this.#heldBytes > 0) this.#take(this.#whole(Buffer.alloc(0)), [])
    const rest = this.#data
    this.#data = undefined
    return rest
  }

  #take(line: Buffer, events: string[]): void {
    const start = this.#isFirst && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? 3 : 0
    this.#isFirst = false
    const length = line.length - start
    if (length === 0) {
      if (this.#data !== undefined) events.push(this.#data)
      this.#data = undefined
      this.#dataBytes = 0
      return
    }
    if (line[start] !== D) return
    const text = line.toString('utf8', start)
    if (!text.startsWith('data') || (length > 4 && text[4] !== ':')) return
    this.#dataBytes += length
    const value = text.slice(text[5] === ' ' ? 6 : 5)
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
  }

  #hold(rest: Buffer): void {
    if (rest.length === 0) return
    this.#limit(rest.length)
    this.#held.push(Buffer.from(rest))
    this.#heldBytes += rest.length
  }

  #whole(tail: Buffer): Buffer {
    if (this.#heldBytes === 0) return tail
    this.#held.push(tail)
    const line = Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    return line
  }

  #limit(moreBytes: number): void {
    if (this.#heldBytes + this.#dataBytes + moreBytes <= this.#maxEventBytes) return
    throw new PurserError('upstream_failed', `The provider sent an event of more than ${this.#maxEventBytes} bytes.`)
  }
}
