import { join } from 'node:path'
import { openPurser, type Purser } from 'purser'
import { type Figure, formatInteger, median, quantile } from './figures.ts'
import { openRawUpserts, type RawUpserts, readUserRow } from './raw-upserts.ts'
import { delayCommits } from './slow-disk.ts'
import { openStatements, type Statements } from './statements.ts'

const CALLERS = 64
const USERS = 8_000
const SLICE_MS = 250

/**
 * Compares raw transactions, the statements of admissions alone, and admissions, on three files of one disk. They are
 * interleaved in slices of a quarter of a second; each round gives ratios, and the result is their median, so other load
 * of the machine affects all of them. The statements alone are the maximum if everything else cost nothing.
 *
 * The ratio depends on the disk: the faster it flushes, the larger the share of processor time in a transaction. So it is
 * measured with the disk as it is, and with an additional millisecond per flush.
 */
export async function measureAdmissions(folder: string, seconds: number): Promise<Figure[]> {
  const path = join(folder, 'admissions.db')
  await using purser = await openPurser({ store: `sqlite:${path}`, ledger: { dailyCap: 1_000_000 } })
  const ids = Array.from({ length: USERS }, (_, index) => `user-${index}`)
  await admitAll(purser, ids)
  const payload = readUserRow(path, ids[0] as string)
  using raw = openRawUpserts(join(folder, 'raw.db'), payload)
  await using statements = await openStatements(join(folder, 'statements.db'))
  for (let from = 0; from < USERS; from += CALLERS) {
    raw.upsert(ids.slice(from, from + CALLERS))
    statements.admit(ids.slice(from, from + CALLERS))
  }

  const contenders = { raw, statements, purser, next: createIdCycle(ids) }
  const rounds = Math.max(4, Math.ceil((seconds * 1_000) / SLICE_MS))
  const fast = await compare(contenders, rounds)
  const single = await compareSingle(contenders, rounds * 100)
  delayCommits(1)
  const slow = await compare(contenders, rounds)
  delayCommits(0)
  const size = `${CALLERS} per durable transaction, ${payload.length} bytes each`
  return [
    { title: `raw upserts/s, ${size}`, value: formatInteger(fast.raw) },
    { title: `\`admit\`/s, ${CALLERS} callers`, value: formatInteger(fast.purser) },
    { title: 'the same as a share of raw', value: percent(fast.ratio), goal: '>= 40 %', met: fast.ratio >= 0.4 },
    { title: 'their SQL statements alone, as a share of raw', value: percent(fast.alone) },
    {
      title: 'with 1 ms more per flush: raw/s, `admit`/s, share, statements alone',
      value: `${formatInteger(slow.raw)}, ${formatInteger(slow.purser)}, ${percent(slow.ratio)}, ${percent(slow.alone)}`,
    },
    ...single,
  ]
}

interface Contenders {
  readonly raw: RawUpserts
  readonly statements: Statements
  readonly purser: Purser
  next(): string
}

/** Medians of the rates, and of their ratios within a round. */
async function compare(
  { raw, statements, purser, next }: Contenders,
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

/** Admissions per second of callers that call again as soon as they have a result. */
export async function admitRate(purser: Purser, next: () => string, forMs: number = SLICE_MS): Promise<number> {
  const begin = performance.now()
  let done = 0
  async function caller(): Promise<void> {
    while (performance.now() - begin < forMs) {
      const { allowed } = await purser.user(next()).ledger.admit()
      if (!allowed) throw new Error('An admission was refused.')
      done++
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return (done * 1_000) / (performance.now() - begin)
}

async function compareSingle({ raw, purser, next }: Contenders, calls: number): Promise<Figure[]> {
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
  const formatTimes = (values: readonly number[]): string =>
    `${formatInteger(median(values))} µs (p99 ${formatInteger(quantile(values, 0.99))})`
  return [
    { title: 'one raw durable upsert, p50', value: formatTimes(times.raw) },
    { title: 'one `admit`, p50', value: formatTimes(times.purser) },
    { title: '`admit` of one caller relative to raw', value: ratio.toFixed(2), goal: '<= 2.5', met: ratio <= 2.5 },
  ]
}

export async function admitAll(purser: Purser, ids: readonly string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += CALLERS)
    await Promise.all(ids.slice(from, from + CALLERS).map((id) => purser.user(id).ledger.admit()))
}

/** Returns the ids one after the other, again and again. */
export function createIdCycle(ids: readonly string[]): () => string {
  let index = 0
  return () => ids[index++ % ids.length] as string
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}
