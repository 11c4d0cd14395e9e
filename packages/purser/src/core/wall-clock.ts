import type { Effects } from './effects.ts'

/*
 * What this process has seen of its wall clock. A wall clock can be wrong for a while: a virtual machine that resumes, a
 * time server with a fault. The monotonic clock shows when it jumped. An excursion is a jump ahead that was followed by
 * a jump back to where the clock should have been, or to a time between; whatever was written during it has a wrong date.
 */

/** How far ahead of the present an instant must be to count as written by a wrong clock. */
export const FUTURE_MS: number = 2 * 86_400_000
/** A larger difference between the two clocks is a jump. Corrections by time servers are smaller. */
const JUMP_MS = 3_600_000
/** Excursions and jumps that are remembered; older ones are forgotten. */
const MAX_SPANS = 16

/** Evidence about instants of the past. */
export interface ClockHistory {
  /** Whether this process saw the wall clock run ahead to about this instant, and come back. */
  wasWrongAt(epochMs: number): boolean
  /**
   * True for two days after a jump ahead of more than two days, until the clock is set back. Nothing should be deleted
   * by its age meanwhile.
   */
  readonly isSuspect: boolean
}

export interface WallClock extends ClockHistory {
  /** Epoch ms. Also looks for a jump since the last call. */
  now(): number
}

/** The history of a process that has seen no jump. */
export const NO_HISTORY: ClockHistory = { wasWrongAt: () => false, isSuspect: false }

/** A period in which the wall clock agreed with the monotonic clock: epoch ms, and the monotonic clock at `to`. */
interface Span {
  readonly from: number
  to: number
  monotonic: number
}

export function createWallClock(effects: Pick<Effects, 'now' | 'monotonic'>): WallClock {
  const start = effects.now()
  let current: Span = { from: start, to: start, monotonic: effects.monotonic() }
  /** The spans before the current one that may continue; each later one began with a jump ahead. */
  let earlier: Span[] = []
  let excursions: { readonly from: number; readonly to: number }[] = []
  /** The monotonic clock at the last jump ahead of more than `FUTURE_MS`. */
  let leaptAt: number | undefined

  function onJump(jumpMs: number, wall: number, monotonic: number): void {
    if (jumpMs > 0) {
      earlier = [...earlier, current].slice(-MAX_SPANS)
      if (jumpMs > FUTURE_MS) leaptAt = monotonic
    } else {
      leaptAt = undefined
      onSetBack(wall, monotonic)
    }
    current = { from: wall, to: wall, monotonic }
  }

  /** A clock that comes back to a time before everything it has shown leaves no evidence: it may be wrong now. */
  function onSetBack(wall: number, monotonic: number): void {
    const base = earlier.findLastIndex((span) => wall >= span.to + (monotonic - span.monotonic) - JUMP_MS)
    if (base >= 0) {
      const ended = [...earlier.slice(base + 1), current].filter((span) => span.from > wall)
      excursions = [...excursions, ...ended.map(({ from, to }) => ({ from, to }))].slice(-MAX_SPANS)
    }
    earlier = earlier.slice(0, base + 1)
  }

  return {
    now() {
      const wall = effects.now()
      const monotonic = effects.monotonic()
      const jumpMs = wall - current.to - (monotonic - current.monotonic)
      if (jumpMs > JUMP_MS || jumpMs < -JUMP_MS) onJump(jumpMs, wall, monotonic)
      else if (wall >= current.to) {
        current.to = wall
        current.monotonic = monotonic
      }
      return wall
    },

    wasWrongAt: (epochMs) =>
      excursions.some(({ from, to }) => epochMs >= from - FUTURE_MS && epochMs <= to + FUTURE_MS),

    get isSuspect() {
      return leaptAt !== undefined && effects.monotonic() - leaptAt < FUTURE_MS
    },
  }
}
