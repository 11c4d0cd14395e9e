import { randomBytes } from 'node:crypto'
import { CircuitBreaker } from '../core/circuit-breaker.ts'
import type { DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { Mode, SourceOptions } from '../options/context-section.ts'
import type { LastGood, LastGoodKey, LastGoodStore } from '../storage/last-good-store.ts'
import { type CacheEntry, createCacheEntry } from './cache-entry.ts'
import type { ContextLimits } from './limits.ts'
import type { Load } from './load.ts'
import type { SectionData } from './section.ts'
import type { SectionRuntime } from './section-runtime.ts'

export interface SectionLoaderDeps {
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly lastGood: LastGoodStore
  readonly timeouts: DeadlineQueue
  jitter(): number
  incarnationOf(user: Subject): Promise<number>
  /** Called with data from the store that may be used until the source has answered. */
  onStaleData(section: SectionRuntime, load: Load<CacheEntry>, entry: CacheEntry): void
}

/** The last good data of a section as found in the store, and the lease to replace it. */
interface OpenedLastGood {
  readonly key: LastGoodKey
  readonly lease: string | undefined
  readonly stored: LastGood | undefined
}

/**
 * Loads sections: reads the last good data from the store, calls the source, writes its data as the new last good data.
 *
 * The lease is taken before the source is called. An invalidation ends the lease, so a load that started before it
 * cannot write outdated data, whenever and in whichever process it ends. The store has `lastGoodTimeoutMs` to answer:
 * a store that hangs delays one load per backoff by that time, and fails none.
 */
export class SectionLoader {
  readonly #deps: SectionLoaderDeps
  readonly #storeBreaker: CircuitBreaker
  readonly #pendingWrites = new Set<Promise<unknown>>()

  constructor(deps: SectionLoaderDeps) {
    this.#deps = deps
    this.#storeBreaker = new CircuitBreaker(1, { ...deps.limits, jitter: deps.jitter })
  }

  async load(section: SectionRuntime, load: Load<CacheEntry>): Promise<CacheEntry> {
    const { effects } = this.#deps
    // What was found for another query is not last good data of this one.
    const hasLastGood = !section.source.isBuiltIn && !section.needsQuery
    const lastGood = !hasLastGood ? undefined : await this.#openLastGood(section, load)
    const stored = lastGood?.stored === undefined ? undefined : this.#restore(section, load.mode, lastGood.stored)
    if (stored !== undefined && !load.isOutdated) {
      const now = effects.monotonic()
      if (now < stored.freshUntil && !load.forceReload) return stored
      if (now < stored.staleUntil) this.#notifyStaleData(section, load, stored)
    }
    const data = section.parse(await callSource(section, load))
    const loadedAt = effects.now()
    if (lastGood?.lease !== undefined && !load.isOutdated) {
      const value = JSON.stringify({ mode: section.isModeDependent ? load.mode : null, data: data.value })
      this.#writeLastGood(lastGood.key, lastGood.lease, { value, loadedAt })
    }
    return this.#createEntry(section, data, loadedAt)
  }

  /** Waits for pending writes, at most `closeTimeoutMs`. */
  async flush(): Promise<void> {
    if (this.#pendingWrites.size > 0)
      await this.#withTimeout(Promise.all(this.#pendingWrites), this.#deps.limits.closeTimeoutMs)
  }

  #notifyStaleData(section: SectionRuntime, load: Load<CacheEntry>, entry: CacheEntry): void {
    this.#deps.onStaleData(section, load, entry)
    for (const waiter of [...load.waiters]) waiter.onStaleData(load, entry)
  }

  /** Undefined for data of the other mode, and for what cannot be read because another version wrote it. */
  #restore(section: SectionRuntime, mode: Mode, stored: LastGood): CacheEntry | undefined {
    try {
      const { mode: storedMode, data } = JSON.parse(stored.value) as { mode: Mode | null; data: unknown }
      if (storedMode !== null) section.isModeDependent = true
      if (storedMode !== null && storedMode !== mode) return undefined
      return this.#createEntry(section, section.restore(data), stored.loadedAt)
    } catch {
      return undefined
    }
  }

  #createEntry(
    { ttlMs, emptyTtlMs, maxStaleMs, epoch }: SectionRuntime,
    data: SectionData,
    loadedAt: number,
  ): CacheEntry {
    const { effects, jitter } = this.#deps
    const times = { now: effects.now(), monotonic: effects.monotonic(), jitter: jitter() }
    return createCacheEntry(data, loadedAt, { ttlMs: data.isEmpty ? emptyTtlMs : ttlMs, maxStaleMs, epoch, ...times })
  }

  /** Undefined if the store fails, does not answer in time, or has failed shortly before. */
  async #openLastGood({ name }: SectionRuntime, { user }: Load<CacheEntry>): Promise<OpenedLastGood | undefined> {
    const { effects, limits } = this.#deps
    if (this.#storeBreaker.permit(effects.monotonic()) === 'rejected') return undefined
    const opened = await this.#withTimeout(this.#readLastGood(name, user), limits.lastGoodTimeoutMs)
    if (opened === undefined) this.#storeBreaker.recordFailure(effects.monotonic(), true)
    else this.#storeBreaker.recordSuccess(effects.monotonic())
    return opened
  }

  async #readLastGood(section: string, user: Subject): Promise<OpenedLastGood> {
    const { lastGood, limits, incarnationOf } = this.#deps
    const key = { user, section, incarnation: await incarnationOf(user) }
    const newLease = randomBytes(9).toString('base64url')
    const { lease, data: stored } = await lastGood.open(key, newLease, limits.maxLastGoodRows)
    return { key, lease, stored }
  }

  /** Written behind: the load does not wait for it. */
  #writeLastGood(key: LastGoodKey, lease: string, data: LastGood): void {
    const { lastGood, limits, effects } = this.#deps
    if (this.#pendingWrites.size >= limits.maxPendingWrites) return
    const write = lastGood
      .put(key, lease, data)
      .catch(() => this.#storeBreaker.recordFailure(effects.monotonic(), true))
      .finally(() => this.#pendingWrites.delete(write))
    this.#pendingWrites.add(write)
  }

  /** The value, or undefined if the promise rejects or takes longer. */
  #withTimeout<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | undefined> {
    const { timeouts, effects } = this.#deps
    return new Promise((resolve) => {
      const timeout = timeouts.add(effects.monotonic() + timeoutMs, () => resolve(undefined))
      const end = (value: Value | undefined): void => {
        timeouts.remove(timeout)
        resolve(value)
      }
      promise.then(end, () => end(undefined))
    })
  }
}

/** A promise whatever the source does: throw, return plain data, or return a thenable that calls back twice. */
function callSource(section: SectionRuntime, { user, mode, query, abort }: Load<CacheEntry>): Promise<unknown> {
  const options: SourceOptions = {
    signal: abort.signal,
    ...(section.needsQuery ? { query } : {}),
    get mode() {
      // A source that reads the mode may return other data for the other one.
      section.isModeDependent = true
      return mode
    },
  }
  return new Promise((resolve) => resolve(section.source.load(user, options)))
}
