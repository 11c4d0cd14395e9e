import type { Effects } from '../core/effects.ts'
import type { AnswerLimits } from './limits.ts'

export interface Sweeper {
  /** Starts the periodic sweep. Does nothing when it runs already. */
  begin(): void
  /** Sweeps at once: answers were forgotten. */
  soon(): void
  stop(): Promise<void>
}

/**
 * Removes expired and forgotten answers from the store: every `sweepEveryMs`, and at once after `forget` and `clear`.
 * One run removes at most `stepRows`; if there are more, the next run follows in the next turn of the event loop.
 */
export function createSweeper(deps: {
  readonly effects: Effects
  readonly limits: AnswerLimits
  /** Removes at most `limit` rows; resolves to their number. Never rejects. */
  sweep(limit: number): Promise<number>
}): Sweeper {
  const { effects, limits } = deps
  let cancelTimer: (() => void) | undefined
  let sweeping: Promise<void> | undefined
  let isUrgent = false
  let stopped = false

  function arm(delayMs: number): void {
    cancelTimer?.()
    cancelTimer = stopped ? undefined : effects.setTimer(run, delayMs, { background: true })
  }

  function run(): void {
    isUrgent = false
    sweeping = deps.sweep(limits.stepRows).then((removed) => {
      sweeping = undefined
      arm(isUrgent || removed === limits.stepRows ? 0 : limits.sweepEveryMs)
    })
  }

  return {
    begin() {
      if (cancelTimer === undefined) arm(limits.sweepEveryMs)
    },
    soon() {
      isUrgent = true
      if (sweeping === undefined) arm(0)
    },
    async stop() {
      stopped = true
      cancelTimer?.()
      await sweeping
    },
  }
}
