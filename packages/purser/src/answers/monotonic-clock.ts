import type { Effects } from '../core/effects.ts'

/** Steps of the wall clock up to this are followed: time servers correct by seconds, rarely by minutes. */
const CORRECTION_MS = 600_000

/**
 * Steps beyond this are followed again: a wrong time zone or daylight saving is an hour, but a machine that slept for
 * longer than this really is that much later.
 */
export const CLOCK_TOLERANCE_MS = 7_200_000

export interface MonotonicClock {
  /** Epoch ms. Never goes back, and does not follow a wall clock that jumps by about an hour. */
  now(): number
  /** Reports an instant that another process has recorded, so it is in the past. False: it is too far ahead to be true. */
  witness(at: number): boolean
}

/**
 * Expiry has to survive changes of the wall clock: a step forward must not expire everything at once, a step back must
 * not revive what has expired. Time starts at the wall clock, continues with the monotonic clock and never goes back.
 * Small steps forward are followed; a step of about an hour counts as a mistake; a step of more than
 * `CLOCK_TOLERANCE_MS` counts as sleep and is followed. A row stored in the future proves, within the same tolerance,
 * that this process is behind.
 */
export function createMonotonicClock(effects: Effects): MonotonicClock {
  let time = effects.now()
  let seen = effects.monotonic()
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
  }
}
