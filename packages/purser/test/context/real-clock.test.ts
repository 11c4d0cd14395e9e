import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openHouse } from '../support/context-harness.ts'
import { measureLag } from './event-loop-lag.ts'

test('R1, R3 on the real clock: 1,000 cold users and a hung backend, nobody waits beyond the budget', async (t) => {
  let inFlight = 0
  let most = 0
  let hangs = true
  const source = (user: string): Promise<object> => {
    if (!hangs) return Promise.resolve({ note: user })
    inFlight += 1
    most = Math.max(most, inFlight)
    return new Promise(() => undefined)
  }
  const budgetMs = 250
  const house = await openHouse(
    { budgetMs, sources: { profile: source, actions: async () => [] } },
    { effects: systemEffects },
  )
  t.after(() => house.close())
  const lag = measureLag()
  const waits = await Promise.all(
    Array.from({ length: 1_000 }, async (_, index) => {
      const startedAt = performance.now()
      const context = await house.user(`u${index}`).context.resolve()
      assert.equal(context.sections[0]?.status, 'unavailable')
      return performance.now() - startedAt
    }),
  )
  const worst = Math.max(...waits)
  const lagMs = await lag.worst()
  t.diagnostic(
    `worst answer ${worst.toFixed(1)} ms of ${budgetMs}, loop lag ${lagMs.toFixed(1)} ms, ${most} calls in flight`,
  )
  assert.ok(worst <= budgetMs + 25 + 2 * lagMs, `${worst} ms`)
  assert.ok(most <= 64)

  // The breaker opens after a second of hanging; within one pause of a second after healing a probe gets through.
  hangs = false
  const healedAt = performance.now()
  for (;;) {
    const { sections } = await house.user(`v${performance.now()}`).context.resolve()
    if (sections[0]?.status === 'fresh') break
    assert.ok(performance.now() - healedAt < 2_500, 'fresh again within one probe interval')
    await new Promise<void>((resolve) => systemEffects.setTimer(resolve, 20))
  }
})
