const EMPTY = new Uint8Array(0)

/**
 * Collects the bytes of a body and makes its text of them. A body of one chunk is not copied; a larger one is collected
 * in one piece of memory, which is freed as soon as its text is made and not when garbage is collected.
 */
export class BodyText {
  readonly #expectedBytes: number
  #first: Buffer | undefined
  #bytes: Uint8Array<ArrayBuffer> = EMPTY
  #length = 0

  /** `expectedBytes`: what the client has announced; 0 if it has not. */
  constructor(expectedBytes: number) {
    this.#expectedBytes = expectedBytes
  }

  push(chunk: Buffer): void {
    if (this.#length === 0) {
      this.#first = chunk
      this.#length = chunk.length
      return
    }
    if (this.#first !== undefined) {
      this.#reserve(this.#length)
      this.#bytes.set(this.#first)
      this.#first = undefined
    }
    this.#reserve(this.#length + chunk.length)
    this.#bytes.set(chunk, this.#length)
    this.#length += chunk.length
  }

  /** The text; nothing is left here. */
  take(): string {
    const text = (this.#first ?? Buffer.from(this.#bytes.buffer, 0, this.#length)).toString()
    this.clear()
    return text
  }

  clear(): void {
    this.#free()
    this.#bytes = EMPTY
    this.#first = undefined
    this.#length = 0
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
