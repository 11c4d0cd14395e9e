import { join } from 'node:path'
import { openPurser } from 'purser'
import { admitAll } from './admissions.ts'
import { type Figure, whole } from './figures.ts'

const TOGETHER = 6_400
/** By then everything that is kept for active users is full: twice the rows that the journal keeps. */
const WARM = 20_000

/** Does the process grow with the number of different users it has ever admitted? */
export async function crowd(folder: string, users: number): Promise<Figure[]> {
  await using purser = await openPurser({ store: `sqlite:${join(folder, 'crowd.db')}` })
  const looks: { users: number; heap: number; resident: number }[] = []
  for (const goal of [WARM, users / 10, users / 2, users].filter((count) => count >= WARM)) {
    for (let seen = looks.at(-1)?.users ?? 0; seen < goal; seen += TOGETHER) {
      const count = Math.min(TOGETHER, goal - seen)
      await admitAll(
        purser,
        Array.from({ length: count }, (_, index) => `visitor-${seen + index}`),
      )
    }
    globalThis.gc?.()
    const { heapUsed, rss } = process.memoryUsage()
    looks.push({ users: goal, heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 })
  }
  const [first, last] = [looks[0], looks.at(-1)]
  const growth = (last?.heap ?? 0) / (first?.heap ?? 1)
  return [
    ...looks.map(({ users: seen, heap, resident }) => ({
      question: `${whole(seen)} different users admitted: heap, resident`,
      value: `${whole(heap)} MiB, ${whole(resident)} MiB`,
    })),
    {
      question: `heap at the end, times that at ${whole(WARM)} users`,
      value: growth.toFixed(2),
      aim: 'flat (<= 1.10)',
      met: growth <= 1.1,
    },
  ]
}
