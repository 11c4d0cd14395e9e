import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPurser } from 'purser'
import { admitAll, admitRate, createIdCycle } from './admissions.ts'
import { type Figure, formatInteger } from './figures.ts'
import { delayCommits } from './slow-disk.ts'

const DISK_DELAY_MS = 5
const USERS = 2_000

/** Delay of the event loop while 64 callers are admitted on a slow disk. */
export async function measureEventLoopLag(folder: string, seconds: number): Promise<Figure[]> {
  delayCommits(DISK_DELAY_MS)
  await using purser = await openPurser({ store: `sqlite:${join(folder, 'lag.db')}`, ledger: { dailyCap: 1_000_000 } })
  const ids = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  await admitAll(purser, ids)
  const idle = await measureLag(() => sleep(500))
  let rate = 0
  const busy = await measureLag(async () => {
    rate = await admitRate(purser, createIdCycle(ids), seconds * 1_000)
  })
  return [
    { title: 'event loop at rest, p99', value: `${idle.p99.toFixed(1)} ms` },
    {
      title: `event loop with ${DISK_DELAY_MS} ms more per commit, 64 callers, ${formatInteger(rate)} \`admit\`/s`,
      value: `p50 ${busy.p50.toFixed(1)}, p99 ${busy.p99.toFixed(1)}, max ${busy.max.toFixed(1)} ms`,
      goal: 'p99 <= 10 ms',
      met: busy.p99 <= 10,
    },
  ]
}

/** Delays of a timer of one millisecond while `work` runs; that millisecond is part of the figures. */
async function measureLag(work: () => Promise<unknown>): Promise<{ p50: number; p99: number; max: number }> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await work()
  histogram.disable()
  const ms = (nanoseconds: number): number => nanoseconds / 1e6
  return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) }
}
