import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from 'purser'
import { createSeededRandom, type SeededRandom } from '../../src/cli/demo/seeded-random.ts'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

const isFull = process.env.PURSER_TEST_FULL === '1'
const USERS = isFull ? 100_000 : 1_500
const BATCH = 250
const SEED = Number(process.env.PURSER_SEED ?? Date.now() % 1_000_000)
const HOUR_MS = 3_600_000
const PHASES = ['new', 'warm', 'close', 'away'] as const
const RISKS = ['low', 'guarded', 'high'] as const
const BY = { actor: 'ana', reason: 'test' }

/** What operators and the application do to one user at one time. */
async function actOn(harness: ServerHarness, id: string, random: SeededRandom): Promise<void> {
  const { ledger } = harness.user(id)
  const riskLevel = random.chance(0.03) ? 'high' : random.pick(RISKS.slice(0, 2) as ['low', 'guarded'])
  if (random.chance(0.8)) await ledger.observe({ phase: random.pick(PHASES), riskLevel })
  else await ledger.admit()
  if (random.chance(0.1)) await ledger.correct({ phase: random.pick(PHASES) }, BY)
  if (random.chance(0.05)) await ledger.correct({ riskLevel: random.pick(RISKS) }, BY)
  if (random.chance(0.04)) await ledger.block(BY)
  else if (random.chance(0.05)) await ledger.unblock(BY)
}

interface Figures {
  users: number
  blocked: number
  readonly phases: Map<string, number>
  readonly riskLevels: Map<string, number>
  readonly changes: Map<string, number>
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** The new value where an event changes the field. */
function changedValue({ type, data }: Event, field: 'phase' | 'riskLevel'): string | undefined {
  if (type === (field === 'phase' ? 'phase_transition' : 'risk_change')) return String(data.to)
  if (data.action !== 'correct') return undefined
  return (data.after as Record<string, string> | null)?.[field]
}

/** Counts of all users from nothing but their events. */
async function foldLog(harness: ServerHarness): Promise<Figures> {
  const figures: Figures = { users: 0, blocked: 0, phases: new Map(), riskLevels: new Map(), changes: new Map() }
  for await (const { user } of harness.context.purser.users({ limit: 1_000 })) {
    let [phase, riskLevel, isBlocked]: [string, string, boolean] = [PHASES[0], RISKS[0], false]
    const events = await harness.user(user).ledger.events({ limit: 1_000 })
    for (const event of events.toReversed()) {
      const next = changedValue(event, 'phase')
      if (next !== undefined && next !== phase) add(figures.changes, `${phase} to ${next}`)
      phase = next ?? phase
      riskLevel = changedValue(event, 'riskLevel') ?? riskLevel
      if (event.data.action === 'block') isBlocked = true
      if (event.data.action === 'unblock') isBlocked = false
    }
    figures.users += 1
    figures.blocked += Number(isBlocked)
    add(figures.phases, phase)
    add(figures.riskLevels, riskLevel)
  }
  return figures
}

const sorted = (counts: Map<string, number> | Record<string, number>): [string, number][] =>
  (counts instanceof Map ? [...counts] : Object.entries(counts))
    .filter(([, count]) => count > 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))

test(`the figures of the overview equal a fold over the whole log of ${USERS} users`, async () => {
  console.log(`# figures: seed ${SEED}`)
  const random = createSeededRandom(SEED)
  await using harness = await openServerHarness({
    config: { store: 'memory:', ledger: { phases: [...PHASES], riskLevels: [...RISKS] } },
  })
  for (let round = 0; round < 3; round++) {
    for (let from = 0; from < USERS; from += BATCH) {
      const ids = Array.from({ length: Math.min(BATCH, USERS - from) }, (_, index) => `user-${from + index}`)
      await Promise.all(ids.filter(() => random.chance(0.7)).map((id) => actOn(harness, id, random)))
    }
    harness.clock.advance(20 * HOUR_MS)
  }
  const folded = await foldLog(harness)
  const read = async (path: string) => (await harness.call('GET', path)).json()

  const overview = await read('/api/overview')
  assert.deepEqual([overview.users, overview.blocked], [folded.users, folded.blocked])
  assert.deepEqual(sorted(overview.phases), sorted(folded.phases))
  assert.deepEqual(sorted(overview.riskLevels), sorted(folded.riskLevels))

  const today = (await read('/api/overview/days')).data.at(-1)
  assert.equal(today.users, folded.users)
  assert.deepEqual(sorted(today.phases), sorted(folded.phases))
  assert.deepEqual(sorted(today.riskLevels), sorted(folded.riskLevels))

  const changes = (await read('/api/overview/phases')).data as { from: string | null; to: string; users: number }[]
  const counted = changes.filter(({ from }) => from !== null).map(({ from, to, users }) => [`${from} to ${to}`, users])
  assert.deepEqual(sorted(Object.fromEntries(counted)), sorted(folded.changes))

  const attention = (await read('/api/attention')) as { total: number; rules: { rule: string; users: number }[] }
  assert.equal(attention.rules.find(({ rule }) => rule === 'risk')?.users, folded.riskLevels.get('high') ?? 0)
  for (const phase of PHASES) {
    assert.equal((await read(`/api/users?phase=${phase}&limit=1&total=true`)).total, folded.phases.get(phase) ?? 0)
  }
})
