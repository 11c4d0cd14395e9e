import { PurserError } from 'purser'
import { HttpError } from '../../app/errors.ts'

/** The header of one part. */
const HEADER_MAX_BYTES = 8_192

/** One part of a form. Its bytes must be read before the next part is requested. */
export interface FormPart {
  readonly name: string
  /** Undefined for a field that is no file. */
  readonly filename: string | undefined
  /** The header as the client wrote it, without the empty line. */
  readonly header: string
  readonly bytes: AsyncIterable<Buffer>
}

/**
 * Reads a form (`multipart/form-data`, RFC 7578) part by part as its bytes arrive; no part is held in memory.
 *
 * @param maxBytes above it reading throws 413
 */
export async function* readForm(
  source: AsyncIterable<Buffer>,
  { boundary, maxBytes }: { readonly boundary: string; readonly maxBytes: number },
): AsyncGenerator<FormPart, void, undefined> {
  const window = new ByteWindow(source, maxBytes)
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  for await (const _ of window.until(delimiter));
  while ((await window.take(2)).toString() !== '--') {
    const header = await window.readHeader()
    const disposition = /^content-disposition:(.*)$/im.exec(header)?.[1] ?? ''
    const name = parameterOf(disposition, 'name')
    if (name === undefined) throw invalidForm('A part of the form has no name.')
    // Its extended form is not allowed in forms, and is sent by some clients.
    const filename = parameterOf(disposition, 'filename') ?? parameterOf(disposition, 'filename\\*')
    yield { name, filename, header, bytes: window.until(delimiter) }
  }
}

/** The boundary in a content type; throws 400 without one. */
export function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))/i.exec(contentType) ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) throw invalidForm('The content type of the form has no boundary.')
  return boundary
}

function parameterOf(disposition: string, name: string): string | undefined {
  const value = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(disposition)?.[1]
  return value ?? new RegExp(`;\\s*${name}=([^;"\\s]+)`, 'i').exec(disposition)?.[1]
}

/** The bytes of a stream that were received and not read yet. */
class ByteWindow {
  readonly #source: AsyncIterator<Buffer>
  readonly #maxBytes: number
  /** The first boundary may stand at the very beginning, without the line break before it. */
  #bytes: Buffer = Buffer.from('\r\n')
  #receivedBytes = 0

  constructor(source: AsyncIterable<Buffer>, maxBytes: number) {
    this.#source = source[Symbol.asyncIterator]()
    this.#maxBytes = maxBytes
  }

  /** The bytes up to the delimiter, which is dropped. */
  async *until(delimiter: Buffer): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const index = this.#bytes.indexOf(delimiter)
      if (index !== -1) {
        const rest = this.#bytes.subarray(0, index)
        this.#bytes = this.#bytes.subarray(index + delimiter.length)
        if (rest.length > 0) yield rest
        return
      }
      // The end may be the beginning of the delimiter.
      const length = Math.max(0, this.#bytes.length - delimiter.length + 1)
      const ready = this.#bytes.subarray(0, length)
      this.#bytes = this.#bytes.subarray(length)
      if (ready.length > 0) yield ready
      await this.#receive()
    }
  }

  async take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) await this.#receive()
    const taken = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return taken
  }

  async readHeader(): Promise<string> {
    for (;;) {
      const end = this.#bytes.indexOf('\r\n\r\n')
      if ((end === -1 ? this.#bytes.length : end) > HEADER_MAX_BYTES) {
        throw invalidForm(`A part of the form has a header of more than ${HEADER_MAX_BYTES} bytes.`)
      }
      if (end !== -1) return (await this.take(end + 4)).subarray(0, end).toString()
      await this.#receive()
    }
  }

  async #receive(): Promise<void> {
    const { value, done } = await this.#source.next()
    if (done === true) throw invalidForm('The form ends before its last boundary.')
    this.#receivedBytes += value.length
    if (this.#receivedBytes > this.#maxBytes) throw bodyTooLarge()
    this.#bytes = this.#bytes.length === 0 ? value : Buffer.concat([this.#bytes, value])
  }
}

export function bodyTooLarge(): HttpError {
  return new HttpError(413, 'invalid_request_error', 'The request body exceeds the size limit.')
}

export function invalidForm(message: string): PurserError {
  return new PurserError('request_invalid', message, { hint: 'Send multipart/form-data.' })
}
