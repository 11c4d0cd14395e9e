import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CircuitBreaker, pauseAfter } from '../../src/context/circuit-breaker.ts'
import { CONTEXT_LIMITS } from '../../src/context/limits.ts'
import { DeadlineQueue } from '../../src/core/deadline-queue.ts'
import { createJitter } from '../../src/core/jitter.ts'
import { openPurser, type User } from '../../src/index.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openHouse } from '../support/context-harness.ts'
import { rounds, seed } from '../support/fuzz-options.ts'

test('UC-D20, R8 users are bounded, and the longest unused goes first', async (t) => {
  let calls = 0
  const house = await openHouse({
    maxUsers: 3,
    sources: {
      profile: async (user: string) => {
        calls += 1
        return { note: user }
      },
    },
  })
  t.after(() => house.close())
  const resolve = (id: string): Promise<unknown> => house.user(id).context.resolve()
  for (const id of ['a', 'b', 'c']) await resolve(id)
  await resolve('a')
  await resolve('d')
  assert.equal(house.contexts.stats().users, 3)
  assert.equal(house.user('b').context.peek(), undefined)
  assert.notEqual(house.user('a').context.peek(), undefined)
  assert.equal(calls, 4)
})

test('R8 bytes are bounded as well', async (t) => {
  const limits = { ...CONTEXT_LIMITS, maxCachedBytes: 200_000 }
  const note = 'x'.repeat(400)
  const house = await openHouse(
    {
      sources: {
        profile: async () => Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`f${index}`, note])),
      },
    },
    { limits },
  )
  t.after(() => house.close())
  for (let user = 0; user < 200; user++) await house.user(`u${user}`).context.resolve()
  const { users, bytes } = house.contexts.stats()
  assert.ok(bytes <= 200_000)
  assert.ok(users < 30 && users > 0)
})

test('renderings of many zones and sections of one user are bounded', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const { context } = house.user('asha')
  const zones = Intl.supportedValuesOf('timeZone')
  for (const timeZone of zones) await context.resolve({ timeZone })
  assert.ok(house.contexts.stats().bytes < 50_000)
})

test('R8 loads that wait for a place are bounded; one more is answered at once', async (t) => {
  const limits = { ...CONTEXT_LIMITS, maxQueued: 5 }
  const house = await openHouse(
    { maxFlights: 2, sources: { profile: () => new Promise<object>(() => undefined) } },
    { limits },
  )
  t.after(() => house.close())
  const answered: number[] = []
  for (let user = 0; user < 10; user++)
    void house
      .user(`u${user}`)
      .context.resolve({ sections: ['profile'] })
      .then(() => answered.push(user))
  await house.clock.pass(0)
  assert.deepEqual(house.contexts.stats().sources.profile, { live: 2, abandoned: 0, queued: 5 })
  assert.deepEqual(answered, [7, 8, 9])
})

test('deadlines run in order, once, and what is taken back never runs', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ at: fc.nat(50), taken: fc.boolean() }), { maxLength: 80 }), (plans) => {
      const clock = handClock()
      const queue = new DeadlineQueue(clock, { background: false })
      const ran: number[] = []
      const deadlines = plans.map(({ at }) => queue.add(at, () => ran.push(at)))
      plans.forEach(({ taken }, index) => {
        if (taken) queue.remove(deadlines[index] as (typeof deadlines)[0])
      })
      const left = plans.filter(({ taken }) => !taken).map(({ at }) => at)
      assert.equal(queue.size, left.length)
      assert.ok(clock.timers <= 1)
      clock.advance(50)
      assert.deepEqual(
        ran,
        left.sort((a, b) => a - b),
      )
      assert.equal(clock.timers, 0)
    }),
    { seed, numRuns: rounds(20_000, 500) },
  )
})

test('R6 a breaker opens after failures in a row, lets one probe through a pause, and closes at a success', () => {
  const breaker = new CircuitBreaker(3, { firstPauseMs: 1_000, longestPauseMs: 30_000, random: () => 0 })
  assert.equal(breaker.failed(0, false), false)
  breaker.succeeded(0)
  assert.equal(breaker.failed(0, false), false)
  assert.equal(breaker.failed(0, false), false)
  assert.equal(breaker.failed(0, false), true)
  assert.equal(breaker.pass(999), 'refused')
  assert.equal(breaker.pass(1_000), 'probe')
  assert.equal(breaker.pass(1_000), 'refused', 'one at a time')
  breaker.failed(1_500, true)
  assert.equal(breaker.pass(2_999), 'refused')
  assert.equal(breaker.pass(3_000), 'probe', 'the pause counts from the start of the probe')
  breaker.succeeded(3_100)
  assert.equal(breaker.pass(3_100), 'free')
  assert.equal(breaker.healedAt, 3_100)
})

test('pauses double from one second to thirty, and are shortened by chance by a quarter at most', () => {
  const random = createJitter('seed')
  for (let failures = 1; failures < 100; failures++) {
    const nominal = Math.min(30_000, 1_000 * 2 ** (failures - 1))
    const pause = pauseAfter(failures, { firstPauseMs: 1_000, longestPauseMs: 30_000, random })
    assert.ok(pause <= nominal && pause >= nominal * 0.75)
  }
  const numbers = Array.from({ length: 1_000 }, createJitter('x'))
  assert.ok(numbers.every((number) => number >= 0 && number < 1))
  assert.ok(Math.abs(numbers.reduce((sum, number) => sum + number) / 1_000 - 0.5) < 0.05)
})

test('UC-D20 a look finds what is in memory now, whoever looks, and keeps nobody there', async () => {
  let name = 'first'
  const sources = { profile: async () => ({ name }), actions: async () => null }
  await using purser = await openPurser({ store: 'memory:', context: { maxUsers: 2, sources } })
  const [ann, bob, eve] = ['ann', 'bob', 'eve'].map((id) => purser.user(id).context) as [
    User['context'],
    User['context'],
    User['context'],
  ]
  const seenOf = (context: User['context']): string | undefined => /first|second/.exec(context.peek()?.text ?? '')?.[0]
  assert.equal(seenOf(ann), undefined)
  await ann.resolve()
  assert.deepEqual([seenOf(ann), ann.peek() === purser.user('ann').context.peek()], ['first', true])
  await bob.resolve()
  assert.equal(seenOf(ann), 'first')
  await eve.resolve()
  assert.deepEqual([seenOf(ann), seenOf(bob), seenOf(eve)], [undefined, 'first', 'first'], 'the look at ann was no use')
  await ann.resolve()
  assert.equal(seenOf(ann), 'first')
  name = 'second'
  await ann.invalidate()
  assert.equal(seenOf(ann), undefined)
  await ann.resolve()
  assert.equal(seenOf(ann), 'second')
})
