import { randomUUID } from 'node:crypto'

/**
 * Every touch of the outside world that is not I/O: wall clock, monotonic clock, ids and timers.
 *
 * Wall time is for dates people see and may jump; monotonic time is for durations and never goes back.
 * Keys, nonces and tokens do not come from here: they are secrets, and a test has no business choosing them.
 */
export interface Effects {
  /** Wall clock, epoch milliseconds. */
  now(): number
  /** Monotonic clock, milliseconds from an arbitrary start. */
  monotonic(): number
  /** A fresh id, unique but not secret. */
  randomId(): string
  /**
   * Runs `run` once after `delayMs` and returns a function that cancels it.
   * A timer keeps the process alive unless it is marked `background`.
   */
  setTimer(run: () => void, delayMs: number, options?: { background?: boolean }): () => void
}

export const EFFECTS: readonly (keyof Effects)[] = ['now', 'monotonic', 'randomId', 'setTimer']

/** The usual effects, but for those that are given: also as methods of an object that keeps its own state. */
export function createEffects(given: Partial<Effects>): Effects {
  const own = EFFECTS.flatMap((name) => {
    const effect = given[name]
    return effect === undefined ? [] : [[name, effect.bind(given)] as const]
  })
  return { ...systemEffects, ...Object.fromEntries(own) }
}

/** Node fires timers that are further away at once: they fire early instead, after 24 days. */
const TIMER_MAX_MS = 2_147_483_647

export const systemEffects: Effects = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  randomId: () => randomUUID(),
  setTimer(run, delayMs, options) {
    const timer = setTimeout(run, Math.min(delayMs, TIMER_MAX_MS))
    if (options?.background) timer.unref()
    return () => clearTimeout(timer)
  },
}

/** What the operator says outside of options; read where a configured string names it, and nowhere else. */
export const systemEnvironment: Readonly<Record<string, string | undefined>> = process.env

/**
 * Runs `run` when the callbacks of this turn of the event loop have had their say, so that what they ask for can be
 * done together. No clock is involved: it happens under a clock driven by hand as well.
 */
export function afterCurrentTick(run: () => void): void {
  setImmediate(run)
}
