import { join } from 'node:path'
import { openPurser } from 'purser'
import { type Figure, median, whole } from './figures.ts'

const EVENTS = 100_000
const TOGETHER = 250
const READS = 21

/** A user with a long past, read by a Purser that has just been opened and has nothing of them in memory. */
export async function coldRead(folder: string): Promise<Figure[]> {
  const store = `sqlite:${join(folder, 'cold.db')}`
  await fill(store)
  const times: number[] = []
  for (let read = 0; read < READS; read++) {
    await using purser = await openPurser({ store })
    const { ledger } = purser.user('veteran')
    const begin = performance.now()
    const bond = await ledger.bond()
    const events = await ledger.events({ limit: 50 })
    times.push(performance.now() - begin)
    if (bond.version !== EVENTS || events[0]?.sequence !== EVENTS) throw new Error('Events are missing.')
  }
  return [
    {
      question: `bond and newest 50 of ${whole(EVENTS)} events, just opened`,
      value: `p50 ${median(times).toFixed(1)}, most ${Math.max(...times).toFixed(1)} ms`,
      aim: '<= 20 ms',
      met: median(times) <= 20,
    },
  ]
}

async function fill(store: string): Promise<void> {
  await using purser = await openPurser({ store })
  const { ledger } = purser.user('veteran')
  for (let made = 0; made < EVENTS; made += TOGETHER) {
    const data = { score: made }
    await Promise.all(Array.from({ length: TOGETHER }, () => ledger.record('bench:seen', { data })))
  }
}
