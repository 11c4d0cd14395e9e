import { type Effects, type MetaStore, PurserError } from 'purser'

/** Changes made by another process are visible after at most this time. */
const MAX_AGE_MS = 1_000
const MAX_ATTEMPTS = 8

export interface CasDocumentDeps {
  readonly meta: MetaStore
  readonly effects: Effects
}

/**
 * One JSON value under one name of the meta store, changed by compare-and-set and cached for at most a second.
 *
 * Every request reads it, so `peek` returns a fresh value synchronously. A change is decided on the stored text and
 * written only if that text is still stored.
 */
export class CasDocument<Value> {
  readonly #meta: MetaStore
  readonly #effects: Effects
  readonly #name: string
  readonly #initial: Value
  #text: string | undefined
  #value: Value
  #readAt = Number.NEGATIVE_INFINITY
  #pendingRead: Promise<void> | undefined

  constructor({ meta, effects }: CasDocumentDeps, name: string, initial: Value) {
    this.#meta = meta
    this.#effects = effects
    this.#name = name
    this.#initial = initial
    this.#value = initial
  }

  /** The cached value; undefined when it is older than a second. */
  peek(): Value | undefined {
    return this.#effects.monotonic() - this.#readAt < MAX_AGE_MS ? this.#value : undefined
  }

  async read(): Promise<Value> {
    const cached = this.peek()
    if (cached !== undefined) return cached
    this.#pendingRead ??= this.#load().finally(() => {
      this.#pendingRead = undefined
    })
    await this.#pendingRead
    return this.#value
  }

  /**
   * Writes what `decide` returns for the stored value; calls `decide` again when another process wrote first. Rejects
   * with what `decide` throws, and with `store_unavailable` after 8 lost attempts.
   */
  async change(decide: (value: Value) => Value): Promise<Value> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await this.#load()
      const next = decide(this.#value)
      const text = JSON.stringify(next)
      if (text === this.#text) return next
      if (await this.#meta.compareAndSet(this.#name, this.#text, text)) {
        this.#cache(text)
        return this.#value
      }
    }
    throw new PurserError('store_unavailable', `Too many concurrent changes of '${this.#name}'.`, {
      hint: 'Try again.',
    })
  }

  async #load(): Promise<void> {
    this.#cache(await this.#meta.get(this.#name))
  }

  /** Parses only a text that differs from the cached one. */
  #cache(text: string | undefined): void {
    if (text !== this.#text || this.#readAt === Number.NEGATIVE_INFINITY) {
      this.#value = text === undefined ? this.#initial : (JSON.parse(text) as Value)
      this.#text = text
    }
    this.#readAt = this.#effects.monotonic()
  }
}
