import { performance } from 'node:perf_hooks'
import { systemEffects } from '../../src/core/effects.ts'

/** Measures how late timers run, for whatever reason: work in this process or in others. */
export function measureLag(): { worst(): Promise<number> } {
  const tickMs = 5
  let worst = 0
  let due = 0
  let cancel = (): void => undefined
  const tick = (): void => {
    worst = Math.max(worst, performance.now() - due)
    due = performance.now() + tickMs
    cancel = systemEffects.setTimer(tick, tickMs)
  }
  due = performance.now()
  tick()
  return {
    async worst() {
      await new Promise<void>((resolve) => systemEffects.setTimer(resolve, 2 * tickMs))
      cancel()
      return worst
    },
  }
}
