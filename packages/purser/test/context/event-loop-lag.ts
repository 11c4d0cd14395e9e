import { performance } from 'node:perf_hooks'
import { systemEffects } from '../../src/core/effects.ts'

/** How late timers are on this machine at the moment: whatever holds up the loop, here or in other processes. */
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
