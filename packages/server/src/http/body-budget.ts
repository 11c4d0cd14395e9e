/** Smaller bodies are always accepted, so that large ones cannot keep them out. */
const SMALL_BODY_BYTES = 65_536

/** Limits the bytes of all large request bodies that are in memory at the same time. */
export class BodyBudget {
  readonly #maxBytes: number
  #usedBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The share of one request, from its first byte to the end of its response. */
  open(): BodyShare {
    let ownBytes = 0
    return {
      resize: (bytes) => {
        const size = bytes > SMALL_BODY_BYTES ? bytes : 0
        const others = this.#usedBytes - ownBytes
        // A single body is limited by its own limit.
        if (size > 0 && others > 0 && others + size > this.#maxBytes) return false
        this.#usedBytes = others + size
        ownBytes = size
        return true
      },
    }
  }
}

export interface BodyShare {
  /** Sets the size of the body so far; 0 gives everything back. False: the limit is reached, and nothing changes. */
  resize(bytes: number): boolean
}
