import { type Effects, type Purser, PurserError } from 'purser'

/** A handful of named texts that several processes may change: the store's own place for them. */
export type Shelf = Purser['meta']

/** Another process's change is seen after at most this long. */
const FRESH_MS = 1_000
const MAX_TRIES = 8

/**
 * One JSON value on a shelf, kept in memory and read again at most once a second.
 *
 * Reading is on the way of every request, so a fresh value is given without waiting; a change is decided on the stored
 * text and written only if nobody else wrote meanwhile.
 */
export class CasDocument<Value> {
  readonly #shelf: Shelf
  readonly #name: string
  readonly #effects: Effects
  readonly #initial: Value
  #text: string | undefined
  #value: Value
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(shelf: Shelf, name: string, initial: Value, effects: Effects) {
    this.#shelf = shelf
    this.#name = name
    this.#initial = initial
    this.#value = initial
    this.#effects = effects
  }

  /** The value if it is fresh enough to be used without waiting. */
  peek(): Value | undefined {
    return this.#effects.monotonic() - this.#readAt < FRESH_MS ? this.#value : undefined
  }

  async read(): Promise<Value> {
    const fresh = this.peek()
    if (fresh !== undefined) return fresh
    this.#reading ??= this.#load().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
    return this.#value
  }

  /** Decides a change on the stored value, again when another process was faster. Rejects with what `decide` throws. */
  async change(decide: (value: Value) => Value): Promise<Value> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      await this.#load()
      const next = decide(this.#value)
      const text = JSON.stringify(next)
      if (text === this.#text) return next
      if (await this.#shelf.compareAndSet(this.#name, this.#text, text)) {
        this.#keep(text)
        return this.#value
      }
    }
    throw new PurserError('store_unavailable', `'${this.#name}' is being changed by others all the time.`, {
      hint: 'Try again.',
    })
  }

  async #load(): Promise<void> {
    this.#keep(await this.#shelf.get(this.#name))
  }

  #keep(text: string | undefined): void {
    if (text !== this.#text || this.#readAt === Number.NEGATIVE_INFINITY) {
      this.#value = text === undefined ? this.#initial : (JSON.parse(text) as Value)
      this.#text = text
    }
    this.#readAt = this.#effects.monotonic()
  }
}
