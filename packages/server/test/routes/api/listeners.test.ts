import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handClock } from 'purser/testing'
import { StreamCounter } from '../../../src/http/stream-counter.ts'
import { Listeners } from '../../../src/routes/api/listeners.ts'

function openListeners() {
  const clock = handClock()
  const listeners = new Listeners(clock)
  const closed: string[] = []
  const open = (caller: string, name = caller) => listeners.acquire(caller, () => closed.push(name))
  return { clock, closed, open }
}

test('one caller cannot take all slots of the live event streams', () => {
  const { open } = openListeners()
  for (let count = 0; count < 25; count++) assert.ok(open('mallory'))
  assert.equal(open('mallory'), undefined)
  assert.ok(open('alice'))
})

test('at its limit, the oldest stream of a caller is closed for the new one, but not a young one', () => {
  const { clock, closed, open } = openListeners()
  for (let count = 0; count < 25; count++) assert.ok(open('mallory', `m${count}`))
  assert.ok(open('alice'))
  clock.advance(14_999)
  assert.equal(open('mallory'), undefined)
  clock.advance(1)
  assert.ok(open('mallory', 'new'))
  assert.deepEqual(closed, ['m0'])
})

test('when all slots are taken, the caller with the most streams gives one up', () => {
  const { clock, closed, open } = openListeners()
  for (const [caller, count] of [
    ['a', 24],
    ['b', 25],
    ['c', 24],
    ['d', 24],
    ['e', 3],
  ] as const) {
    for (let index = 0; index < count; index++) assert.ok(open(caller, `${caller}${index}`))
  }
  assert.equal(open('alice'), undefined)
  clock.advance(15_000)
  assert.ok(open('alice'))
  assert.deepEqual(closed, ['b0'])
})

test('a slot is given back once, however often it is released', () => {
  const { open } = openListeners()
  for (let round = 0; round < 200; round++) {
    const release = open('alice')
    release?.()
    release?.()
  }
  const streams = new StreamCounter(2)
  const first = streams.acquire('ada')
  assert.ok(streams.acquire('ada'))
  assert.equal(streams.acquire('ada'), undefined)
  assert.ok(streams.acquire('bob'))
  first?.()
  first?.()
  assert.ok(streams.acquire('ada'))
  assert.equal(streams.acquire('ada'), undefined)
})
