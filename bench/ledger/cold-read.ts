import { join } from 'node:path'
import { openPurser } from 'purser'
import { type Figure, formatInteger, median } from './figures.ts'

const EVENTS = 100_000
const CONCURRENT_RECORDS = 250
const READS = 21

/** Time to read a user with many events right after opening, when nothing of the user is in memory. */
export async function measureColdReads(folder: string): Promise<Figure[]> {
  const store = `sqlite:${join(folder, 'cold.db')}`
  await recordEvents(store)
  const times: number[] = []
  for (let read = 0; read < READS; read++) {
    await using purser = await openPurser({ store })
    const { ledger } = purser.user('user')
    const begin = performance.now()
    const bond = await ledger.bond()
    const events = await ledger.events({ limit: 50 })
    times.push(performance.now() - begin)
    if (bond.version !== EVENTS || events[0]?.sequence !== EVENTS) throw new Error('Events are missing.')
  }
  return [
    {
      title: `bond and newest 50 of ${formatInteger(EVENTS)} events, right after opening`,
      value: `p50 ${median(times).toFixed(1)}, max ${Math.max(...times).toFixed(1)} ms`,
      goal: '<= 20 ms',
      met: median(times) <= 20,
    },
  ]
}

async function recordEvents(store: string): Promise<void> {
  await using purser = await openPurser({ store })
  const { ledger } = purser.user('user')
  for (let recorded = 0; recorded < EVENTS; recorded += CONCURRENT_RECORDS) {
    const data = { score: recorded }
    await Promise.all(Array.from({ length: CONCURRENT_RECORDS }, () => ledger.record('bench:seen', { data })))
  }
}
