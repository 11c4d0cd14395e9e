import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handClock } from '../../src/testing/index.ts'

test('time stands still until it is moved, and both clocks move together', () => {
  const clock = handClock({ wall: '2026-05-01T00:00:00Z', monotonic: 7 })
  assert.deepEqual([clock.now(), clock.monotonic()], [Date.parse('2026-05-01T00:00:00Z'), 7])
  clock.advance(1_500)
  assert.deepEqual([clock.now(), clock.monotonic()], [Date.parse('2026-05-01T00:00:01.500Z'), 1_507])
})

test('due timers run in order, each at its own instant, including those set by a timer', () => {
  const clock = handClock({ wall: 0 })
  const ran: string[] = []
  const note = (name: string) => (): void => {
    ran.push(`${name}@${clock.monotonic()}`)
  }
  clock.setTimer(note('late'), 300)
  clock.setTimer(() => {
    note('first')()
    clock.setTimer(note('set by first'), 50)
    clock.setTimer(note('beyond'), 500)
  }, 100)
  clock.setTimer(note('same instant'), 100)
  const cancel = clock.setTimer(note('cancelled'), 10)
  cancel()
  clock.advance(300)
  assert.deepEqual(ran, ['first@100', 'same instant@100', 'set by first@150', 'late@300'])
  assert.equal(clock.timers, 1)
})

test('the wall clock can be moved alone, also backwards, and runs no timer', () => {
  const clock = handClock({ wall: 1_000 })
  let runs = 0
  clock.setTimer(() => runs++, 10)
  clock.stepWall(-5_000)
  clock.stepWall(86_400_000)
  clock.setWall('2026-01-01T00:00:00Z')
  assert.deepEqual([clock.now(), clock.monotonic(), runs], [Date.parse('2026-01-01T00:00:00Z'), 0, 0])
  clock.stepMonotonic(10)
  assert.deepEqual([clock.now(), clock.monotonic(), runs], [Date.parse('2026-01-01T00:00:00Z'), 10, 1])
})

test('pass runs promise callbacks between timers, so that a timer can set itself again', async () => {
  const clock = handClock()
  let runs = 0
  const again = (): void => {
    clock.setTimer(async () => {
      runs++
      await Promise.resolve()
      again()
    }, 100)
  }
  again()
  await clock.pass(1_000)
  assert.equal(runs, 10)
})

test('negative and invalid times are RangeErrors', () => {
  const clock = handClock()
  for (const ms of [-1, Number.NaN]) assert.throws(() => clock.advance(ms), RangeError)
  assert.throws(() => handClock({ wall: 'yesterday' }), RangeError)
})
