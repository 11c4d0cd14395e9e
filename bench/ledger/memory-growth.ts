import { join } from 'node:path'
import { openPurser } from 'purser'
import { admitAll } from './admissions.ts'
import { type Figure, formatInteger } from './figures.ts'

const BATCH_USERS = 6_400
/** Twice the rows that the journal caches: all caches of active users are full by then. */
const WARM_UP_USERS = 20_000

/** Memory use after admissions of many different users. */
export async function measureMemoryGrowth(folder: string, users: number): Promise<Figure[]> {
  await using purser = await openPurser({ store: `sqlite:${join(folder, 'memory-growth.db')}` })
  const samples: { users: number; heap: number; resident: number }[] = []
  for (const goal of [WARM_UP_USERS, users / 10, users / 2, users].filter((count) => count >= WARM_UP_USERS)) {
    for (let admitted = samples.at(-1)?.users ?? 0; admitted < goal; admitted += BATCH_USERS) {
      const count = Math.min(BATCH_USERS, goal - admitted)
      await admitAll(
        purser,
        Array.from({ length: count }, (_, index) => `visitor-${admitted + index}`),
      )
    }
    globalThis.gc?.()
    const { heapUsed, rss } = process.memoryUsage()
    samples.push({ users: goal, heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 })
  }
  const [first, last] = [samples[0], samples.at(-1)]
  const growth = (last?.heap ?? 0) / (first?.heap ?? 1)
  return [
    ...samples.map(({ users: admitted, heap, resident }) => ({
      title: `${formatInteger(admitted)} different users admitted: heap, resident`,
      value: `${formatInteger(heap)} MiB, ${formatInteger(resident)} MiB`,
    })),
    {
      title: `heap at the end relative to that at ${formatInteger(WARM_UP_USERS)} users`,
      value: growth.toFixed(2),
      goal: 'flat (<= 1.10)',
      met: growth <= 1.1,
    },
  ]
}
