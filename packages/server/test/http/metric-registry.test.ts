import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Counter, Histogram, Registry } from 'prom-client'
import { MetricRegistry } from '../../src/http/metric-registry.ts'

const BOUNDS = [0.001, 0.5, 1, 60]
const label = fc.oneof(fc.constantFrom('hit', 'miss', 'a"b', 'a\\b', 'a\nb', '__proto__', ''), fc.string())
const amount = fc.integer({ min: 0, max: 1_000_000 })

/** Lines without the order in which labels were first used. */
function sortedLines(text: string): string[] {
  return text.split('\n').filter(Boolean).toSorted()
}

test('the text of counters and histograms is that of prom-client', async () => {
  const counts = fc.array(fc.tuple(label, label, fc.option(amount, { nil: undefined })), { maxLength: 20 })
  const values = fc.array(fc.oneof(fc.constantFrom(...BOUNDS), fc.double({ min: 0, max: 100, noNaN: true })))
  await fc.assert(
    fc.asyncProperty(counts, values, async (added, observed) => {
      const expected = new Registry()
      const registers = [expected]
      const turns = new Counter({ name: 'turns', help: 'Turns.', labelNames: ['outcome', 'cache'], registers })
      const refusals = new Counter({ name: 'refusals', help: 'Refusals.', labelNames: ['provider'], registers })
      const seconds = new Histogram({ name: 'seconds', help: 'Times.', buckets: BOUNDS, registers })
      const registry = new MetricRegistry()
      const ownTurns = registry.counter('turns', 'Turns.', ['outcome', 'cache'])
      const ownRefusals = registry.counter('refusals', 'Refusals.', ['provider'])
      const ownSeconds = registry.histogram('seconds', 'Times.', BOUNDS)
      for (const [outcome, cache, count] of added) {
        turns.inc({ outcome, cache }, count)
        ownTurns.add([outcome, cache], count)
        refusals.inc({ provider: cache }, count)
        ownRefusals.add([cache], count)
      }
      for (const value of observed) {
        seconds.observe(value)
        ownSeconds.observe(value)
      }
      assert.deepEqual(sortedLines(registry.render()), sortedLines(await expected.metrics()))
    }),
  )
})

test('a gauge is read for each rendering', () => {
  let users = 1
  const registry = new MetricRegistry()
  registry.gauge('users', 'Users.', () => users)
  assert.match(registry.render(), /^# TYPE users gauge\nusers 1$/m)
  users = 2
  assert.match(registry.render(), /^users 2$/m)
})
