import type { Effects } from '../core/effects.ts'

/** How far ahead the wall clock may be to be followed: time servers correct by seconds, and rarely by minutes. */
const CORRECTION_MS = 600_000

/**
 * How far ahead the wall clock must be to be believed again: a mistaken time zone or daylight saving is an hour, but
 * a machine that slept for longer than this really is that much later.
 */
export const CLOCK_TOLERANCE_MS = 7_200_000

export interface MonotonicClock {
  /** Epoch ms that never goes back and does not follow a wall clock that jumps by an hour. */
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
 * bring back what has expired. So time starts at the wall clock, goes on with the monotonic one and never goes back.
 * Small steps forward are followed; one of about an hour is taken for a mistake; one of more than `CLOCK_TOLERANCE_MS`
 * for sleep, and is followed too. And a row stored in what would be the future proves, within the same tolerance, that
 * our own time is behind.
 */
export function createMonotonicClock(effects: Effects): MonotonicClock {
  let time = effects.now()
  let seen = effects.monotonic()
  let lastUse = 0
  const now = (): number => {
    const monotonic = effects.monotonic()
    time += Math.max(0, monotonic - seen)
    seen = monotonic
    const ahead = effects.now() - time
    if (ahead > 0 && (ahead <= CORRECTION_MS || ahead > CLOCK_TOLERANCE_MS)) time += ahead
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
