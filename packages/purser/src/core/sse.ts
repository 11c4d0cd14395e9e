/*
 * Server-sent events (HTML Living Standard, "Server-sent events"): an incremental parser and a formatter.
 * This module imports nothing, not even from Node: the Deck bundles it for the browser.
 */

export interface ServerSentEvent {
  /** The `event` field; `message` when the event has none. */
  readonly event: string
  /** The `id` field of this event; an id does not carry over to later events. */
  readonly id: string | undefined
  /** The `data` lines, joined with LF. */
  readonly data: string
}

export interface SseParserOptions {
  /** Limit for one line, and for the data lines of one event together, in bytes. */
  readonly maxEventBytes: number
}

/** Thrown by `SseParser.push` for an event above `maxEventBytes`. The parser must not be used afterwards. */
export class SseEventTooLargeError extends RangeError {
  constructor(maxEventBytes: number) {
    super(`A server-sent event has more than ${maxEventBytes} bytes.`)
    this.name = 'SseEventTooLargeError'
  }
}

const LF = 10
const CR = 13
const PARTIAL_LINE_MIN_BYTES = 1_024

/** First bytes of the fields `data`, `event` and `id`; lines that start otherwise are not decoded. */
const D = 100
const E = 101
const I = 105
const COLON = 58
/** Of a comment only the beginning is decoded. */
const COMMENT_MAX_BYTES = 256

/**
 * Parses an event stream from the bytes as they arrive.
 *
 * The stream is cut into lines before it is decoded: no byte of a multi-byte character looks like a line end, so a
 * character that the network split is complete when its line is decoded. A line ends with LF, CR or CRLF; an LF at the
 * start of a chunk belongs to a CR at the end of the chunk before. Comments, other fields and a leading byte order mark
 * are skipped; `takeComment` tells what a comment said. As in the specification, an event without data is dropped and an id that contains NUL is ignored.
 */
export class SseParser {
  readonly #maxEventBytes: number
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** The start of a line whose end has not arrived: the first `#partialBytes` bytes. */
  #partialLine: Uint8Array = new Uint8Array(0)
  #partialBytes = 0
  #event = ''
  #id: string | undefined
  #data: string | undefined
  #dataBytes = 0
  #endedWithCr = false
  #isFirstLine = true
  #comment: string | undefined

  constructor({ maxEventBytes }: SseParserOptions) {
    this.#maxEventBytes = maxEventBytes
  }

  /**
   * The events that `chunk` completes, in order. The parser keeps no reference to `chunk`.
   *
   * @throws {SseEventTooLargeError} Events that the same chunk completed before the large one are lost.
   */
  push(chunk: Uint8Array): ServerSentEvent[] {
    const events: ServerSentEvent[] = []
    let start = 0
    let lf = chunk.indexOf(LF)
    let cr = chunk.indexOf(CR)
    while (lf !== -1 || cr !== -1) {
      const isCr = lf === -1 || (cr !== -1 && cr < lf)
      const end = isCr ? cr : lf
      const isSecondOfCrLf = this.#endedWithCr && !isCr && end === start
      if (!isSecondOfCrLf) this.#parseLine(this.#completeLine(chunk.subarray(start, end)), events)
      this.#endedWithCr = isCr
      start = end + 1
      if (isCr) cr = chunk.indexOf(CR, start)
      else lf = chunk.indexOf(LF, start)
    }
    if (start < chunk.length) this.#keepPartialLine(chunk.subarray(start))
    return events
  }

  /** Whether the next bytes begin an event, and not the stream: a leading byte order mark is not part of an event. */
  get isBetweenEvents(): boolean {
    if (this.#isFirstLine || this.#endedWithCr || this.#partialBytes > 0) return false
    return this.#data === undefined && this.#event === '' && this.#id === undefined
  }

  /**
   * The event that no empty line has ended. Call it once, after the last chunk. The specification drops such an event;
   * servers that omit the last empty line exist.
   */
  end(): ServerSentEvent | undefined {
    const events: ServerSentEvent[] = []
    if (this.#partialBytes > 0) this.#parseLine(this.#completeLine(new Uint8Array(0)), events)
    this.#dispatch(events)
    return events[0]
  }

  /** The last comment since the previous call, with its colon; undefined if there was none. */
  takeComment(): string | undefined {
    const comment = this.#comment
    this.#comment = undefined
    return comment
  }

  #parseLine(bytes: Uint8Array, events: ServerSentEvent[]): void {
    const hasBom = this.#isFirstLine && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
    this.#isFirstLine = false
    const line = hasBom ? bytes.subarray(3) : bytes
    const first = line[0]
    if (first === undefined) this.#dispatch(events)
    else if (first === D || first === E || first === I) this.#parseField(line)
    else if (first === COLON) this.#comment = this.#decoder.decode(line.subarray(0, COMMENT_MAX_BYTES))
  }

  #parseField(line: Uint8Array): void {
    const text = this.#decoder.decode(line)
    const colon = text.indexOf(':')
    const field = colon === -1 ? text : text.slice(0, colon)
    const value = colon === -1 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') {
      this.#dataBytes += line.length
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
    } else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
  }

  #dispatch(events: ServerSentEvent[]): void {
    if (this.#data !== undefined) events.push({ event: this.#event || 'message', id: this.#id, data: this.#data })
    this.#event = ''
    this.#id = undefined
    this.#data = undefined
    this.#dataBytes = 0
  }

  #keepPartialLine(bytes: Uint8Array): void {
    this.#checkLimit(bytes.length)
    this.#append(bytes)
    this.#endedWithCr = false
  }

  /** Copies, so that the caller may reuse `bytes`. */
  #append(bytes: Uint8Array): void {
    const length = this.#partialBytes + bytes.length
    if (length > this.#partialLine.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#partialLine.length, PARTIAL_LINE_MIN_BYTES))
      larger.set(this.#partialLine.subarray(0, this.#partialBytes))
      this.#partialLine = larger
    }
    this.#partialLine.set(bytes, this.#partialBytes)
    this.#partialBytes = length
  }

  #completeLine(rest: Uint8Array): Uint8Array {
    this.#checkLimit(rest.length)
    if (this.#partialBytes === 0) return rest
    this.#append(rest)
    const line = this.#partialLine.subarray(0, this.#partialBytes)
    this.#partialBytes = 0
    return line
  }

  #checkLimit(moreBytes: number): void {
    if (this.#partialBytes + this.#dataBytes + moreBytes <= this.#maxEventBytes) return
    throw new SseEventTooLargeError(this.#maxEventBytes)
  }
}

/** One event without id, as text of the stream. Each line of `data` becomes a `data` field; parsers join them again. */
export function formatSseEvent(data: string): string {
  if (!data.includes('\n') && !data.includes('\r')) return `data: ${data}\n\n`
  return `data: ${data.split(/\r\n|\r|\n/).join('\ndata: ')}\n\n`
}
