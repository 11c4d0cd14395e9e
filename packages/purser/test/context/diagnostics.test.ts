import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Diagnostics, onDiagnostic } from '../../src/core/diagnostics.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openContextHarness } from '../support/context-harness.ts'
import { createChaosSource } from './chaos-source.ts'

test('UC-D25 resolves and loads are published, without user ids', async (t) => {
  const resolves: Diagnostics['resolve'][] = []
  const loads: Diagnostics['load'][] = []
  t.after(onDiagnostic('resolve', (payload) => void resolves.push(payload)))
  t.after(onDiagnostic('load', (payload) => void loads.push(payload)))

  const clock = handClock()
  const chaos = createChaosSource(clock, () => ({ note: 'x' }))
  {
    await using harness = await openContextHarness(
      { budgetMs: 300, ttlMs: 1_000, sources: { profile: chaos.source } },
      { clock },
    )
    const { context } = harness.user('secret-user')
    chaos.behavior = 'late'
    const late = context.resolve()
    await clock.pass(700)
    await late
    await context.resolve()
    chaos.behavior = 'rejects'
    await clock.pass(2_000)
    await context.resolve()
    await clock.pass(10)
    chaos.behavior = 'never'
    await clock.pass(60_000)
    await context.resolve()
    await clock.pass(10_000)
    await harness.user('bela').context.resolve({ sections: ['profile'], budgetMs: 0 })
    await context.invalidate()
  }

  assert.deepEqual(resolves[0], {
    namespace: 'test',
    status: 'partial',
    waitedMs: 300,
    queuedMs: 0,
    deadlineExceeded: true,
  })
  assert.deepEqual(resolves[1], {
    namespace: 'test',
    status: 'fresh',
    waitedMs: 0,
    queuedMs: 0,
    deadlineExceeded: false,
  })
  assert.equal(resolves[2]?.status, 'stale')
  const outcomes = new Set(loads.filter(({ source }) => source === 'profile').map(({ outcome }) => outcome))
  for (const outcome of ['started', 'loaded', 'failed', 'abandoned'] as const) assert.ok(outcomes.has(outcome), outcome)
  assert.ok(loads.every(({ outcome, queuedMs }) => outcome !== 'started' || queuedMs !== undefined))
  assert.doesNotMatch(JSON.stringify([resolves, loads]), /secret-user|bela/)
})
