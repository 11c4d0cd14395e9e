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

/** Turns bytes as they come into the data of events. Only `data:` is read; comments and other fields are skipped. */
export interface SseParser {
  /** The data of every event these bytes complete, in order. Bytes that are kept are copied. */
  push(bytes: Uint8Array): string[]
  /** The data that was not yet ended by an empty line; call it once, after the last bytes. */
  end(): string | undefined
}

const LF = 10
const CR = 13

/**
 * An event stream is cut into lines while it is still bytes: no byte of a longer character looks like a line end, so
 * a character that was split by the network is whole again when its line is decoded. A line ends with LF, CR or CRLF;
 * after a CR at the end of the bytes, an LF at the start of the next ones belongs to it.
 */
export function createSseParser({ maxEventBytes }: SseParserOptions): SseParser {
  let held: Buffer[] = []
  let heldBytes = 0
  let data: string | undefined
  let dataBytes = 0
  let afterCr = false
  let first = true

  function take(line: Buffer, events: string[]): void {
    let start = 0
    if (first) {
      first = false
      if (line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) start = 3
    }
    const length = line.length - start
    if (length === 0) {
      if (data !== undefined) events.push(data)
      data = undefined
      dataBytes = 0
      return
    }
    // 'd': all other fields and comments are not even decoded.
    if (line[start] !== 0x64) return
    const text = line.toString('utf8', start)
    if (!text.startsWith('data') || (length > 4 && text[4] !== ':')) return
    dataBytes += length
    const value = text.slice(text[5] === ' ' ? 6 : 5)
    data = data === undefined ? value : `${data}\n${value}`
  }

  function limit(moreBytes: number): void {
    if (heldBytes + dataBytes + moreBytes <= maxEventBytes) return
    throw new PurserError('upstream_failed', `The provider sent an event of more than ${maxEventBytes} bytes.`)
  }

  function whole(tail: Buffer): Buffer {
    if (heldBytes === 0) return tail
    held.push(tail)
    const line = Buffer.concat(held)
    held = []
    heldBytes = 0
    return line
  }

  return {
    push(bytes) {
      const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const events: string[] = []
      let start = afterCr && chunk[0] === LF ? 1 : 0
      if (chunk.length > 0) afterCr = false
      let lf = chunk.indexOf(LF, start)
      let cr = chunk.indexOf(CR, start)
      while (lf !== -1 || cr !== -1) {
        const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
        limit(end - start)
        take(whole(chunk.subarray(start, end)), events)
        start = end + 1
        if (end === cr) {
          if (start === chunk.length) afterCr = true
          else if (chunk[start] === LF) start += 1
          cr = chunk.indexOf(CR, start)
        }
        if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start)
      }
      if (start < chunk.length) {
        limit(chunk.length - start)
        held.push(Buffer.from(chunk.subarray(start)))
        heldBytes += chunk.length - start
      }
      return events
    },
    end() {
      const events: string[] = []
      if (heldBytes > 0) take(whole(Buffer.alloc(0)), events)
      const rest = data
      data = undefined
      return rest
    },
  }
}
