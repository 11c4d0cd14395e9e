import type { ByteReader } from './http-call.ts'

export interface SniffedBody {
  readonly form: 'events' | 'json'
  /** The same body, without white space and byte order mark at its start. */
  readonly body: ByteReader
}

/** First bytes of the lines of an event stream: fields and comments. None of them can start a JSON text. */
const EVENT_STARTS = firstBytesOf(['data', 'event', 'id', 'retry', ':'])
const JSON_STARTS = firstBytesOf(['{', '['])
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])

/**
 * Tells from its first bytes whether an answer is an event stream or JSON: content types are often missing or wrong.
 * Where the bytes do not tell, the content type does.
 */
export async function sniffBody(body: ByteReader, contentType: string | undefined): Promise<SniffedBody> {
  let first: Buffer | undefined
  while (first === undefined) {
    const bytes = await body.read()
    if (bytes === undefined) return { form: 'json', body }
    const start = bytes.findIndex((byte) => !BLANK.has(byte))
    if (start !== -1) first = start === 0 ? bytes : bytes.subarray(start)
  }
  const byte = first[0] as number
  const isDeclared = contentType?.toLowerCase().includes('text/event-stream') ?? false
  const isEvents = isDeclared ? !JSON_STARTS.has(byte) : EVENT_STARTS.has(byte)
  return { form: isEvents ? 'events' : 'json', body: prepend(first, body) }
}

function prepend(first: Buffer, body: ByteReader): ByteReader {
  let pending: Buffer | undefined = first
  return {
    read() {
      if (pending === undefined) return body.read()
      const bytes = pending
      pending = undefined
      return Promise.resolve(bytes)
    },
    cancel(reason) {
      pending = undefined
      body.cancel(reason)
    },
    discard() {
      pending = undefined
      body.discard()
    },
    limitTo: (maxBytes) => body.limitTo(maxBytes),
  }
}

function firstBytesOf(texts: readonly string[]): ReadonlySet<number> {
  return new Set(texts.map((text) => text.charCodeAt(0)))
}
