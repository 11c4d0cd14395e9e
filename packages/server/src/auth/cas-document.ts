import { type Effects, type MetaStore, PurserError } from 'purser'

/** Changes made by another process are visible after at most this time. */
const MAX_AGE_MS = 1_000
/** Attempts of one write; each lost one means that another process wrote first. */
const MAX_ATTEMPTS = 8
/** Changes that wait for the write in progress. */
const MAX_QUEUED = 10_000

export interface CasDocumentDeps {
  readonly meta: MetaStore
  readonly effects: Effects
  /** How long a value that was read stays in use while the store fails. Default: 0. */
  readonly staleOnFailureMs?: number
}

interface QueuedChange<Value> {
  decide(value: Value): Value
  resolve(value: Value): void
  reject(error: unknown): void
}

/**
 * One JSON value under one name of the meta store, changed by compare-and-set and cached for at most a second.
 *
 * Every request reads it, so `peek` returns a fresh value synchronously. A change is decided on the stored text and
 * written only if that text is still stored. Changes of this process are queued: those that arrive during a write are
 * decided one after the other and written together, so they never compete with each other.
 */
export class CasDocument<Value> {
  readonly #meta: MetaStore
  readonly #effects: Effects
  readonly #name: string
  readonly #initial: Value
  #text: string | undefined
  #value: Value
  #readAt = Number.NEGATIVE_INFINITY
  /** When the store answered last; unlike `#readAt` it stays during a failure. */
  #loadedAt = Number.NEGATIVE_INFINITY
  readonly #staleOnFailureMs: number
  #pendingRead: Promise<void> | undefined
  #queue: QueuedChange<Value>[] = []
  #isWriting = false

  constructor({ meta, effects, staleOnFailureMs = 0 }: CasDocumentDeps, name: string, initial: Value) {
    this.#meta = meta
    this.#effects = effects
    this.#name = name
    this.#staleOnFailureMs = staleOnFailureMs
    this.#initial = initial
    this.#value = initial
  }

  /** The cached value; undefined when it is older than a second. */
  peek(): Value | undefined {
    return this.#effects.monotonic() - this.#readAt < MAX_AGE_MS ? this.#value : undefined
  }

  /** Makes the next use read the value again. */
  expire(): void {
    this.#readAt = Number.NEGATIVE_INFINITY
    this.#loadedAt = Number.NEGATIVE_INFINITY
  }

  async read(): Promise<Value> {
    const cached = this.peek()
    if (cached !== undefined) return cached
    this.#pendingRead ??= this.#loadOrUseStale().finally(() => {
      this.#pendingRead = undefined
    })
    await this.#pendingRead
    return this.#value
  }

  /**
   * Writes what `decide` returns for the value as it is then; calls `decide` again when another process wrote first.
   * Resolves to what `decide` returned. Rejects with what `decide` throws, and with `store_unavailable` after 8 lost
   * attempts or when 10,000 changes are queued.
   */
  change(decide: (value: Value) => Value): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#queue.length >= MAX_QUEUED) {
        reject(this.#busy())
        return
      }
      this.#queue.push({ decide, resolve, reject })
      if (!this.#isWriting) void this.#writeQueued()
    })
  }

  /** Never rejects. */
  async #writeQueued(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0) {
      const changes = this.#queue
      this.#queue = []
      try {
        await this.#write(changes)
      } catch (error) {
        for (const { reject } of changes) reject(error)
      }
    }
    this.#isWriting = false
  }

  async #write(changes: readonly QueuedChange<Value>[]): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await this.#load()
      let next = this.#value
      const settlements: (() => void)[] = []
      for (const { decide, resolve, reject } of changes) {
        try {
          const decided = decide(next)
          next = decided
          settlements.push(() => resolve(decided))
        } catch (error) {
          settlements.push(() => reject(error))
        }
      }
      const text = JSON.stringify(next)
      const isUnchanged = text === this.#text || next === this.#initial
      if (!isUnchanged && !(await this.#meta.compareAndSet(this.#name, this.#text, text))) continue
      if (!isUnchanged) this.#cache(text)
      for (const settle of settlements) settle()
      return
    }
    throw this.#busy()
  }

  #busy(): PurserError {
    return new PurserError('store_unavailable', `Too many concurrent changes of '${this.#name}'.`, {
      hint: 'Try again.',
    })
  }

  async #load(): Promise<void> {
    this.#cache(await this.#meta.get(this.#name))
  }

  /** The store is tried again after a second, so that not every caller waits for one that hangs. */
  async #loadOrUseStale(): Promise<void> {
    try {
      await this.#load()
    } catch (error) {
      const now = this.#effects.monotonic()
      if (now - this.#loadedAt >= this.#staleOnFailureMs) throw error
      this.#readAt = now
    }
  }

  /** Parses only a text that differs from the cached one. */
  #cache(text: string | undefined): void {
    if (text !== this.#text || this.#readAt === Number.NEGATIVE_INFINITY) {
      this.#value = text === undefined ? this.#initial : (JSON.parse(text) as Value)
      this.#text = text
    }
    this.#readAt = this.#effects.monotonic()
    this.#loadedAt = this.#readAt
  }
}
