import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffMs, CircuitBreaker } from '../../src/context/circuit-breaker.ts'
import { CONTEXT_LIMITS } from '../../src/context/limits.ts'
import { DeadlineQueue } from '../../src/core/deadline-queue.ts'
import { createJitter } from '../../src/core/jitter.ts'
import { openPurser, type User } from '../../src/index.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openContextHarness } from '../support/context-harness.ts'
import { rounds, seed } from '../support/fuzz-options.ts'

test('UC-D20 cached users are limited, and the least recently used one is evicted', async () => {
  let calls = 0
  await using harness = await openContextHarness({
    maxUsers: 3,
    sources: {
      profile: async (user: string) => {
        calls += 1
        return { note: user }
      },
    },
  })
  const resolve = (id: string): Promise<unknown> => harness.user(id).context.resolve()
  for (const id of ['a', 'b', 'c']) await resolve(id)
  await resolve('a')
  await resolve('d')
  assert.equal(harness.module.stats().users, 3)
  assert.equal(harness.user('b').context.peek(), undefined)
  assert.notEqual(harness.user('a').context.peek(), undefined)
  assert.equal(calls, 4)
})

test('cached bytes are limited', async () => {
  const limits = { ...CONTEXT_LIMITS, maxCachedBytes: 200_000 }
  const note = 'x'.repeat(400)
  await using harness = await openContextHarness(
    {
      sources: {
        profile: async () => Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`f${index}`, note])),
      },
    },
    { limits },
  )
  for (let user = 0; user < 200; user++) await harness.user(`u${user}`).context.resolve()
  const { users, bytes } = harness.module.stats()
  assert.ok(bytes <= 200_000)
  assert.ok(users < 30 && users > 0)
})

test('cached renderings of one user are limited', async () => {
  await using harness = await openContextHarness()
  const { context } = harness.user('asha')
  const zones = Intl.supportedValuesOf('timeZone')
  for (const timeZone of zones) await context.resolve({ timeZone })
  assert.ok(harness.module.stats().bytes < 50_000)
})

test('queued loads are limited; calls beyond the limit are answered at once', async () => {
  const limits = { ...CONTEXT_LIMITS, maxQueuedLoads: 5 }
  await using harness = await openContextHarness(
    { maxConcurrentLoads: 2, sources: { profile: () => new Promise<object>(() => undefined) } },
    { limits },
  )
  const answered: number[] = []
  for (let user = 0; user < 10; user++)
    void harness
      .user(`u${user}`)
      .context.resolve({ sections: ['profile'] })
      .then(() => answered.push(user))
  await harness.clock.pass(0)
  assert.deepEqual(harness.module.stats().sources.profile, { running: 2, abandoned: 0, queued: 5 })
  assert.deepEqual(answered, [7, 8, 9])
})

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

test('a circuit breaker opens after consecutive failures, permits one probe per backoff, and closes after a success', () => {
  const breaker = new CircuitBreaker(3, { minBackoffMs: 1_000, maxBackoffMs: 30_000, jitter: () => 0 })
  assert.equal(breaker.recordFailure(0, false), false)
  breaker.recordSuccess(0)
  assert.equal(breaker.recordFailure(0, false), false)
  assert.equal(breaker.recordFailure(0, false), false)
  assert.equal(breaker.recordFailure(0, false), true)
  assert.equal(breaker.permit(999), 'rejected')
  assert.equal(breaker.permit(1_000), 'probe')
  assert.equal(breaker.permit(1_000), 'rejected', 'one probe at a time')
  breaker.recordFailure(1_500, true)
  assert.equal(breaker.permit(2_999), 'rejected')
  assert.equal(breaker.permit(3_000), 'probe', 'the backoff counts from the start of the probe')
  breaker.recordSuccess(3_100)
  assert.equal(breaker.permit(3_100), 'permitted')
  assert.equal(breaker.closedAt, 3_100)
})

test('the backoff doubles from one second to thirty, and jitter shortens it by at most a quarter', () => {
  const jitter = createJitter('seed')
  for (let failures = 1; failures < 100; failures++) {
    const nominal = Math.min(30_000, 1_000 * 2 ** (failures - 1))
    const backoff = backoffMs(failures, { minBackoffMs: 1_000, maxBackoffMs: 30_000, jitter })
    assert.ok(backoff <= nominal && backoff >= nominal * 0.75)
  }
  const numbers = Array.from({ length: 1_000 }, createJitter('x'))
  assert.ok(numbers.every((number) => number >= 0 && number < 1))
  assert.ok(Math.abs(numbers.reduce((sum, number) => sum + number) / 1_000 - 0.5) < 0.05)
})

test('UC-D20 peek returns what is in memory now, on any handle, and does not count as a use', async () => {
  let name = 'first'
  const sources = { profile: async () => ({ name }), actions: async () => null }
  await using purser = await openPurser({ store: 'memory:', context: { maxUsers: 2, sources } })
  const [ann, bob, eve] = ['ann', 'bob', 'eve'].map((id) => purser.user(id).context) as [
    User['context'],
    User['context'],
    User['context'],
  ]
  const peekAt = (context: User['context']): string | undefined => /first|second/.exec(context.peek()?.text ?? '')?.[0]
  assert.equal(peekAt(ann), undefined)
  await ann.resolve()
  assert.deepEqual([peekAt(ann), ann.peek() === purser.user('ann').context.peek()], ['first', true])
  await bob.resolve()
  assert.equal(peekAt(ann), 'first')
  await eve.resolve()
  assert.deepEqual([peekAt(ann), peekAt(bob), peekAt(eve)], [undefined, 'first', 'first'], 'peek was not a use of ann')
  await ann.resolve()
  assert.equal(peekAt(ann), 'first')
  name = 'second'
  await ann.invalidate()
  assert.equal(peekAt(ann), undefined)
  await ann.resolve()
  assert.equal(peekAt(ann), 'second')
})
