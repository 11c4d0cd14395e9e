import type { Effects } from '../core/effects.ts'
import type { AnswerLimits } from './limits.ts'

export interface Sweeper {
  /** Begins to look after the store now and then. Costs nothing when it has begun. */
  begin(): void
  /** Something was forgotten: its bytes go now. */
  soon(): void
  stop(): Promise<void>
}

/**
 * Sweeps what has expired and what was forgotten: every `sweepEveryMs`, and at once after something was forgotten.
 * One run removes at most `stepRows`; when there is more, the next run follows on the next turn of the event loop.
 */
export function createSweeper(house: {
  readonly effects: Effects
  readonly limits: AnswerLimits
  /** Removes at most so many rows and tells how many. Never rejects. */
  sweep(limit: number): Promise<number>
}): Sweeper {
  const { effects, limits } = house
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
    sweeping = house.sweep(limits.stepRows).then((removed) => {
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
