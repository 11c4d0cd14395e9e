/** Slots of all tables; a key is the slot and how often that was used. */
const MAX_SLOTS = 2 ** 20

/**
 * Values under keys that it chooses, for what begins and ends with every turn. Unlike a `Map`, it leaves no garbage: a
 * `Map` replaces its table when that is full of removed entries, and V8 links every replaced table, with the values it
 * had, to the next one. Once one of them has reached the old generation, it keeps all later ones, and every turn that was
 * in progress at such a moment, until the next major collection.
 */
export class SlotTable<Value> {
  readonly #values: (Value | undefined)[] = []
  /** The key under which each slot is or was used last. */
  readonly #keys: number[] = []
  readonly #freeSlots: number[] = []

  get size(): number {
    return this.#values.length - this.#freeSlots.length
  }

  /** Returns the key of the value, which no other value of this table ever has. At most 2^20 values at a time. */
  add(value: Value): number {
    const slot = this.#freeSlots.pop() ?? this.#values.length
    const key = slot < this.#keys.length ? (this.#keys[slot] as number) + MAX_SLOTS : slot
    this.#keys[slot] = key
    this.#values[slot] = value
    return key
  }

  /** Removes and returns a value; undefined when there is none under this key any more. */
  take(key: number): Value | undefined {
    const slot = key % MAX_SLOTS
    if (this.#keys[slot] !== key) return undefined
    const value = this.#values[slot]
    if (value === undefined) return undefined
    this.#values[slot] = undefined
    this.#freeSlots.push(slot)
    return value
  }

  /** Removes and returns all values. */
  takeAll(): Value[] {
    return this.#keys.flatMap((key) => this.take(key) ?? [])
  }

  some(matches: (value: Value) => boolean): boolean {
    return this.#values.some((value) => value !== undefined && matches(value))
  }
}
