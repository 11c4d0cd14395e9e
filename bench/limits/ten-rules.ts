import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Limit, openPurser, type Purser } from 'purser'
import { type Figure, median } from '../ledger/figures.ts'

const USERS = 2_000
const CALLERS = 64
const CALLS_PER_SLICE = 10_000
const GOAL = 1.3

/** Ten limits with `daily`, of every kind of measure and window. */
export const TEN_LIMITS: readonly Limit[] = [
  { name: 'five-hours', measure: 'turns', max: 1_000_000, window: '5h' },
  { name: 'minute', measure: 'turns', max: 1_000_000, window: 'sliding:1m' },
  { name: 'week', measure: 'turns', max: 1_000_000, window: 'week' },
  { name: 'all', measure: 'turns', max: 100_000_000, window: 'total' },
  { name: 'tokens', measure: 'tokens', max: 1_000_000_000, window: 'day', alertAt: [0.8, 1] },
  { name: 'output', measure: 'outputTokens', max: 1_000_000_000, window: 'month' },
  { name: 'money', measure: 'cost', max: '1000000', window: 'month' },
  { name: 'large', measure: 'turns', max: 1_000_000, window: 'day', models: ['openai/gpt-6*'] },
  { name: 'tools', measure: 'toolCalls', max: 1_000_000, window: 'day' },
]

/**
 * Processor time of this process for one `admit` with its settlement, under `daily` alone and under ten limits, in turn.
 * The result is the median of the ratios, so that other load of the machine affects both.
 */
export async function measureTenRules(rounds: number): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'))
  try {
    return [
      await compare('memory', () => 'memory:', rounds),
      await compare('SQLite', (name) => `sqlite:${join(folder, `${name}.db`)}`, rounds),
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function compare(title: string, storeOf: (name: string) => string, rounds: number): Promise<Figure> {
  const open = (name: string, limits: readonly Limit[]): Promise<Purser> =>
    openPurser({
      store: storeOf(name),
      ledger: { dailyCap: 1_000_000, limits },
      prices: { 'openai/*': { input: '1.25', output: '10' } },
    })
  await using one = await open('one', [])
  await using ten = await open('ten', TEN_LIMITS)
  const times: { readonly one: number; readonly ten: number }[] = []
  for (let round = -3; round < rounds; round++) {
    const time = { one: await admitMany(one), ten: await admitMany(ten) }
    if (round >= 0) times.push(time)
  }
  const ratio = median(times.map((time) => time.ten / time.one))
  const microseconds = (name: 'one' | 'ten'): string => median(times.map((time) => time[name])).toFixed(1)
  return {
    title: `\`admit\` in ${title}: processor time under one limit, under ten, ratio`,
    value: `${microseconds('one')} µs, ${microseconds('ten')} µs, ${ratio.toFixed(2)}`,
    goal: `<= ${GOAL}`,
    met: ratio <= GOAL,
  }
}

/** Processor time of one call, µs. */
async function admitMany(purser: Purser): Promise<number> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < CALLS_PER_SLICE) {
      const { ledger } = purser.user(`user-${next++ % USERS}`)
      const { allowed } = await ledger.admit({ model: 'openai/gpt-6' })
      if (!allowed) throw new Error('An admission was refused.')
    }
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / CALLS_PER_SLICE
}
