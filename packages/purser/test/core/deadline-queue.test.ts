import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DeadlineQueue } from '../../src/core/deadline-queue.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { rounds, seed } from '../support/fuzz-options.ts'

test('deadlines run once and in order; removed ones never run', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ at: fc.nat(50), isRemoved: fc.boolean() }), { maxLength: 80 }), (entries) => {
      const clock = handClock()
      const queue = new DeadlineQueue(clock, { background: false })
      const ran: number[] = []
      const deadlines = entries.map(({ at }) => queue.add(at, () => ran.push(at)))
      entries.forEach(({ isRemoved }, index) => {
        if (isRemoved) queue.remove(deadlines[index] as (typeof deadlines)[0])
      })
      const remaining = entries.filter(({ isRemoved }) => !isRemoved).map(({ at }) => at)
      assert.equal(queue.size, remaining.length)
      assert.ok(clock.timers <= 1)
      clock.advance(50)
      assert.deepEqual(
        ran,
        remaining.sort((a, b) => a - b),
      )
      assert.equal(clock.timers, 0)
    }),
    { seed, numRuns: rounds(20_000, 500) },
  )
})
