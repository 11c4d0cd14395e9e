import { join } from 'node:path'
import { openPurser, type Purser } from 'purser'
import { delayCommits } from './disk.ts'
import { type Figure, median, quantile, whole } from './figures.ts'
import { openRawUpserts, type RawUpserts, rowOf } from './raw.ts'
import { openStatements, type Statements } from './statements.ts'

const CALLERS = 64
const USERS = 8_000
const SLICE_MS = 250

/*
 * Raw transactions, the statements of admissions alone, and admissions take turns, a quarter of a second each, on three
 * files of one disk; each turn gives ratios, and their medians count. So whatever slows the machine down for a while
 * slows all of them. The statements alone are the most that could be reached if all else cost nothing.
 *
 * The ratio depends on the disk: the faster it flushes, the more of a transaction is work. So it is told once for the
 * disk as it is, and once for the same with a millisecond more a flush.
 */
export async function admissions(folder: string, seconds: number): Promise<Figure[]> {
  const path = join(folder, 'admissions.db')
  await using purser = await openPurser({ store: `sqlite:${path}`, ledger: { dailyCap: 1_000_000 } })
  const ids = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  await admitAll(purser, ids)
  const payload = rowOf(path, ids[0] as string)
  using raw = openRawUpserts(join(folder, 'raw.db'), payload)
  await using statements = await openStatements(join(folder, 'statements.db'))
  for (let from = 0; from < USERS; from += CALLERS) {
    raw.upsert(ids.slice(from, from + CALLERS))
    statements.admit(ids.slice(from, from + CALLERS))
  }

  const pair = { raw, statements, purser, next: walker(ids) }
  const rounds = Math.max(4, Math.ceil((seconds * 1_000) / SLICE_MS))
  const fast = await compare(pair, rounds)
  const single = await oneByOne(pair, rounds * 100)
  delayCommits(1)
  const slow = await compare(pair, rounds)
  delayCommits(0)
  const size = `${CALLERS} a durable transaction, ${payload.length} bytes each`
  return [
    { question: `raw upserts/s, ${size}`, value: whole(fast.raw) },
    { question: `\`admit\`/s, ${CALLERS} callers`, value: whole(fast.purser) },
    { question: 'the same as part of raw', value: percent(fast.ratio), aim: '>= 40 %', met: fast.ratio >= 0.4 },
    { question: 'their SQL statements alone, as part of raw', value: percent(fast.alone) },
    {
      question: 'with 1 ms more a flush: raw/s, `admit`/s, part, statements alone',
      value: `${whole(slow.raw)}, ${whole(slow.purser)}, ${percent(slow.ratio)}, ${percent(slow.alone)}`,
    },
    ...single,
  ]
}

interface Compared {
  readonly raw: RawUpserts
  readonly statements: Statements
  readonly purser: Purser
  next(): string
}

/** Medians of two rates, and of the ratios of neighbours. */
async function compare(
  { raw, statements, purser, next }: Compared,
  rounds: number,
): Promise<Record<'raw' | 'purser' | 'ratio' | 'alone', number>> {
  const rates: { raw: number; alone: number; purser: number }[] = []
  for (let round = -2; round < rounds; round++) {
    const rate = {
      raw: transactionRate((ids) => raw.upsert(ids), next),
      alone: transactionRate((ids) => statements.admit(ids), next),
      purser: await admitRate(purser, next),
    }
    if (round >= 0) rates.push(rate)
  }
  return {
    raw: median(rates.map((rate) => rate.raw)),
    purser: median(rates.map((rate) => rate.purser)),
    ratio: median(rates.map((rate) => rate.purser / rate.raw)),
    alone: median(rates.map((rate) => rate.alone / rate.raw)),
  }
}

function transactionRate(transaction: (ids: readonly string[]) => void, next: () => string): number {
  const begin = performance.now()
  let done = 0
  while (performance.now() - begin < SLICE_MS) {
    transaction(Array.from({ length: CALLERS }, next))
    done += CALLERS
  }
  return (done * 1_000) / (performance.now() - begin)
}

/** Each caller asks again as soon as it was answered. */
export async function admitRate(purser: Purser, next: () => string, forMs: number = SLICE_MS): Promise<number> {
  const begin = performance.now()
  let done = 0
  async function caller(): Promise<void> {
    while (performance.now() - begin < forMs) {
      const { allowed } = await purser.user(next()).ledger.admit()
      if (!allowed) throw new Error('An admission that must be allowed was refused.')
      done++
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return (done * 1_000) / (performance.now() - begin)
}

async function oneByOne({ raw, purser, next }: Compared, calls: number): Promise<Figure[]> {
  const times = { raw: [] as number[], purser: [] as number[] }
  for (let call = 0; call < calls; call++) {
    const id = next()
    const begin = performance.now()
    raw.upsert([id])
    const between = performance.now()
    await purser.user(id).ledger.admit()
    times.raw.push((between - begin) * 1_000)
    times.purser.push((performance.now() - between) * 1_000)
  }
  const ratio = median(times.purser) / median(times.raw)
  const told = (values: readonly number[]): string =>
    `${whole(median(values))} µs (p99 ${whole(quantile(values, 0.99))})`
  return [
    { question: 'one raw durable upsert, p50', value: told(times.raw) },
    { question: 'one `admit`, p50', value: told(times.purser) },
    { question: '`admit` of one caller, times raw', value: ratio.toFixed(2), aim: '<= 2.5', met: ratio <= 2.5 },
  ]
}

export async function admitAll(purser: Purser, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += CALLERS)
    await Promise.all(ids.slice(from, from + CALLERS).map((id) => purser.user(id).ledger.admit()))
}

/** The ids one after the other, without end. */
export function walker(ids: readonly string[]): () => string {
  let index = 0
  return () => ids[index++ % ids.length] as string
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`
}
