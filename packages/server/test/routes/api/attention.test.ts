import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { percentilesOf } from '../../../src/overview/measure-latency.ts'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

const DAY_MS = 86_400_000
const RISK_LEVELS = ['low', 'guarded', 'high', 'severe']
let harness: ServerHarness

before(async () => {
  harness = await openServerHarness({
    config: {
      plans: { free: { limits: [{ name: 'hourly', measure: 'turns', max: 1, window: '1h' }] } },
      ledger: { dailyCap: 2, riskLevels: RISK_LEVELS },
      server: { attentionRiskLevels: 2, attentionCapPercent: 100, attentionBlockEndsMs: 3_600_000 },
    },
  })
  const { clock } = harness
  const ledgerOf = (id: string) => harness.user(id).ledger
  await ledgerOf('old').observe({ riskLevel: 'high' })
  await ledgerOf('fallen').observe({ riskLevel: 'severe' })
  await ledgerOf('risen').observe({ riskLevel: 'guarded' })
  for (let day = 0; day < 2; day++) {
    for (let turn = 0; turn < 3; turn++) await ledgerOf('capped').admit()
    clock.advance(DAY_MS)
  }
  await ledgerOf('fallen').observe({ riskLevel: 'low' })
  for (let turn = 0; turn < 3; turn++) await ledgerOf('capped').admit()
  await ledgerOf('planned').setPlan('free', { actor: 'root' })
  for (let turn = 0; turn < 2; turn++) await ledgerOf('planned').admit()
  const until = (ms: number): string => new Date(clock.now() + ms).toISOString()
  await ledgerOf('ending').block({ actor: 'root', reason: 'test', until: until(600_000) })
  await ledgerOf('blocked').block({ actor: 'root', reason: 'test', until: until(DAY_MS) })
  await ledgerOf('risen').observe({ riskLevel: 'high' })
  await ledgerOf('severe').observe({ riskLevel: 'severe' })
  for (let turn = 0; turn < 2; turn++) await ledgerOf('severe').admit()
})
after(() => harness[Symbol.asyncDispose]())

interface Row {
  readonly user: string
  readonly rule: string
  readonly from: string | null
  readonly fromMs: number | null
  readonly name: string | null
  readonly count: number
  readonly others: readonly { readonly rule: string; readonly name: string | null }[]
}

async function read(
  query = '',
): Promise<{ readonly total: number; readonly rows: readonly Row[]; rules: { rule: string; users: number }[] }> {
  const response = await harness.call('GET', `/api/attention${query}`)
  assert.equal(response.statusCode, 200, response.body)
  return response.json()
}

test('users who need attention are listed by the first rule that names them, the most urgent first', async () => {
  const { total, rows } = await read()
  assert.deepEqual(
    rows.map(({ user, rule }) => `${user} ${rule}`),
    ['severe risk', 'risen risk', 'old risk', 'capped cap', 'planned limit', 'ending block_ends'],
  )
  assert.equal(total, 6)
})

test('a row has what a sentence about it needs', async () => {
  const rows = new Map((await read()).rows.map((row) => [row.user, row]))
  const risen = rows.get('risen')
  assert.deepEqual([risen?.from, risen?.fromMs], ['guarded', 2 * DAY_MS])
  const planned = rows.get('planned')
  assert.deepEqual([planned?.name, planned?.count], ['hourly', 1])
  const capped = rows.get('capped')
  assert.deepEqual([capped?.name, capped?.count], ['daily', 3])
})

test('further reasons of a user are beside the most urgent one, and each rule counts all of its users', async () => {
  const { rows, rules } = await read()
  const othersOf = (id: string): readonly unknown[] =>
    rows.find(({ user }) => user === id)?.others.map(({ rule, name }) => [rule, name]) ?? []
  assert.deepEqual(othersOf('severe'), [['cap', 'daily']])
  assert.deepEqual(othersOf('old'), [])
  assert.equal(rules.find(({ rule }) => rule === 'cap')?.users, 2)
})

test('all users are counted, however few are listed', async () => {
  const { total, rows } = await read('?limit=2')
  assert.deepEqual([total, rows.length], [6, 2])
})

test('a rule that is switched off names no user', async () => {
  await using quiet = await openServerHarness({
    config: {
      ledger: { riskLevels: RISK_LEVELS },
      server: { attentionRiskLevels: 0, attentionCapPercent: 0, attentionBlockEndsMs: 0, attentionRefusals: 0 },
    },
  })
  await quiet.user('ada').ledger.observe({ riskLevel: 'severe' })
  assert.equal((await quiet.call('GET', '/api/attention')).json().total, 0)
})

test('percentiles are values that occur, by the nearest rank', () => {
  assert.deepEqual(percentilesOf([]), { p50: 0, p95: 0, p99: 0 })
  assert.deepEqual(percentilesOf([3]), { p50: 3, p95: 3, p99: 3 })
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.deepEqual(percentilesOf(hundred), { p50: 50, p95: 95, p99: 99 })
})
