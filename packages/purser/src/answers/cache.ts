import { LRUCache } from 'lru-cache'
import type { Keyring } from '../core/keyring.ts'
import type { AnswerOptions } from '../options.ts'
import type { AnswerRow, AnswerScope, AnswerStore } from '../storage/answer-store.ts'
import type { AccessTracker } from './access-tracker.ts'
import type { CacheKey } from './cache-key.ts'
import { type AnswerLimits, ROW_OVERHEAD_BYTES } from './limits.ts'
import type { MonotonicClock } from './monotonic-clock.ts'

/** An answer as it is cached: its immutable text and its dates, epoch ms. */
export interface CachedAnswer {
  readonly value: string
  readonly storedAt: number
  /** The last instant at which it is served; null: it never expires. */
  readonly expiresAt: number | null
}

interface LocalEntry extends CachedAnswer {
  readonly scope: AnswerScope
  readonly generation: number
}

export interface EntryOptions {
  /** How long the answer is served, ms; null: for good. Default: `answers.ttlMs`. */
  readonly ttlMs: number | null
  /** Epoch ms from which the TTL counts. Default: now. */
  readonly storedAt: number
  /** Access number of its last use. Default: now. */
  readonly used: number
}

export interface AnswerCacheDeps {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly clock: MonotonicClock
  readonly access: AccessTracker
  readonly options: AnswerOptions
  readonly limits: AnswerLimits
  readonly namespace: string
  /** Called when the store failed. */
  readonly onFailure: () => void
}

/** Rows read at a time for an export: one answer may be megabytes. */
const PAGE_ROWS = 16

/** The last instant that a `Date` can represent, epoch ms; an answer that would expire later never does. */
const LAST_INSTANT = 8_640_000_000_000_000

/**
 * Two tiers: memory in front of the store. Both hold texts, so a caller cannot change what the next one gets. The store
 * decides what is cached; memory holds what was stored or read in this process, and drops what the store evicted.
 *
 * A store that fails is an empty cache: failures are counted and never thrown.
 */
export class AnswerCache {
  readonly #deps: AnswerCacheDeps
  readonly #memory: LRUCache<string, LocalEntry>
  #evictions = 0

  constructor(deps: AnswerCacheDeps) {
    this.#deps = deps
    this.#memory = new LRUCache({
      maxSize: Math.min(deps.limits.memoryBytes, deps.options.maxBytes),
      // A character takes one or two bytes; counting two keeps the bound true for both.
      sizeCalculation: ({ value }, key) => 2 * (value.length + key.length) + 256,
    })
  }

  /** Evicted entries since the start. */
  get evictions(): number {
    return this.#evictions
  }

  /** From memory, synchronously. */
  getLocal(key: CacheKey): CachedAnswer | undefined {
    const { clock, access } = this.#deps
    const entry = this.#memory.get(key.key)
    if (entry === undefined || entry.generation !== key.generation || isExpired(entry, clock.now())) return undefined
    access.note(key.key, clock.nextUse())
    return entry
  }

  /** From the store. A row that is torn, foreign or expired counts as absent. Never rejects. */
  async get(key: CacheKey): Promise<CachedAnswer | undefined> {
    const { store, clock, access, namespace } = this.#deps
    if (key.generation === null) return undefined
    const row = await this.#ignoreFailure(store.get(key.scope, key.key))
    if (row === undefined || row.generation !== key.generation) return undefined
    if (row.key !== key.key || !this.#isAuthentic(key.scope, row)) {
      await this.#ignoreFailure(store.remove(namespace, key.key))
      return undefined
    }
    if (!clock.witness(row.storedAt) || isExpired(row, clock.now())) return undefined
    access.note(key.key, clock.nextUse())
    return this.#setLocal(key, row)
  }

  /** Stores a value unless it is too large or its generation has ended. False: it was not stored. Never rejects. */
  async set(key: CacheKey, value: string, entry: Partial<EntryOptions> = {}): Promise<boolean> {
    const { store, clock, access, options, limits } = this.#deps
    const bytes = Buffer.byteLength(value) + ROW_OVERHEAD_BYTES
    if (key.generation === null || bytes > limits.maxAnswerBytes || bytes > options.maxBytes) return false
    const row = this.#createRow(key, value, entry)
    const { maxEntries, maxBytes } = options
    const limit = { maxEntries, maxBytes, now: clock.now(), lastUse: access.pending }
    const outcome = await this.#ignoreFailure(store.put(key.scope, row, limit))
    if (!outcome?.written) return false
    this.#evictions += outcome.evicted.length
    access.drop(key.key)
    this.#setLocal(key, row)
    for (const evicted of outcome.evicted) this.#memory.delete(evicted)
    return true
  }

  /** All entries of a scope, in no particular order. Rejects when the store fails. */
  async *entries(scope: AnswerScope): AsyncIterable<CachedAnswer> {
    const { store, clock } = this.#deps
    for (let after = ''; ; ) {
      const rows = await store.page(scope, { after, limit: PAGE_ROWS })
      for (const row of rows) if (this.#isAuthentic(scope, row) && !isExpired(row, clock.now())) yield row
      if (rows.length < PAGE_ROWS) return
      after = rows.at(-1)?.key ?? ''
    }
  }

  /** Drops expired entries from memory, and those of the given owners. */
  pruneLocal(owners: ReadonlySet<string>): void {
    const now = this.#deps.clock.now()
    for (const [key, entry] of this.#memory.entries()) {
      if (owners.has(entry.scope.owner) || isExpired(entry, now)) this.#memory.delete(key)
    }
  }

  clearLocal(): void {
    this.#memory.clear()
  }

  #setLocal({ key, scope }: CacheKey, { value, storedAt, expiresAt, generation }: AnswerRow): CachedAnswer {
    const entry = { value, storedAt, expiresAt, scope, generation }
    this.#memory.set(key, entry)
    return entry
  }

  #createRow({ key, scope, generation }: CacheKey, value: string, entry: Partial<EntryOptions>): AnswerRow {
    const { clock, options } = this.#deps
    const { storedAt = clock.now(), ttlMs = options.ttlMs, used = clock.nextUse() } = entry
    const end = storedAt + (ttlMs ?? Number.POSITIVE_INFINITY)
    const row = {
      key,
      generation: generation as number,
      storedAt,
      expiresAt: end <= LAST_INSTANT ? end : null,
      used,
      bytes: Buffer.byteLength(value) + ROW_OVERHEAD_BYTES,
      value,
    }
    return { ...row, mac: this.#macOf(scope, row) }
  }

  /** The row is what was stored in this scope under this key, complete and unchanged. */
  #isAuthentic(scope: AnswerScope, row: AnswerRow): boolean {
    return row.mac === this.#macOf(scope, row)
  }

  #macOf({ namespace, owner }: AnswerScope, row: Omit<AnswerRow, 'mac'>): string {
    const { key, generation, storedAt, expiresAt, bytes, value } = row
    const parts = ['row', namespace, owner, key, generation, storedAt, String(expiresAt), bytes, value]
    return this.#deps.keys.mac('answers', parts)
  }

  async #ignoreFailure<Result>(work: Promise<Result>): Promise<Result | undefined> {
    try {
      return await work
    } catch {
      this.#deps.onFailure()
      return undefined
    }
  }
}

/** The TTL counts from storing and does not slide; its last millisecond still counts. */
function isExpired(entry: { readonly expiresAt: number | null }, now: number): boolean {
  return entry.expiresAt !== null && now > entry.expiresAt
}
