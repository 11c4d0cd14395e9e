import { randomUUID } from 'node:crypto'
import { PurserError } from '../errors.ts'

/**
 * Everything the library takes from its environment apart from I/O: wall clock, monotonic clock, ids and timers. Tests
 * replace it.
 *
 * Wall time is for dates and may jump; monotonic time is for durations and never goes back. Keys, nonces and tokens are
 * secrets and come from `node:crypto` directly, so that they cannot be replaced.
 */
export interface Effects {
  /** Wall clock, epoch milliseconds. */
  now(): number
  /** Monotonic clock, milliseconds from an arbitrary start. */
  monotonic(): number
  /** A new id; unique, but not secret. */
  randomId(): string
  /**
   * Runs `run` once after `delayMs`.
   *
   * @param options `background`: the timer does not keep the process alive
   * @returns a function that cancels the timer
   */
  setTimer(run: () => void, delayMs: number, options?: { background?: boolean }): () => void
}

export const EFFECTS: readonly (keyof Effects)[] = ['now', 'monotonic', 'randomId', 'setTimer']

/** The end of the year 9999, epoch ms. Later dates have another format. */
const WALL_MAX_MS = 253_402_300_799_999

/**
 * The system's effects with these overrides. An override may be a method that uses the state of its object.
 *
 * A call of `now` throws `option_invalid` when an override returns no instant from 1970 to 9999.
 */
export function createEffects(overrides: Partial<Effects>): Effects {
  const bound = EFFECTS.flatMap((name) => {
    const effect = overrides[name]
    return effect === undefined ? [] : [[name, effect.bind(overrides)] as const]
  })
  const effects: Effects = { ...systemEffects, ...Object.fromEntries(bound) }
  return overrides.now === undefined ? effects : { ...effects, now: () => requireInstant(effects.now()) }
}

function requireInstant(epochMs: number): number {
  if (typeof epochMs === 'number' && epochMs >= 0 && epochMs <= WALL_MAX_MS) return epochMs
  throw new PurserError('option_invalid', "'effects.now' must return an instant from 1970 to 9999, as epoch ms.", {
    details: { param: 'effects.now' },
  })
}

/** Node.js fires timers with a longer delay at once; longer delays are cut to this, which is 24 days. */
const TIMER_MAX_MS = 2_147_483_647

/** The effects of this process: its clocks, UUIDs and timers. */
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

/** The environment variables that `${NAME}` in a configuration refers to. The library reads no others. */
export const systemEnvironment: Readonly<Record<string, string | undefined>> = process.env

/**
 * Runs `run` after the callbacks of the current turn of the event loop, so that everything they request can be handled
 * together. Independent of the clock: it also runs while a test controls time.
 */
export function afterCurrentTick(run: () => void): void {
  setImmediate(run)
}
