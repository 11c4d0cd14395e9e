import { randomBytes } from 'node:crypto'
import type { Effects } from '../effects.ts'
import type { Subject } from '../identity.ts'
import { Breaker } from './breaker.ts'
import type { DeadlineQueue } from './deadline.ts'
import type { Flight } from './flight.ts'
import { type Held, hold } from './held.ts'
import type { Lane } from './lane.ts'
import type { ContextLimits } from './limits.ts'
import type { LastGood, LastGoodPlace, LastGoodStore, Mode, SourceOrder } from './port.ts'
import type { Section } from './section.ts'

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
export function createLoading(house: LoadingHouse): {
  load(lane: Lane, flight: Flight<Held>): Promise<Held>
  /** Waits, for a while, for what is on its way to the store. */
  settled(): Promise<void>
} {
  const { effects, limits, lastGood, ages, random } = house
  const keeping = new Set<Promise<unknown>>()
  const storeBreaker = new Breaker(1, { ...limits, random })

  const heldAs = (section: Section, data: Held['data'], loadedAt: number): Held =>
    hold(data, loadedAt, {
      ttlMs: section.ttlMs,
      maxStaleMs: section.maxStaleMs,
      now: effects.now(),
      monotonic: effects.monotonic(),
      chance: random(),
    })

  async function load(lane: Lane, flight: Flight<Held>): Promise<Held> {
    const { section } = lane
    const opened = section.supply.builtIn ? undefined : await openPlace(section, flight)
    const kept = opened?.kept === undefined ? undefined : revived(lane, flight.mode, opened.kept)
    if (kept !== undefined && !flight.outdated) {
      const now = effects.monotonic()
      if (now < kept.freshUntil && !flight.insists) return kept
      if (now < kept.staleUntil) {
        house.found(lane, flight, kept)
        for (const waiter of [...flight.waiters]) waiter.glimpsed(flight, kept)
      }
    }
    const data = section.read(await callSource(lane, flight))
    const loadedAt = effects.now()
    if (opened?.lease !== undefined && !flight.outdated) {
      const value = JSON.stringify({ mode: lane.modal ? flight.mode : null, data: data.value })
      keep(opened.place, opened.lease, { value, loadedAt })
    }
    return heldAs(section, data, loadedAt)
  }

  /** Data of the other mode is as good as none. What cannot be read was written by another version. */
  function revived(lane: Lane, mode: Mode, kept: LastGood): Held | undefined {
    try {
      const { mode: keptFor, data } = JSON.parse(kept.value) as { mode: Mode | null; data: unknown }
      if (keptFor !== null) lane.modal = true
      if (keptFor !== null && keptFor !== mode) return undefined
      return heldAs(lane.section, lane.section.revive(data), kept.loadedAt)
    } catch {
      return undefined
    }
  }

  async function openPlace(section: Section, { user }: Flight<Held>): Promise<Opened | undefined> {
    if (storeBreaker.pass(effects.monotonic()) === 'refused') return undefined
    const opening = open(section, user)
    const opened = await within(opening, limits.lastGoodWaitMs, ages, effects)
    if (opened === undefined) storeBreaker.failed(effects.monotonic(), true)
    else storeBreaker.succeeded(effects.monotonic())
    return opened
  }

  async function open(section: Section, user: Subject): Promise<Opened> {
    const place = { user, section: section.name, incarnation: await house.incarnationOf(user) }
    const { lease, kept } = await lastGood.open(place, randomBytes(9).toString('base64url'), limits.maxLastGoodRows)
    return { place, lease, kept }
  }

  function keep(place: LastGoodPlace, lease: string, data: LastGood): void {
    if (keeping.size >= limits.maxKeeping) return
    const written = lastGood
      .keep(place, lease, data)
      .catch(() => storeBreaker.failed(effects.monotonic(), true))
      .finally(() => keeping.delete(written))
    keeping.add(written)
  }

  return {
    load,
    async settled() {
      if (keeping.size > 0) await within(Promise.all(keeping), limits.closingWaitMs, ages, effects)
    },
  }
}

/** Whatever a source does (throws at once, gives a thenable that calls back twice, gives plain data) becomes a promise. */
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

/** The value, or undefined when it fails or takes longer. */
function within<Value>(
  promise: Promise<Value>,
  waitMs: number,
  ages: DeadlineQueue,
  effects: Effects,
): Promise<Value | undefined> {
  return new Promise((resolve) => {
    const deadline = ages.add(effects.monotonic() + waitMs, () => resolve(undefined))
    const settle = (value: Value | undefined): void => {
      ages.remove(deadline)
      resolve(value)
    }
    promise.then(settle, () => settle(undefined))
  })
}
