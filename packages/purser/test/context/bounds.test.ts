import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTEXT_LIMITS } from '../../src/context/limits.ts'
import { openPurser, type User } from '../../src/index.ts'
import { openContextHarness } from '../support/context-harness.ts'

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
