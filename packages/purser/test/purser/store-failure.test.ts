import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { ChatCompletion } from '../../src/openai/chat.ts'
import type { PurserOptions } from '../../src/options.ts'
import type { Purser } from '../../src/purser/api.ts'
import { openPurser } from '../../src/purser/open-purser.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { type FailingStore, failingStore } from '../support/failing-store.ts'
import { untilTrue } from '../support/redis-server.ts'
import { openTurnHarness } from '../support/turn-harness.ts'

const EVENT = 'unrecorded_admissions'

interface Opened extends AsyncDisposable {
  readonly purser: Purser
  readonly store: FailingStore
  readonly clock: HandClock
}

async function open(ledger: NonNullable<PurserOptions['ledger']>): Promise<Opened> {
  const clock = handClock()
  const store = failingStore(await openMemoryStore({ effects: clock }))
  const purser = await openPurser({ store, effects: clock, ledger })
  return {
    purser,
    store,
    clock,
    async [Symbol.asyncDispose]() {
      store.isDown = false
      await purser.close()
    },
  }
}

const admitAll = (purser: Purser, id: string, count: number): Promise<('admitted' | 'unrecorded' | string)[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      try {
        const admission = await purser.user(id).ledger.admit()
        if (!admission.allowed) return admission.reason
        return admission.unrecorded ? 'unrecorded' : 'admitted'
      } catch (error) {
        return (error as { code: string }).code
      }
    }),
  )

const countOf = (outcomes: readonly string[], outcome: string): number =>
  outcomes.filter((one) => one === outcome).length

test('by default an admission is refused while the store fails, and works again without a restart', async () => {
  await using opened = await open({ dailyCap: 5 })
  const { purser, store } = opened
  assert.deepEqual(await admitAll(purser, 'ann', 1), ['admitted'])
  store.isDown = true
  assert.deepEqual(await admitAll(purser, 'ann', 2), ['store_unavailable', 'store_unavailable'])
  store.isDown = false
  assert.deepEqual(await admitAll(purser, 'ann', 1), ['admitted'])
  assert.equal((await purser.user('ann').ledger.quota()).count, 2)
})

test("with 'admit' the known rest of the cap is admitted, counted when the store is back, with an event that says why", async () => {
  await using opened = await open({ dailyCap: 5, onStoreFailure: 'admit' })
  const { purser, store, clock } = opened
  assert.deepEqual(await admitAll(purser, 'ann', 2), ['admitted', 'admitted'])
  store.isDown = true
  const outcomes = await admitAll(purser, 'ann', 6)
  assert.equal(countOf(outcomes, 'unrecorded'), 3)
  assert.equal(countOf(outcomes, 'store_unavailable'), 3, 'not a refusal: that is decided on stored state only')
  await clock.pass(10_000)
  store.isDown = false
  await clock.pass(1_000)
  assert.equal((await purser.user('ann').ledger.quota()).count, 5)
  const [event] = await purser.user('ann').ledger.events({ types: [EVENT] })
  assert.equal(event?.detail, '3 turns were admitted while the store was unavailable')
  assert.deepEqual(event?.data, {
    reason: 'store_unavailable',
    admissions: 3,
    weight: 3,
    from: '2026-01-01T12:00:00.000Z',
    to: '2026-01-01T12:00:00.000Z',
  })
  assert.deepEqual(await admitAll(purser, 'ann', 1), ['daily_cap'])
  assert.equal((await purser.verify()).ok, true)
})

test('a user of whom nothing is known is admitted at most 20 times, and all users 10,000 times', async () => {
  await using opened = await open({ onStoreFailure: 'admit' })
  const { purser, store, clock } = opened
  store.isDown = true
  const outcomes = await admitAll(purser, 'new', 25)
  assert.equal(countOf(outcomes, 'unrecorded'), 20)
  assert.equal(countOf(outcomes, 'store_unavailable'), 5)
  let allowed = 20
  for (let user = 0; user < 600; user++) allowed += countOf(await admitAll(purser, `user ${user}`, 20), 'unrecorded')
  assert.equal(allowed, 10_000)
  store.isDown = false
  await clock.pass(3_000)
  const { users } = await purser.overview()
  assert.equal(users, 500)
  assert.equal((await purser.user('new').ledger.quota()).count, 20)
})

