import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openPurser } from '../../src/index.ts'
import { dwellClassOf, medianOf } from '../../src/ledger/turns/dwell-classes.ts'
import { handClock } from '../../src/testing/index.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'

const DAY_MS = 86_400_000
const PHASES = ['dormant', 'curious', 'bonded']
const RISKS = ['low', 'high']

test('a day shows the numbers of users at its end and the changes of phase on it', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using purser = await openPurser({ store: 'memory:', effects: clock })
  const [ada, bob] = [purser.user('ada').ledger, purser.user('bob').ledger]
  await ada.observe({ phase: 'curious', riskLevel: 'high' })
  await bob.admit()
  clock.advance(2 * DAY_MS)
  await ada.observe({ phase: 'bonded' })
  await ada.correct({ phase: 'curious' }, { actor: 'ana', reason: 'wrong' })
  clock.advance(DAY_MS)
  await purser.user('bob').erase({ actor: 'ana', reason: 'asked' })
  const days = await purser.overviewByDay({ from: '2026-03-09' })
  assert.deepEqual(
    days.map(({ day, users, phases, riskLevels }) => [day, users, phases, riskLevels]),
    [
      ['2026-03-09', 0, {}, {}],
      ['2026-03-10', 2, { curious: 1, dormant: 1 }, { high: 1, low: 1 }],
      ['2026-03-11', 2, { curious: 1, dormant: 1 }, { high: 1, low: 1 }],
      ['2026-03-12', 2, { curious: 1, dormant: 1 }, { high: 1, low: 1 }],
      ['2026-03-13', 1, { curious: 1 }, { high: 1 }],
    ],
  )
  assert.deepEqual(days[1]?.transitions, [
    { from: 'dormant', to: 'curious', users: 1, averageMs: 0 },
    { from: null, to: 'dormant', users: 2, averageMs: 0 },
  ])
  assert.deepEqual(days[3]?.transitions, [
    { from: 'bonded', to: 'curious', users: 1, averageMs: 0 },
    { from: 'curious', to: 'bonded', users: 1, averageMs: 2 * DAY_MS },
  ])
  assert.deepEqual(days[4]?.transitions, [{ from: 'dormant', to: null, users: 1, averageMs: 3 * DAY_MS }])
  assert.deepEqual(
    (await purser.overviewByDay({ from: '2026-03-11', to: '2026-03-12' })).map(({ day }) => day),
    ['2026-03-11'],
  )
  await assert.rejects(purser.overviewByDay({ from: 'now' }), { code: 'argument_invalid' })
})

test('the numbers of every day equal a fold over the log', async () => {
  printSeed('days')
  const step = fc.record({
    user: fc.constantFrom('a', 'b', 'c', 'd'),
    phase: fc.option(fc.constantFrom(...PHASES), { nil: undefined }),
    riskLevel: fc.option(fc.constantFrom(...RISKS), { nil: undefined }),
    act: fc.constantFrom('observe', 'observe', 'correct', 'admit', 'erase'),
    hours: fc.integer({ min: 0, max: 30 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
      await using purser = await openPurser({ store: 'memory:', effects: clock })
      const current = new Map<string, { phase: string; riskLevel: string }>()
      const expected = new Map<string, unknown>()
      for (const { user, phase, riskLevel, act, hours } of steps) {
        const { ledger } = purser.user(user)
        const before = current.get(user) ?? { phase: 'dormant', riskLevel: 'low' }
        if (act === 'erase') {
          await purser.user(user).erase({ actor: 'a', reason: 'b' })
          current.delete(user)
        } else if (act === 'admit') {
          await ledger.admit()
          current.set(user, before)
        } else {
          const fields = { ...(phase && { phase }), ...(riskLevel && { riskLevel }) }
          if (act === 'observe') await ledger.observe(fields)
          else if (phase ?? riskLevel) await ledger.correct(fields, { actor: 'a', reason: 'b' })
          if ((await ledger.bond()).exists) current.set(user, { ...before, ...fields })
        }
        expected.set(new Date(clock.now()).toISOString().slice(0, 10), fold([...current.values()]))
        clock.advance(hours * 3_600_000)
      }
      let last: unknown = fold([])
      for (const { day, users, phases, riskLevels } of await purser.overviewByDay({ from: '2026-03-09' })) {
        last = expected.get(day) ?? last
        assert.deepEqual({ users, phases, riskLevels }, last, day)
      }
    }),
    { seed, numRuns: rounds(2_000, 40) },
  )
})

function fold(users: readonly { readonly phase: string; readonly riskLevel: string }[]): unknown {
  const count = (labels: readonly string[]): Record<string, number> => {
    const counts: Record<string, number> = {}
    for (const label of labels.toSorted()) counts[label] = (counts[label] ?? 0) + 1
    return counts
  }
  return {
    users: users.length,
    phases: count(users.map(({ phase }) => phase)),
    riskLevels: count(users.map(({ riskLevel }) => riskLevel)),
  }
}

test('changes of phase have the median time in the phase before, over all days of the period', async () => {
  const clock = handClock({ wall: '2026-03-10T12:00:00Z' })
  await using purser = await openPurser({ store: 'memory:', effects: clock })
  const hours = [1, 2, 3, 50, 400]
  const ledgers = hours.map((_, index) => purser.user(`u${index}`).ledger)
  for (const ledger of ledgers) await ledger.observe({ phase: 'curious' })
  let passed = 0
  for (const [index, after] of hours.entries()) {
    clock.advance((after - passed) * 3_600_000)
    passed = after
    await ledgers[index]?.observe({ phase: 'bonded' })
  }
  const change = (await purser.phaseChanges()).find(({ from }) => from === 'curious')
  assert.ok(change)
  assert.deepEqual([change.from, change.to, change.users], ['curious', 'bonded', 5])
  assert.equal(change.averageMs, (hours.reduce((sum, hour) => sum + hour, 0) / 5) * 3_600_000)
  assert.ok(Math.abs(change.medianMs / (3 * 3_600_000) - 1) <= 0.05, String(change.medianMs))
  const later = await purser.phaseChanges({ from: '2026-03-12', to: '2026-03-20' })
  assert.equal(later.find(({ from }) => from === 'curious')?.users, 1)
  assert.deepEqual(await purser.phaseChanges({ from: '2026-04-20' }), [])
  await assert.rejects(purser.phaseChanges({ to: 'never' }), { code: 'argument_invalid' })
})

test('a median over classes of time is within 5 % of the true one', () => {
  printSeed('dwell classes')
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30_000_000_000 }), { minLength: 1, maxLength: 99 }), (times) => {
      const counts = new Map<number, number>()
      for (const ms of times) counts.set(dwellClassOf(ms), (counts.get(dwellClassOf(ms)) ?? 0) + 1)
      const sorted = times.toSorted((a, b) => a - b)
      const median = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0
      assert.ok(Math.abs(medianOf(counts) - median) <= Math.max(1_000, median * 0.05))
    }),
    { seed },
  )
})
