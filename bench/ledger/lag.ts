import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPurser } from 'purser'
import { admitAll, admitRate, walker } from './admissions.ts'
import { delayCommits } from './disk.ts'
import { type Figure, whole } from './figures.ts'

const DISK_DELAY_MS = 5
const USERS = 2_000

/** How late the process answers everything else while 64 callers are admitted on a slow disk. */
export async function lag(folder: string, seconds: number): Promise<Figure[]> {
  delayCommits(DISK_DELAY_MS)
  await using purser = await openPurser({ store: `sqlite:${join(folder, 'lag.db')}`, ledger: { dailyCap: 1_000_000 } })
  const ids = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  await admitAll(purser, ids)
  const idle = await watched(() => sleep(500))
  let rate = 0
  const busy = await watched(async () => {
    rate = await admitRate(purser, walker(ids), seconds * 1_000)
  })
  return [
    { question: 'event loop at rest, p99', value: `${idle.p99.toFixed(1)} ms` },
    {
      question: `event loop with ${DISK_DELAY_MS} ms more a commit, 64 callers, ${whole(rate)} \`admit\`/s`,
      value: `p50 ${busy.p50.toFixed(1)}, p99 ${busy.p99.toFixed(1)}, most ${busy.most.toFixed(1)} ms`,
      aim: 'p99 <= 10 ms',
      met: busy.p99 <= 10,
    },
  ]
}

/** What a timer of one millisecond saw meanwhile; that millisecond is part of the figures. */
async function watched(work: () => Promise<unknown>): Promise<{ p50: number; p99: number; most: number }> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await work()
  histogram.disable()
  const ms = (nanoseconds: number): number => nanoseconds / 1e6
  return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), most: ms(histogram.max) }
}
