/*
 * Time to replay recorded turns under proposed limits, on SQLite. The records are imported, so the population takes longer
 * than the replay.
 *
 *   npm run simulate -- [turns, 1000000] [users, 1000]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Limit, openPurser, type Purser, type TurnRecord } from 'purser'
import { createJitter, recordImportsOf } from 'purser/internal'
import { formatInteger, printTable } from './ledger/figures.ts'

const [turns = '1000000', users = '1000'] = process.argv.slice(2)
const TURNS = Number(turns)
const USERS = Number(users)
const ROWS_PER_CALL = 500
const MONTH_MS = 29 * 86_400_000
const GOAL_SECONDS = 30

/** One limit of each kind of window. */
const LIMITS: readonly Limit[] = [
  { name: 'turns', measure: 'turns', max: 25, window: 'day' },
  { name: 'tokens', measure: 'tokens', max: 30_000, window: 'sliding:5h' },
  { name: 'cost', measure: 'cost', max: '20', window: 'month' },
]

/** Turns of one user over a month, oldest first. */
function* recordsOf(user: number, count: number): Generator<TurnRecord> {
  const random = createJitter(`user ${user}`)
  const startedAt = Date.now() - MONTH_MS
  for (let index = 0; index < count; index++) {
    const at = startedAt + Math.floor(((index + random()) / count) * MONTH_MS)
    const digits = at.toString(16).padStart(12, '0')
    const [inputTokens, outputTokens] = [Math.floor(random() * 4_000), Math.floor(random() * 1_000)]
    yield {
      ...{ id: `${digits.slice(0, 8)}-${digits.slice(8)}-7000-8000-${index}`, user: `user-${user}` },
      ...{ at: new Date(at).toISOString(), endpoint: 'chat/completions', session: 's', plan: null },
      ...{ provider: 'openai', model: 'gpt-6', requestedModel: 'auto', downgradedBy: null },
      attempts: [{ provider: 'openai', model: 'gpt-6', status: 200, code: null, ms: 900 }],
      ...{ cache: 'miss', outcome: 'completed', code: null, limit: null, weight: 1 },
      estimate: { inputTokens, outputTokens: 512 },
      ...{ inputTokens, outputTokens, cachedTokens: 0, cost: (inputTokens / 1e6 + outputTokens / 1e5).toFixed(9) },
      ...{ overheadMs: 0.7, firstChunkMs: 400, upstreamMs: 900, totalMs: 950 },
      context: [{ section: 'profile', status: 'fresh', ageMs: 1_000, tokens: 120, cut: 0 }],
      ...{ tools: [], requestId: `request-${index}` },
    }
  }
}

async function populate(purser: Purser): Promise<void> {
  for (let index = 0; index < USERS; index++) {
    const user = purser.user(`user-${index}`)
    await user.ledger.admit()
    const { turns: importTurns } = recordImportsOf(user)
    let rows: TurnRecord[] = []
    for (const record of recordsOf(index, Math.floor(TURNS / USERS))) {
      if (rows.push(record) < ROWS_PER_CALL) continue
      await importTurns(rows)
      rows = []
    }
    if (rows.length > 0) await importTurns(rows)
    if (index % 100 === 99) console.error(`${formatInteger(index + 1)} users`)
  }
}

const directory = mkdtempSync(join(tmpdir(), 'purser-simulate-'))
try {
  await using purser = await openPurser({
    store: `sqlite:${join(directory, 'purser.db')}`,
    prices: { '*': { input: '1', output: '10' } },
    ledger: { keepTurns: { maxPerUser: null } },
  })
  await populate(purser)
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()]
  const simulation = await purser.simulate({ limits: LIMITS })
  const seconds = (performance.now() - startedAt) / 1_000
  const cpu = process.cpuUsage(cpuBefore)
  const count = formatInteger(simulation.turns)
  printTable([
    {
      title: `replay of ${count} recorded turns of ${formatInteger(USERS)} users under three limits`,
      value: `${seconds.toFixed(1)} s`,
      goal: `${GOAL_SECONDS} s a million`,
      met: seconds / simulation.turns <= GOAL_SECONDS / 1_000_000,
    },
    { title: 'turns a second', value: formatInteger(simulation.turns / seconds) },
    { title: 'processor time', value: `${((cpu.user + cpu.system) / 1e6).toFixed(1)} s` },
    { title: 'refused', value: formatInteger(simulation.refused) },
  ])
  if (seconds / simulation.turns > GOAL_SECONDS / 1_000_000) process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true })
}
