import { randomBytes } from 'node:crypto'
import type { DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { LastGood, LastGoodPlace, LastGoodStore } from '../storage/last-good-store.ts'
import type { Mode, SourceOrder } from './api.ts'
import { type Held, hold, type SectionData } from './cache-entry.ts'
import { Breaker } from './circuit-breaker.ts'
import type { ContextLimits } from './limits.ts'
import type { Flight } from './load.ts'
import type { Section } from './section.ts'
import type { Lane } from './section-runtime.ts'

export interface LoadingHouse {
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly lastGood: LastGoodStore
  readonly ages: DeadlineQueue
  random(): number
  incarnationOf(user: Subject): Promise<number>
  /** Older data turned up in the store, good enough until the source has answered. */
  found(lane: Lane, flight: Flight<Held>, held: Held): void
}

/** What was found in the store before the source is asked. */
interface Opened {
  readonly place: LastGoodPlace
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
export class Loading {
  readonly #house: LoadingHouse
  readonly #storeBreaker: Breaker
  /** Data on its way to the store. */
  readonly #keeping = new Set<Promise<unknown>>()

  constructor(house: LoadingHouse) {
    this.#house = house
    this.#storeBreaker = new Breaker(1, { ...house.limits, random: house.random })
  }

  async load(lane: Lane, flight: Flight<Held>): Promise<Held> {
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

  #glimpse(lane: Lane, flight: Flight<Held>, kept: Held): void {
    this.#house.found(lane, flight, kept)
    for (const waiter of [...flight.waiters]) waiter.glimpsed(flight, kept)
  }

  /** Data of the other mode is as good as none. What cannot be read was written by another version. */
  #revive(lane: Lane, mode: Mode, kept: LastGood): Held | undefined {
    try {
      const { mode: keptFor, data } = JSON.parse(kept.value) as { mode: Mode | null; data: unknown }
      if (keptFor !== null) lane.modal = true
      if (keptFor !== null && keptFor !== mode) return undefined
      return this.#hold(lane, lane.section.revive(data), kept.loadedAt)
    } catch {
      return undefined
    }
  }

  #hold({ section, epoch }: Lane, data: SectionData, loadedAt: number): Held {
    const { effects, random } = this.#house
    const { ttlMs, maxStaleMs } = section
    const times = { now: effects.now(), monotonic: effects.monotonic(), chance: random() }
    return hold(data, loadedAt, { ttlMs, maxStaleMs, epoch, ...times })
  }

  async #openPlace(section: Section, { user }: Flight<Held>): Promise<Opened | undefined> {
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
    const { lease, kept } = await lastGood.open(place, candidate, limits.maxLastGoodRows)
    return { place, lease, kept }
  }

  #keep(place: LastGoodPlace, lease: string, data: LastGood): void {
    const { lastGood, limits, effects } = this.#house
    if (this.#keeping.size >= limits.maxKeeping) return
    const written = lastGood
      .keep(place, lease, data)
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
function callSource(lane: Lane, { user, mode, abort }: Flight<Held>): Promise<unknown> {
  const order: SourceOrder = {
    signal: abort.signal,
    get mode() {
      // A source that looks at the mode may give other data for the other one.
      lane.modal = true
      return mode
    },
  }
  return new Promise((resolve) => resolve(lane.section.supply.call(user, order)))
}
