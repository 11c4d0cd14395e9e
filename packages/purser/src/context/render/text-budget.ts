import { WEIGHT_PER_TOKEN, weigh } from './token-weight.ts'

export interface TextLimits {
  /** UTF-8 bytes. */
  readonly maxBytes: number
  /** Estimated tokens. */
  readonly maxTokens: number
  readonly maxItems: number
}

/** Whether a text needs no cut. Each character has at least one byte and weighs at least a quarter of a token. */
export function fits(text: string, { maxBytes, maxTokens }: Pick<TextLimits, 'maxBytes' | 'maxTokens'>): boolean {
  if (text.length > maxBytes || text.length > maxTokens * WEIGHT_PER_TOKEN) return false
  return Buffer.byteLength(text) <= maxBytes && weigh(text) <= maxTokens * WEIGHT_PER_TOKEN
}

/** What is left of the limits of a text while items are added to it. */
export class TextBudget {
  #bytes: number
  #weight: number
  #items: number

  constructor({ maxBytes, maxTokens, maxItems }: TextLimits) {
    this.#bytes = maxBytes
    this.#weight = maxTokens * WEIGHT_PER_TOKEN
    this.#items = maxItems
  }

  /** Reserves the size of the text around the items. Default of `bytes`: the size of the text. */
  reserve(text: string, bytes: number = Buffer.byteLength(text)): this {
    this.#bytes -= bytes
    this.#weight -= weigh(text)
    return this
  }

  /** Adds an item with its separator. False: it does not fit, and nothing has changed. */
  take(text: string): boolean {
    const bytes = Buffer.byteLength(text)
    const weight = weigh(text)
    if (this.#items < 1 || bytes > this.#bytes || weight > this.#weight) return false
    this.#items -= 1
    this.#bytes -= bytes
    this.#weight -= weight
    return true
  }
}
