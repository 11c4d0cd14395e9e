import { isUtf8 } from 'node:buffer'

const EMPTY = new Uint8Array(0)

/**
 * Collects the bytes of a body. A body of one chunk is not copied; a larger one is collected in one piece of memory, which
 * is freed when it is cleared and not when garbage is collected.
 */
export class BodyBytes {
  readonly #expectedBytes: number
  #first: Buffer | undefined
  #bytes: Uint8Array<ArrayBuffer> = EMPTY
  #length = 0

  /** `expectedBytes`: what the client has announced; 0 if it has not. */
  constructor(expectedBytes: number) {
    this.#expectedBytes = expectedBytes
  }

  get length(): number {
    return this.#length
  }

  push(chunk: Buffer): void {
    if (this.#length === 0) {
      this.#first = chunk
      this.#length = chunk.length
      return
    }
    this.#copyFirst()
    this.#reserve(this.#length + chunk.length)
    this.#bytes.set(chunk, this.#length)
    this.#length += chunk.length
  }

  isUtf8(): boolean {
    return isUtf8(this.#first ?? this.#view())
  }

  toText(): string {
    return (this.#first ?? this.#view()).toString()
  }

  /** The bytes in memory that belongs to this body alone, until it is cleared. */
  own(): Buffer {
    this.#copyFirst()
    return this.#view()
  }

  clear(): void {
    this.#free()
    this.#bytes = EMPTY
    this.#first = undefined
    this.#length = 0
  }

  #view(): Buffer {
    return Buffer.from(this.#bytes.buffer, 0, this.#length)
  }

  #copyFirst(): void {
    if (this.#first === undefined) return
    this.#reserve(this.#length)
    this.#bytes.set(this.#first)
    this.#first = undefined
  }

  /** Memory that was never written takes no space, so that an announced length costs nothing. */
  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return
    const next = Buffer.allocUnsafeSlow(Math.max(bytes, this.#expectedBytes, 2 * this.#bytes.length))
    next.set(this.#bytes.subarray(0, this.#length))
    this.#free()
    this.#bytes = next
  }

  #free(): void {
    if (this.#bytes !== EMPTY) this.#bytes.buffer.transfer(0)
  }
}
