import { LRUCache } from 'lru-cache'
import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { AnswerOptions } from '../options.ts'
import type { AnswerRow, AnswerScope, AnswerStore } from '../storage/answer-store.ts'
import { createAccessTracker } from './access-tracker.ts'
import type { CacheKey } from './key-resolver.ts'
import type { AnswerLimits } from './limits.ts'
import type { MonotonicClock } from './monotonic-clock.ts'
import { isExpired, isWhole, rowBytes, sealRow } from './sealed-row.ts'

/** An answer as it is kept: its text, which cannot be changed, and its dates. */
export interface CachedAnswer {
  readonly value: string
  readonly storedAt: number
  readonly expiresAt: number | null
}

interface InMemory extends CachedAnswer {
  readonly scope: AnswerScope
  readonly generation: number
}

export interface AnswerCache {
  /** From memory, at once. */
  recall(place: CacheKey): CachedAnswer | undefined
  /** From the store. What is torn, foreign or expired is not there. Never rejects. */
  fetch(place: CacheKey): Promise<CachedAnswer | undefined>
  /** Keeps a value, unless it is too large or its generation has passed meanwhile. Never rejects. */
  keep(place: CacheKey, value: string, terms?: Partial<EntryOptions>): Promise<CachedAnswer | undefined>
  /** Everything that is kept in this scope, in no telling order. Rejects when the store fails. */
  all(scope: AnswerScope): AsyncIterable<CachedAnswer>
  flush(): Promise<void>
  /** Drops from memory what has expired, and what belongs to these owners. */
  tidy(owners: ReadonlySet<string>): void
  /** Drops everything from memory. */
  empty(): void
  /** No timers any more. */
  stop(): void
  /** Since the start. */
  readonly evictions: number
}

/** For how long an answer is kept, and since when. */
export interface EntryOptions {
  readonly ttlMs: number | null
  readonly storedAt: number
  readonly used: number
}

export interface AnswerCacheDeps {
  readonly store: AnswerStore
  readonly keys: Keyring
  readonly effects: Effects
  readonly clock: MonotonicClock
  readonly options: AnswerOptions
  readonly limits: AnswerLimits
  readonly namespace: string
  /** Told when the store failed. */
  readonly onFailure: () => void
}

/** Answers read at once when all of a user's are wanted: one of them may be megabytes. */
const PAGE_ROWS = 16

/**
 * Memory before the store. Both hold texts, so nobody can change what the next one gets. The store is the truth about
 * what is kept; memory holds what was kept or read here, and lets go of what the store had to evict.
 *
 * A store that fails is a store without answers: the failure is counted, never thrown.
 */
export function createAnswerCache(house: AnswerCacheDeps): AnswerCache {
  const { store, keys, clock, options, limits, namespace } = house
  const memory = new LRUCache<string, InMemory>({
    maxSize: Math.min(limits.memoryBytes, options.maxBytes),
    // Texts take one or two bytes a character; counting two keeps the bound true for either.
    sizeCalculation: ({ value }, key) => 2 * (value.length + key.length) + 256,
  })
  let evictions = 0

  async function orNothing<Result>(work: Promise<Result>): Promise<Result | undefined> {
    try {
      return await work
    } catch {
      house.onFailure()
      return undefined
    }
  }

  const touches = createAccessTracker({
    effects: house.effects,
    touchEveryMs: options.touchEveryMs,
    limits,
    write: async (uses) => void (await orNothing(store.touch(namespace, uses))),
  })

  function remember({ key, scope }: CacheKey, row: AnswerRow): CachedAnswer {
    const { value, storedAt, expiresAt, generation } = row
    const kept = { value, storedAt, expiresAt, scope, generation }
    memory.set(key, kept)
    return kept
  }

  return {
    recall(place) {
      const kept = memory.get(place.key)
      if (kept === undefined || kept.generation !== place.generation) return undefined
      if (isExpired(kept, clock.now())) return undefined
      touches.note(place.key, clock.nextUse())
      return kept
    },

    async fetch(place) {
      if (place.generation === null) return undefined
      const row = await orNothing(store.get(place.scope, place.key))
      if (row === undefined) return undefined
      const isOurs = row.generation === place.generation && isWhole(keys, place.scope, place.key, row)
      if (!isOurs) {
        if (row.generation === place.generation) await orNothing(store.remove(namespace, place.key))
        return undefined
      }
      if (!clock.witness(row.storedAt) || isExpired(row, clock.now())) return undefined
      touches.note(place.key, clock.nextUse())
      return remember(place, row)
    },

    async keep(place, value, terms = {}) {
      const { generation, key, scope } = place
      const bytes = rowBytes(value)
      if (generation === null || bytes > limits.maxAnswerBytes || bytes > options.maxBytes) return undefined
      const { storedAt = clock.now(), ttlMs = options.ttlMs, used = clock.nextUse() } = terms
      const row = sealRow(keys, scope, { key, generation, storedAt, ttlMs, used, value })
      const { maxEntries, maxBytes } = options
      const room = { maxEntries, maxBytes, now: clock.now(), lastUse: touches.pending }
      const outcome = await orNothing(store.put(scope, row, room))
      if (!outcome?.written) return undefined
      evictions += outcome.evicted.length
      touches.drop(key)
      const kept = remember(place, row)
      for (const evicted of outcome.evicted) memory.delete(evicted)
      return kept
    },

    async *all(scope) {
      for (let after = ''; ; ) {
        const rows = await store.page(scope, { after, limit: PAGE_ROWS })
        for (const row of rows) if (isWhole(keys, scope, row.key, row) && !isExpired(row, clock.now())) yield row
        if (rows.length < PAGE_ROWS) return
        after = rows.at(-1)?.key ?? ''
      }
    },

    flush: touches.flush,

    tidy(owners) {
      const now = clock.now()
      for (const [key, kept] of memory.entries()) {
        if (owners.has(kept.scope.owner) || isExpired(kept, now)) memory.delete(key)
      }
    },

    empty: () => memory.clear(),

    stop: touches.stop,

    get evictions() {
      return evictions
    },
  }
}
