import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openContextHarness } from '../support/context-harness.ts'
import { measureLag } from '../support/event-loop-lag.ts'

test('on the real clock, 1,000 cold users with a hanging source are answered within the budget', async (t) => {
  let running = 0
  let mostRunning = 0
  let hangs = true
  const source = (user: string): Promise<object> => {
    if (!hangs) return Promise.resolve({ note: user })
    running += 1
    mostRunning = Math.max(mostRunning, running)
    return new Promise(() => undefined)
  }
  const budgetMs = 250
  await using harness = await openContextHarness(
    { budgetMs, sources: { profile: source, actions: async () => [] } },
    { effects: systemEffects },
  )
  const lag = measureLag()
  const waits = await Promise.all(
    Array.from({ length: 1_000 }, async (_, index) => {
      const startedAt = performance.now()
      const context = await harness.user(`u${index}`).context.resolve()
      assert.equal(context.sections[0]?.status, 'unavailable')
      return performance.now() - startedAt
    }),
  )
  const worst = Math.max(...waits)
  const lagMs = await lag.worst()
  t.diagnostic(
    `longest wait ${worst.toFixed(1)} ms of ${budgetMs}, loop lag ${lagMs.toFixed(1)} ms, ${mostRunning} concurrent calls`,
  )
  assert.ok(worst <= budgetMs + 25 + 2 * lagMs, `${worst} ms`)
  assert.ok(mostRunning <= 64)

  // The breaker opens after a second of hanging; within one backoff of a second after the recovery it permits a probe.
  hangs = false
  const recoveredAt = performance.now()
  const lagOfRecovery = measureLag()
  for (;;) {
    const { sections } = await harness.user(`v${performance.now()}`).context.resolve()
    if (sections[0]?.status === 'fresh') break
    await new Promise<void>((resolve) => systemEffects.setTimer(resolve, 20))
  }
  const recoveryMs = performance.now() - recoveredAt
  assert.ok(recoveryMs < 2_500 + 4 * (await lagOfRecovery.worst()), `fresh after ${recoveryMs} ms`)
})
