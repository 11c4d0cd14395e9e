import { LRUCache } from 'lru-cache'
import type { Mode } from '../options/context-section.ts'
import type { ResolvedContext } from './api.ts'
import type { CacheEntry } from './cache-entry.ts'
import { QUERY_MARK } from './section-runtime.ts'

/** A complete context, and how long it may be returned without a look at its sections. */
export interface CachedContext {
  /** Monotonic ms. */
  readonly validUntil: number
  readonly epoch: number
  readonly context: ResolvedContext
  readonly promise: Promise<ResolvedContext>
}

/** The cached data of one user. */
export interface UserEntry {
  /** False after it has left the cache; a holder of the entry then looks the user up again. */
  isCached: boolean
  /** Section data by cache key. */
  readonly sections: Map<string, CacheEntry>
  /** Contexts of calls with no option but the mode, found without a look-up. */
  plain: CachedContext | undefined
  reuse: CachedContext | undefined
  create: CachedContext | undefined
  /** Other contexts: by mode, clock, zone and choice of sections. */
  readonly others: Map<string, CachedContext>
}

/** Queries of one user and section whose data is cached. */
const MAX_QUERIES = 4
/** Approximate size of an entry without data. */
const ENTRY_BYTES = 512

/** Section data and complete contexts by user, limited by users and by bytes; the least recently used user is evicted. */
export class UserCache {
  /** Contexts of an earlier epoch are not returned. */
  epoch = 0
  readonly #users: LRUCache<string, UserEntry>
  readonly #maxRenderings: number

  constructor({ maxUsers, maxBytes, maxRenderings }: { maxUsers: number; maxBytes: number; maxRenderings: number }) {
    // Without a limit of users, bytes alone are the limit.
    this.#users = new LRUCache({
      max: Number.isFinite(maxUsers) ? maxUsers : 0,
      maxSize: maxBytes,
      dispose: (entry, _, reason) => {
        entry.isCached = false
        // A handle may hold the entry; its data must not stay in memory with it.
        if (reason === 'evict') clearEntry(entry)
      },
    })
    this.#maxRenderings = maxRenderings
  }

  get users(): number {
    return this.#users.size
  }

  get bytes(): number {
    return this.#users.calculatedSize
  }

  get(userId: string): UserEntry | undefined {
    return this.#users.get(userId)
  }

  /** Does not count as a use: an entry is evicted as early as without it. */
  peek(userId: string): UserEntry | undefined {
    return this.#users.peek(userId)
  }

  /** The complete context under this key while it is valid. */
  getContext(entry: UserEntry, key: string, now: number): CachedContext | undefined {
    const cached = isMode(key) ? entry[key] : entry.others.get(key)
    return cached !== undefined && now < cached.validUntil && cached.epoch === this.epoch ? cached : undefined
  }

  setContext(userId: string, key: string, cached: CachedContext): void {
    const entry = this.#users.get(userId)
    if (entry === undefined) return
    if (isMode(key)) entry[key] = cached
    else {
      if (entry.others.size >= this.#maxRenderings) entry.others.clear()
      entry.others.set(key, cached)
    }
    this.#updateSize(userId, entry)
  }

  setSection(userId: string, cacheKey: string, section: CacheEntry): void {
    const entry = this.#users.get(userId) ?? {
      isCached: false,
      sections: new Map(),
      plain: undefined,
      reuse: undefined,
      create: undefined,
      others: new Map(),
    }
    entry.sections.delete(cacheKey)
    entry.sections.set(cacheKey, section)
    limitQueries(entry.sections, cacheKey)
    clearContexts(entry)
    this.#updateSize(userId, entry)
  }

  setSectionIfAbsent(userId: string, cacheKey: string, section: CacheEntry): void {
    if (this.#users.peek(userId)?.sections.has(cacheKey) !== true) this.setSection(userId, cacheKey, section)
  }

  /** Deletes the sections of a user whose cache key matches. */
  deleteSections(userId: string, matches: (cacheKey: string) => boolean): void {
    const entry = this.#users.peek(userId)
    if (entry === undefined) return
    for (const cacheKey of entry.sections.keys()) if (matches(cacheKey)) entry.sections.delete(cacheKey)
    clearContexts(entry)
    if (entry.sections.size === 0) this.#users.delete(userId)
    else this.#updateSize(userId, entry)
  }

  /** Deletes the complete contexts of a user; section data stays. */
  deleteContexts(userId: string): void {
    const entry = this.#users.peek(userId)
    if (entry === undefined) return
    clearContexts(entry)
    this.#updateSize(userId, entry)
  }

  clear(): void {
    this.#users.clear()
  }

  /** The LRU cache takes a new size only with a new entry. */
  #updateSize(userId: string, entry: UserEntry): void {
    let size = ENTRY_BYTES
    for (const { data, texts } of entry.sections.values()) {
      size += data.bytes
      for (const { text } of texts.values()) size += text.length * 2
    }
    for (const cached of [entry.plain, entry.reuse, entry.create, ...entry.others.values()])
      size += (cached?.context.text.length ?? 0) * 2
    this.#users.delete(userId)
    this.#users.set(userId, entry, { size })
    entry.isCached = this.#users.has(userId)
  }
}

/** The data of the newest queries stays. */
function limitQueries(sections: Map<string, CacheEntry>, cacheKey: string): void {
  const end = cacheKey.indexOf(QUERY_MARK)
  if (end === -1) return
  const start = cacheKey.slice(0, end + QUERY_MARK.length)
  const sameSection = [...sections.keys()].filter((key) => key.startsWith(start))
  for (const key of sameSection.slice(0, -MAX_QUERIES)) sections.delete(key)
}

function isMode(key: string): key is Mode {
  return key === 'plain' || key === 'reuse' || key === 'create'
}

function clearEntry(entry: UserEntry): void {
  entry.sections.clear()
  clearContexts(entry)
}

function clearContexts(entry: UserEntry): void {
  entry.plain = undefined
  entry.reuse = undefined
  entry.create = undefined
  entry.others.clear()
}
