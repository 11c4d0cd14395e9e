import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Diagnostics, onDiagnostic } from '../../src/core/diagnostics.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openHouse } from '../support/context-harness.ts'
import { chaos } from './chaos-source.ts'

test('UC-D25 what happens is told as signals, and no signal holds a user id', async (t) => {
  const resolves: Diagnostics['resolve'][] = []
  const flights: Diagnostics['flight'][] = []
  t.after(onDiagnostic('resolve', (payload) => void resolves.push(payload)))
  t.after(onDiagnostic('flight', (payload) => void flights.push(payload)))

  const clock = handClock()
  const backend = chaos(clock, () => ({ note: 'x' }))
  const house = await openHouse({ budgetMs: 300, ttlMs: 1_000, sources: { profile: backend.source } }, { clock })
  const { context } = house.user('secret-user')
  backend.behaviour = 'late'
  const blown = context.resolve()
  await clock.pass(700)
  await blown
  await context.resolve()
  backend.behaviour = 'rejects'
  await clock.pass(2_000)
  await context.resolve()
  await clock.pass(10)
  backend.behaviour = 'never'
  await clock.pass(60_000)
  await context.resolve()
  await clock.pass(10_000)
  await house.user('bela').context.resolve({ sections: ['profile'], budgetMs: 0 })
  await context.invalidate()
  await house.close()

  assert.deepEqual(resolves[0], { namespace: 'test', status: 'partial', waitedMs: 300, blown: true })
  assert.deepEqual(resolves[1], { namespace: 'test', status: 'fresh', waitedMs: 0, blown: false })
  assert.equal(resolves[2]?.status, 'stale')
  const outcomes = new Set(flights.filter(({ source }) => source === 'profile').map(({ outcome }) => outcome))
  for (const outcome of ['started', 'loaded', 'failed', 'abandoned'] as const) assert.ok(outcomes.has(outcome), outcome)
  assert.ok(flights.every(({ outcome, queuedMs }) => outcome !== 'started' || queuedMs !== undefined))
  assert.doesNotMatch(JSON.stringify([resolves, flights]), /secret-user|bela/)
})
