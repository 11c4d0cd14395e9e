import { canDecode, decodeContent, parseContentEncoding } from '../../core/decode-content.ts'
import { PurserError } from '../../errors.ts'
import { type ByteReader, tooLarge } from './http-call.ts'

type Header = string | readonly string[] | undefined

/** Whether the codings of a `content-encoding` header are known. */
export function canDecodeBody(header: Header): boolean {
  return canDecode(parseContentEncoding(header))
}

/** The body without its content coding; the body itself if it has none. Throws `upstream_failed` for an unknown coding. */
export function decodeBody(
  body: ByteReader,
  { header, maxBytes }: { readonly header: Header; readonly maxBytes: number },
): ByteReader {
  const codings = parseContentEncoding(header)
  if (codings.length === 0) return body
  if (canDecode(codings)) return new DecodedBody(body, codings, maxBytes)
  throw new PurserError('upstream_failed', 'The provider sent a body with an unknown content coding.')
}

/** Decodes no faster than it is read, and limits the decoded bytes as `HttpCall` limits the received ones. */
class DecodedBody implements ByteReader {
  readonly #source: ByteReader
  readonly #bytes: AsyncIterator<Uint8Array>
  #maxBytes: number
  #readBytes = 0
  /** Why the source ended before its end; not an error of the decoder. */
  #failure: { readonly reason: unknown } | undefined

  constructor(source: ByteReader, codings: readonly string[], maxBytes: number) {
    this.#source = source
    this.#maxBytes = maxBytes
    this.#bytes = decodeContent(this.#encoded(), codings)[Symbol.asyncIterator]()
  }

  async read(): Promise<Buffer | undefined> {
    if (this.#failure !== undefined) throw this.#failure.reason
    const next = await this.#next()
    if (next === undefined) return undefined
    this.#readBytes += next.length
    if (this.#readBytes > this.#maxBytes) {
      this.cancel(tooLarge(this.#maxBytes))
      return this.read()
    }
    return Buffer.from(next.buffer, next.byteOffset, next.byteLength)
  }

  cancel(reason: unknown): void {
    this.#failure ??= { reason }
    this.#source.cancel(reason)
    this.#close()
  }

  discard(): void {
    this.#failure ??= { reason: new Error('The rest of the response was discarded.') }
    this.#source.discard()
    this.#close()
  }

  limitTo(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#source.limitTo(maxBytes)
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { value, done } = await this.#bytes.next()
      if (this.#failure !== undefined) throw this.#failure.reason
      return done === true ? undefined : value
    } catch (cause) {
      if (this.#failure !== undefined) throw this.#failure.reason
      throw new PurserError('upstream_failed', 'The provider sent a body that cannot be decoded.', { cause })
    }
  }

  async *#encoded(): AsyncIterable<Uint8Array> {
    try {
      for (let next = await this.#source.read(); next !== undefined; next = await this.#source.read()) yield next
    } catch (reason) {
      this.#failure ??= { reason }
      throw reason
    }
  }

  #close(): void {
    this.#bytes.return?.()?.catch(() => undefined)
  }
}