test('a blocked user is not admitted, and a store that fails is asked once a second only', async () => {
  await using opened = await open({ onStoreFailure: 'admit' })
  const { purser, store, clock } = opened
  await purser.user('ann').ledger.block({ actor: 'test', reason: 'test' })
  await purser.user('bob').ledger.admit()
  store.isDown = true
  assert.deepEqual(await admitAll(purser, 'ann', 1), ['store_unavailable'])
  assert.deepEqual(await admitAll(purser, 'bob', 1), ['unrecorded'])
  store.calls.length = 0
  assert.equal(countOf(await admitAll(purser, 'bob', 10), 'unrecorded'), 10)
  assert.equal(store.calls.length, 0)
  await clock.pass(1_000)
  assert.ok(store.calls.filter((call) => call.startsWith('users.')).length <= 2, store.calls.join())
})

test('a lost reply of the recording counts nothing twice', async () => {
  await using opened = await open({ onStoreFailure: 'admit' })
  const { purser, store, clock } = opened
  await purser.user('ann').ledger.admit()
  store.isDown = true
  await admitAll(purser, 'ann', 4)
  store.isDown = false
  store.losesReplies = true
  await clock.pass(1_000)
  await clock.pass(1_000)
  store.losesReplies = false
  await clock.pass(1_000)
  assert.equal((await purser.user('ann').ledger.quota()).count, 5)
  assert.equal((await purser.user('ann').ledger.events({ types: [EVENT] })).length, 1)
})

test('what was admitted of a user who was erased meanwhile is not recorded', async () => {
  const clock = handClock()
  const shared = await openMemoryStore({ effects: clock })
  const store = failingStore({ ...shared, close: async () => undefined })
  const secretKey = Buffer.alloc(32, 7).toString('base64')
  const ledger = { onStoreFailure: 'admit' } as const
  await using purser = await openPurser({ store, effects: clock, secretKey, ledger })
  const other = { ...shared, close: async () => undefined }
  await using otherPurser = await openPurser({ store: other, effects: clock, secretKey, ledger })
  await purser.user('ann').ledger.admit()
  await otherPurser.user('bob').ledger.admit()
  store.isDown = true
  await admitAll(purser, 'ann', 2)
  // Of bob, this instance knows nothing.
  await admitAll(purser, 'bob', 2)
  await otherPurser.user('ann').erase({ actor: 'test', reason: 'test' })
  await otherPurser.user('bob').erase({ actor: 'test', reason: 'test' })
  store.isDown = false
  await clock.pass(3_000)
  assert.equal((await purser.user('ann').ledger.bond()).exists, false)
  assert.equal((await purser.user('bob').ledger.bond()).exists, false)
  assert.equal((await otherPurser.overview()).users, 0)
})

test('closing records what waits', async () => {
  const clock = handClock()
  const shared = await openMemoryStore({ effects: clock })
  const store = failingStore({ ...shared, close: async () => undefined })
  const purser = await openPurser({ store, effects: clock, ledger: { onStoreFailure: 'admit' } })
  await purser.user('ann').ledger.admit()
  store.isDown = true
  await admitAll(purser, 'ann', 2)
  store.isDown = false
  await purser.close()
  assert.equal((await shared.users.load({ namespace: 'default', id: 'ann' }))?.revision, 2)
})

test('turns run through a failure of the store: settled tokens are counted later, a failed turn is given back', async () => {
  const store = failingStore(await openMemoryStore({ effects: systemEffects }))
  await using harness = await openTurnHarness({
    store,
    answers: { enabled: true },
    ledger: {
      dailyCap: 10,
      limits: [{ name: 'tokens', measure: 'tokens', max: 10_000, window: 'day' }],
      onStoreFailure: 'admit',
    },
  })
  const user = harness.user('ann')
  const ask = async (text: string, idempotencyKey?: string): Promise<string | null | undefined> => {
    const turn = await user.turn({ messages: [{ role: 'user', content: text }] }, { idempotencyKey })
    assert.ok(turn.allowed)
    const response = turn.toResponse()
    assert.equal(response.headers.get('x-purser-store'), store.isDown ? 'unavailable' : null)
    return ((await response.json()) as ChatCompletion).choices[0]?.message.content as string
  }
  await ask('first')
  // What is settled behind is written by a read; a failure would lose it.
  await user.ledger.quota()
  store.isDown = true
  assert.equal(await ask('second'), 'Hello there')
  assert.equal(await ask('third', 'a key'), 'Hello there')
  harness.upstream.answer = (response) => void response.writeHead(400, {}).end('{}')
  await assert.rejects(ask('fourth'))
  store.isDown = false
  await untilTrue(async () => (await user.ledger.events({ types: [EVENT] })).length === 1, 'Nothing was recorded.')
  assert.equal((await user.ledger.quota()).count, 3)
  const tokens = (await user.ledger.limits()).find(({ name }) => name === 'tokens')
  assert.deepEqual([tokens?.used, tokens?.held], [27, 0])
})
