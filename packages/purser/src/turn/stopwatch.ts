import type { Effects } from '../core/effects.ts'

/** Measures what a turn costs inside the house: the whole time less the time spent waiting for the model. */
export interface Stopwatch {
  /** Runs `wait` and does not count the time it takes. */
  outside<T>(wait: () => Promise<T>): Promise<T>
  /** Milliseconds so far, waits left out. */
  insideMs(): number
  /** Milliseconds so far. */
  totalMs(): number
}

export function startStopwatch(effects: Effects): Stopwatch {
  const start = effects.monotonic()
  let outsideMs = 0
  return {
    async outside(wait) {
      const began = effects.monotonic()
      try {
        return await wait()
      } finally {
        outsideMs += effects.monotonic() - began
      }
    },
    insideMs: () => effects.monotonic() - start - outsideMs,
    totalMs: () => effects.monotonic() - start,
  }
}
