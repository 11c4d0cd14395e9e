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
 * Where the bytes do not tell, the content type does. At once if the bytes have arrived.
 */
export function sniffBody(body: ByteReader, contentType: string | undefined): SniffedBody | Promise<SniffedBody> {
  for (;;) {
    const bytes = body.read()
    if (bytes instanceof Promise) return sniffPending(bytes, body, contentType)
    const sniffed = sniffBytes(bytes, body, contentType)
    if (sniffed !== undefined) return sniffed
  }
}

async function sniffPending(
  pending: Promise<Buffer | undefined>,
  body: ByteReader,
  contentType: string | undefined,
): Promise<SniffedBody> {
  return sniffBytes(await pending, body, contentType) ?? sniffBody(body, contentType)
}

/** Undefined for white space, after which the body goes on. */
function sniffBytes(
  bytes: Buffer | undefined,
  body: ByteReader,
  contentType: string | undefined,
): SniffedBody | undefined {
  if (bytes === undefined) return { form: 'json', body }
  let start = 0
  while (BLANK.has(bytes[start] as number)) start++
  const byte = bytes[start]
  if (byte === undefined) return undefined
  const isDeclared = contentType?.toLowerCase().includes('text/event-stream') ?? false
  const isEvents = isDeclared ? !JSON_STARTS.has(byte) : EVENT_STARTS.has(byte)
  const first = start === 0 ? bytes : bytes.subarray(start)
  return { form: isEvents ? 'events' : 'json', body: new BodyBehind(first, body) }
}

/** A body whose first bytes were read, and are read again. */
class BodyBehind implements ByteReader {
  readonly #body: ByteReader
  #first: Buffer | undefined

  constructor(first: Buffer, body: ByteReader) {
    this.#first = first
    this.#body = body
  }

  read(): ReturnType<ByteReader['read']> {
    const first = this.#first
    if (first === undefined) return this.#body.read()
    this.#first = undefined
    return first
  }

  offer(take: (bytes: Buffer) => boolean): void {
    this.#body.offer?.(take)
  }

  cancel(reason: unknown): void {
    this.#first = undefined
    this.#body.cancel(reason)
  }

  discard(): void {
    this.#first = undefined
    this.#body.discard()
  }

  limitTo(maxBytes: number): void {
    this.#body.limitTo(maxBytes)
  }
}

function firstBytesOf(texts: readonly string[]): ReadonlySet<number> {
  return new Set(texts.map((text) => text.charCodeAt(0)))
}
