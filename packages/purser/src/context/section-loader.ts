import { randomBytes } from 'node:crypto'
import type { DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { LastGood, LastGoodKey, LastGoodStore } from '../storage/last-good-store.ts'
import type { Mode, SourceCall } from './api.ts'
import { type CacheEntry, hold, type SectionData } from './cache-entry.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import type { ContextLimits } from './limits.ts'
import type { Load } from './load.ts'
import type { Section } from './section.ts'
import type { SectionRuntime } from './section-runtime.ts'

export interface SectionLoaderDeps {
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly lastGood: LastGoodStore
  readonly ages: DeadlineQueue
  random(): number
  incarnationOf(user: Subject): Promise<number>
  /** Older data turned up in the store, good enough until the source has answered. */
  found(lane: SectionRuntime, flight: Load<CacheEntry>, held: CacheEntry): void
}

/** What was found in the store before the source is asked. */
interface Opened {
  readonly place: LastGoodKey
  readonly lease: string | undefined
  readonly kept: LastGood | undefined
}

/**
 * Loads sections: last good data first, then the source, then the new data is kept as last good.
 *
 * The lease is taken before the source is asked. Whoever invalidates meanwhile ends the lease, so this load cannot
 * put back what was dropped, whenever and in whichever process it ends. The store has little time to answer; a store
 * that hangs costs one short wait a pause and never the load.
 */
export class SectionLoader {
  readonly #house: SectionLoaderDeps
  readonly #storeBreaker: CircuitBreaker
  /** Data on its way to the store. */
  readonly #keeping = new Set<Promise<unknown>>()

  constructor(house: SectionLoaderDeps) {
    this.#house = house
    this.#storeBreaker = new CircuitBreaker(1, { ...house.limits, random: house.random })
  }

  async load(lane: SectionRuntime, flight: Load<CacheEntry>): Promise<CacheEntry> {
    const { section } = lane
    const { effects } = this.#house
    const opened = section.supply.builtIn ? undefined : await this.#openPlace(section, flight)
    const kept = opened?.kept === undefined ? undefined : this.#revive(lane, flight.mode, opened.kept)
    if (kept !== undefined && !flight.outdated) {
      const now = effects.monotonic()
      if (now < kept.freshUntil && !flight.insists) return kept
      if (now < kept.staleUntil) this.#glimpse(lane, flight, kept)
    }
    const data = section.read(await callSource(lane, flight))
    const loadedAt = effects.now()
    if (opened?.lease !== undefined && !flight.outdated) {
      const value = JSON.stringify({ mode: lane.modal ? flight.mode : null, data: data.value })
      this.#keep(opened.place, opened.lease, { value, loadedAt })
    }
    return this.#hold(lane, data, loadedAt)
  }

  /** Waits, for a while, for what is on its way to the store. */
  async settled(): Promise<void> {
    if (this.#keeping.size > 0) await this.#within(Promise.all(this.#keeping), this.#house.limits.closingWaitMs)
  }

  #glimpse(lane: SectionRuntime, flight: Load<CacheEntry>, kept: CacheEntry): void {
    this.#house.found(lane, flight, kept)
    for (const waiter of [...flight.waiters]) waiter.glimpsed(flight, kept)
  }

  /** Data of the other mode is as good as none. What cannot be read was written by another version. */
  #revive(lane: SectionRuntime, mode: Mode, kept: LastGood): CacheEntry | undefined {
    try {
      const { mode: keptFor, data } = JSON.parse(kept.value) as { mode: Mode | null; data: unknown }
      if (keptFor !== null) lane.modal = true
      if (keptFor !== null && keptFor !== mode) return undefined
      return this.#hold(lane, lane.section.revive(data), kept.loadedAt)
    } catch {
      return undefined
    }
  }

  #hold({ section, epoch }: SectionRuntime, data: SectionData, loadedAt: number): CacheEntry {
    const { effects, random } = this.#house
    const { ttlMs, maxStaleMs } = section
    const times = { now: effects.now(), monotonic: effects.monotonic(), chance: random() }
    return hold(data, loadedAt, { ttlMs, maxStaleMs, epoch, ...times })
  }

  async #openPlace(section: Section, { user }: Load<CacheEntry>): Promise<Opened | undefined> {
    const { effects, limits } = this.#house
    if (this.#storeBreaker.pass(effects.monotonic()) === 'refused') return undefined
    const opened = await this.#within(this.#open(section, user), limits.lastGoodWaitMs)
    if (opened === undefined) this.#storeBreaker.failed(effects.monotonic(), true)
    else this.#storeBreaker.succeeded(effects.monotonic())
    return opened
  }

  async #open(section: Section, user: Subject): Promise<Opened> {
    const { lastGood, limits, incarnationOf } = this.#house
    const place = { user, section: section.name, incarnation: await incarnationOf(user) }
    const candidate = randomBytes(9).toString('base64url')
    const { lease, data: kept } = await lastGood.open(place, candidate, limits.maxLastGoodRows)
    return { place, lease, kept }
  }

  #keep(place: LastGoodKey, lease: string, data: LastGood): void {
    const { lastGood, limits, effects } = this.#house
    if (this.#keeping.size >= limits.maxKeeping) return
    const written = lastGood
      .put(place, lease, data)
      .catch(() => this.#storeBreaker.failed(effects.monotonic(), true))
      .finally(() => this.#keeping.delete(written))
    this.#keeping.add(written)
  }

  /** The value, or undefined when it fails or takes longer. */
  #within<Value>(promise: Promise<Value>, waitMs: number): Promise<Value | undefined> {
    const { ages, effects } = this.#house
    return new Promise((resolve) => {
      const deadline = ages.add(effects.monotonic() + waitMs, () => resolve(undefined))
      const settle = (value: Value | undefined): void => {
        ages.remove(deadline)
        resolve(value)
      }
      promise.then(settle, () => settle(undefined))
    })
  }
}

/** Whatever a source does (throws at once, gives a thenable that calls back twice, plain data) becomes a promise. */
function callSource(lane: SectionRuntime, { user, mode, abort }: Load<CacheEntry>): Promise<unknown> {
  const order: SourceCall = {
    signal: abort.signal,
    get mode() {
      // A source that looks at the mode may give other data for the other one.
      lane.modal = true
      return mode
    },
  }
  return new Promise((resolve) => resolve(lane.section.supply.call(user, order)))
}
