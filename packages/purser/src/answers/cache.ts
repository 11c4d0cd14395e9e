import { LRUCache } from 'lru-cache'
import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import { readPage } from '../core/long-read.ts'
import type { AnswerOptions } from '../options.ts'
import { type AnswerMac, createAnswerMac } from '../storage/answer-mac.ts'
import type { AnswerRow, AnswerScope, AnswerStore, NewAnswer, PutOutcome } from '../storage/answer-store.ts'
import type { AccessTracker, TrackedEntry } from './access-tracker.ts'
import type { CacheKey } from './cache-key.ts'
import { type AnswerLimits, ROW_OVERHEAD_BYTES } from './limits.ts'
import type { MonotonicClock } from './monotonic-clock.ts'
import { WriteBehind } from './write-behind.ts'

/** An answer as it is cached: its immutable text and its dates, epoch ms. */
export interface CachedAnswer {
  readonly value: string
  readonly storedAt: number
  /** The last instant at which it is served; null: it never expires. */
  readonly expiresAt: number | null
}

interface LocalEntry extends CachedAnswer {
  readonly generation: number
  readonly bytes: number
  /** Apart from the answer, so that an access that is not written yet does not keep the answer in memory. */
  readonly use: TrackedEntry
}

export interface EntryOptions {
  /** How long the answer is served, ms; null: for good. Default: `answers.ttlMs`. */
  readonly ttlMs: number | null
  /** Epoch ms from which the TTL counts. Default: now. */
  readonly storedAt: number
}

export interface AnswerCacheDeps {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly effects: Effects
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
 * A new answer is in memory at once and in the store a little later, see `WriteBehind`. Until then it is found in memory,
 * also when it no longer fits there.
 *
 * A store that fails is an empty cache: failures are counted and never thrown.
 */
export class AnswerCache {
  readonly #deps: AnswerCacheDeps
  readonly #memory: LRUCache<string, LocalEntry>
  readonly #mac: AnswerMac
  readonly #writeBehind: WriteBehind
  #evictions = 0

