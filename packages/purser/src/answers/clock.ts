import type { Effects } from '../effects.ts'

/**
 * How far the wall clock may be off before it is believed, ms. A mistaken time zone or daylight-saving step is an
 * hour; a machine that slept longer than this really is that much later.
 */
export const CLOCK_TOLERANCE_MS = 7_200_000

export interface SteadyClock {
  /** Epoch ms that never goes back and does not follow a wall clock that jumps. */
  now(): number
  /** Somebody has seen this instant already: it is not later than now. False when that cannot be believed. */
  witness(at: number): boolean
  /** A number for this use: later uses have higher ones, also across processes as far as their clocks agree. */
  nextUse(): number
}

/** Uses within one millisecond that keep their order. */
const USES_PER_MS = 1_024

/** The number for a use at this instant, epoch ms. */
export function useAt(at: number): number {
  return at * USES_PER_MS
}

/**
 * Expiry must survive clocks that are set: a step forward must not expire everything at once, a step back must not
 * bring back what has expired. So time starts at the wall clock and goes on with the monotonic one. Only when the
 * wall clock is more than `CLOCK_TOLERANCE_MS` ahead was the machine asleep, and its time is taken over. And a row
 * stored in what would be the future proves, within the same tolerance, that our own start was too early.
 */
export function createSteadyClock(effects: Effects): SteadyClock {
  let time = effects.now()
  let seen = effects.monotonic()
  let lastUse = 0
  const now = (): number => {
    const monotonic = effects.monotonic()
    time += Math.max(0, monotonic - seen)
    seen = monotonic
    const wall = effects.now()
    if (wall - time > CLOCK_TOLERANCE_MS) time = wall
    return Math.floor(time)
  }
  return {
    now,
    witness(at) {
      if (at - now() > CLOCK_TOLERANCE_MS) return false
      time = Math.max(time, at)
      return true
    },
    nextUse() {
      lastUse = Math.max(useAt(now()), lastUse + 1)
      return lastUse
    },
  }
}