  constructor(deps: AnswerCacheDeps) {
    const { store, keys, effects, clock, options, limits, namespace } = deps
    const { maxEntries, maxBytes } = options
    const macKey = keys.key('answers')
    this.#deps = deps
    this.#mac = createAnswerMac(macKey)
    this.#memory = new LRUCache({
      maxSize: Math.min(limits.memoryBytes, maxBytes),
      // A character takes one or two bytes; counting two keeps the bound true for both.
      sizeCalculation: ({ value }, key) => 2 * (value.length + key.length) + 256,
    })
    this.#writeBehind = new WriteBehind({
      effects,
      limits,
      put: (rows) =>
        this.#ignoreFailure(store.put({ namespace, rows, limits: { maxEntries, maxBytes, now: clock.now() }, macKey })),
      onWritten: (rows, outcome) => this.#afterWrite(rows, outcome),
    })
  }

  /** Evicted entries since the start. */
  get evictions(): number {
    return this.#evictions
  }

  /** What is in memory and not in the store: waiting to be written now, and never written since the start. */
  get unwritten(): { readonly entries: number; readonly bytes: number; readonly refused: number } {
    return this.#writeBehind
  }

  /** From memory, synchronously. */
  getLocal(key: CacheKey): CachedAnswer | undefined {
    const entry = this.#memory.get(key.key) ?? this.#getWaiting(key)
    if (entry === undefined || entry.generation !== key.generation) return undefined
    if (isExpired(entry, this.#deps.clock.now())) return undefined
    this.#deps.access.note(entry.use)
    return entry
  }

  /** From the store. A row that is torn, foreign or expired counts as absent. Never rejects. */
  async get(key: CacheKey): Promise<CachedAnswer | undefined> {
    const { store, clock, access } = this.#deps
    if (key.generation === null) return undefined
    const row = await this.#ignoreFailure(store.get(key.scope, key.key))
    if (row === undefined || row.generation !== key.generation) return undefined
    if (row.key !== key.key || !this.#isAuthentic(key.scope, row)) {
      await this.#ignoreFailure(store.remove(key.scope, key.key))
      return undefined
    }
    if (!clock.witness(row.storedAt) || isExpired(row, clock.now())) return undefined
    const entry = this.#setLocal({ ...row, owner: key.scope.owner })
    access.note(entry.use)
    return entry
  }

  /** Caches a value in memory now, and in the store soon. Does nothing if it is too large or its generation is unknown. */
  set(key: CacheKey, value: string, entry: Partial<EntryOptions> = {}): void {
    const row = this.#createRow(key, value, entry)
    if (row === undefined) return
    this.#writeBehind.add(row)
    this.#setLocal(row)
  }

  /** Like `set`, and resolves when the value is in the store. False: it was not stored. Never rejects. */
  async setDurably(key: CacheKey, value: string, entry: Partial<EntryOptions> = {}): Promise<boolean> {
    const row = this.#createRow(key, value, entry)
    if (row === undefined) return false
    this.#setLocal(row)
    return this.#writeBehind.write(row)
  }

  /** Resolves when everything that is cached now is in the store, as far as the store accepts it. */
  flush(): Promise<void> {
    return this.#writeBehind.flush()
  }

  /** Writes what is waiting; `set` does not write anything afterwards. */
  async close(): Promise<void> {
    this.#writeBehind.stop()
    await this.#writeBehind.flush()
  }

  /** All entries of a scope, in no particular order. Rejects when the store fails. */
  async *entries(scope: AnswerScope): AsyncIterable<CachedAnswer> {
    const { store, clock } = this.#deps
    await this.flush()
    for (let after = ''; ; ) {
      const page = { after, limit: PAGE_ROWS }
      const rows = await readPage(() => store.page(scope, page))
      for (const row of rows) if (this.#isAuthentic(scope, row) && !isExpired(row, clock.now())) yield row
      if (rows.length < PAGE_ROWS) return
      after = rows.at(-1)?.key ?? ''
    }
  }

  /** Drops expired entries from memory, and those of the given owners. */
  pruneLocal(owners: ReadonlySet<string>): void {
    const now = this.#deps.clock.now()
    for (const [key, entry] of this.#memory.entries()) {
      if (owners.has(entry.use.owner) || isExpired(entry, now)) this.#memory.delete(key)
    }
  }

  clearLocal(): void {
    this.#memory.clear()
  }

  /** An entry that left memory before it was written. */
  #getWaiting({ key }: CacheKey): LocalEntry | undefined {
    const row = this.#writeBehind.get(key)
    return row && this.#setLocal(row)
  }

  #setLocal({ owner, key, value, storedAt, expiresAt, generation, bytes }: NewAnswer): LocalEntry {
    const replaced = this.#memory.peek(key)
    // A use of what was stored under this key before says nothing about this entry.
    if (replaced !== undefined) replaced.use.isUsed = false
    const entry = { value, storedAt, expiresAt, generation, bytes, use: { owner, key, isUsed: false } }
    this.#memory.set(key, entry)
    return entry
  }

  #createRow({ key, scope, generation }: CacheKey, value: string, entry: Partial<EntryOptions>): NewAnswer | undefined {
    const { clock, options, limits } = this.#deps
    const bytes = Buffer.byteLength(value) + ROW_OVERHEAD_BYTES
    if (generation === null || bytes > limits.maxAnswerBytes || bytes > options.maxBytes) return undefined
    const { storedAt = clock.now(), ttlMs = options.ttlMs } = entry
    const end = storedAt + (ttlMs ?? Number.POSITIVE_INFINITY)
    const expiresAt = end <= LAST_INSTANT ? end : null
    return { owner: scope.owner, key, generation, storedAt, expiresAt, bytes, value }
  }

  /**
   * Drops from memory what the store refused or evicted. An entry that was used since it was written, which the store
   * does not know yet, is written again instead.
   */
  #afterWrite(rows: readonly NewAnswer[], { refused, evicted }: PutOutcome): void {
    for (const index of refused) this.#dropLocal(rows[index]?.key ?? '')
    for (const key of evicted) {
      // Replaced meanwhile.
      if (this.#writeBehind.get(key) !== undefined) continue
      const entry = this.#memory.peek(key)
      if (entry?.use.isUsed && !isExpired(entry, this.#deps.clock.now()) && this.#writeAgain(entry)) continue
      this.#evictions++
      this.#dropLocal(key)
    }
  }

  #writeAgain(entry: LocalEntry): boolean {
    const { value, storedAt, expiresAt, generation, bytes, use } = entry
    // Writing it counts as the use.
    use.isUsed = false
    return this.#writeBehind.add({ owner: use.owner, key: use.key, generation, storedAt, expiresAt, bytes, value })
  }

  #dropLocal(key: string): void {
    if (this.#writeBehind.get(key) === undefined) this.#memory.delete(key)
  }

  /** The row is what was stored in this scope under this key, complete and unchanged. */
  #isAuthentic({ namespace, owner }: AnswerScope, row: AnswerRow): boolean {
    return row.mac === this.#mac(namespace, { ...row, owner })
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
