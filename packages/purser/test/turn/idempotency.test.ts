import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { PurserError, Turn, User } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import { chaosStore } from '../../src/testing/index.ts'
import { printSeed, seed } from '../support/fuzz-options.ts'
import { completion, fail, openTurnHarness } from '../support/turn-harness.ts'

const by = { actor: 'ana', reason: 'test' }
const question = (content: string): ChatRequest => ({ messages: [{ role: 'user', content }] })
const count = async (user: User): Promise<number> => (await user.ledger.quota()).count
const code = (expected: string) => (error: PurserError) => error.code === expected

async function contentOrReason(turn: Turn): Promise<string> {
  if (!turn.allowed) return turn.admission.reason
  const answer = await turn.completion()
  return String(answer.choices[0]?.message.content)
}

test('a repeated turn with a ticket gets its answer again', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  const ann = harness.user('ann')
  const admission = await ann.ledger.admit()
  const options = { ticket: admission.allowed ? admission.ticket : '', idempotencyKey: 'k' }
  for (let repeat = 0; repeat < 2; repeat++)
    assert.equal(await contentOrReason(await ann.turn(question('Hi'), options)), 'Hello there')
  assert.deepEqual([upstream.requests.length, await count(ann)], [1, 1])
  await assert.rejects(ann.turn(question('Hi'), { ticket: options.ticket }), code('ticket_used'))
  await assert.rejects(ann.turn(question('Another question'), options), code('idempotency_conflict'))
})

for (const enabled of [false, true]) {
  const cacheMode = enabled ? 'with the answer cache' : 'without the answer cache'

  test(`a repeated turn gets the answer of the first one and is counted once, ${cacheMode}`, async () => {
    await using harness = await openTurnHarness({ ledger: { dailyCap: 1 }, answers: { enabled } })
    const { upstream } = harness
    const ann = harness.user('ann')
    const options = { idempotencyKey: 'k' }
    assert.equal(await contentOrReason(await ann.turn(question('Hi'), options)), 'Hello there')
    upstream.answer = (response) => completion(response, 'Another answer')
    for (let repeat = 0; repeat < 3; repeat++) {
      const turn = await ann.turn(question('Hi'), options)
      assert.ok(turn.allowed && turn.cache === 'hit')
      assert.equal(turn.toResponse().headers.get('idempotent-replayed'), 'true')
    }
    assert.equal(await contentOrReason(await ann.turn(question('Hi'), options)), 'Hello there')
    assert.deepEqual([upstream.requests.length, await count(ann)], [1, 1])
    await assert.rejects(ann.turn(question('Something else'), options), code('idempotency_conflict'))
    assert.equal(await contentOrReason(await ann.turn(question('Something else'))), 'daily_cap')
  })

  test(`concurrent turns under one key call the model once and are counted once, ${cacheMode}`, async () => {
    await using harness = await openTurnHarness({ ledger: { dailyCap: 1 }, answers: { enabled } })
    const { upstream } = harness
    const ann = harness.user('ann')
    const turns = await Promise.all(
      Array.from({ length: 10 }, () => ann.turn(question('Hi'), { idempotencyKey: 'k' }).then(contentOrReason)),
    )
    assert.deepEqual(new Set(turns), new Set(['Hello there']))
    assert.deepEqual([upstream.requests.length, await count(ann)], [1, 1])
  })

  test(`repeats do not overtake the first turn when its reads take longer than theirs, ${cacheMode}`, async () => {
    printSeed('idempotency')
    for (let round = 0; round < 4; round++) {
      const memory = await openMemoryStore({ effects: systemEffects })
      const store = chaosStore(memory, { seed: seed + round, effects: systemEffects, delay: 0.5, maxDelayMs: 5 })
      await using harness = await openTurnHarness({ store, ledger: { dailyCap: 1 }, answers: { enabled } })
      store.enable()
      const [ann, bob] = [harness.user('ann'), harness.user('bob')]
      const ask = (user: User, signal?: AbortSignal): Promise<string> =>
        user.turn(question('Hi'), { idempotencyKey: 'k', signal }).then(contentOrReason)
      const leaving = new AbortController()
      const left = ask(ann, leaving.signal)
      const turns = Array.from({ length: 8 }, (_, index) => ask(index % 2 === 0 ? ann : bob))
      leaving.abort(new Error('left'))
      await assert.rejects(left, /left/)
      assert.deepEqual(new Set(await Promise.all(turns)), new Set(['Hello there']), `round ${round}`)
      assert.deepEqual(
        [harness.upstream.requests.length, await count(ann), await count(bob)],
        [2, 1, 1],
        `round ${round}`,
      )
    }
  })

  test(`a repeat that has to call the model again is counted again, or refused, ${cacheMode}`, async () => {
    await using harness = await openTurnHarness({ ledger: { dailyCap: 2 }, answers: { enabled } })
    const { upstream } = harness
    const ann = harness.user('ann')
    const options = { idempotencyKey: 'k' }
    upstream.answer = (response) => fail(response, 500)
    await assert.rejects(ann.turn(question('Hi'), options), code('upstream_failed'))
    assert.equal(await count(ann), 0, 'a failed turn is not counted')
    upstream.answer = (response) => completion(response, '')
    const again = await ann.turn(question('Hi'), options)
    assert.ok(again.allowed)
    assert.equal(again.admission.remaining, 1)
    assert.equal(await contentOrReason(again), '', 'an empty answer is not stored')
    assert.equal(await count(ann), 1)
    assert.equal(await contentOrReason(await ann.turn(question('Hi'), options)), '')
    assert.equal(await count(ann), 2)
    assert.equal(await contentOrReason(await ann.turn(question('Hi'), options)), 'daily_cap')
    assert.deepEqual([upstream.requests.length >= 3, await count(ann)], [true, 2])
  })
}

test('a blocked user is refused, also under a key that was used before', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  const ann = harness.user('ann')
  await contentOrReason(await ann.turn(question('Hi'), { idempotencyKey: 'k' }))
  await ann.ledger.block(by)
  assert.equal(await contentOrReason(await ann.turn(question('Hi'), { idempotencyKey: 'k' })), 'blocked')
  assert.equal(upstream.requests.length, 1)
})

test('a key is separate for each user and each incarnation', async () => {
  await using harness = await openTurnHarness()
  const { upstream } = harness
  const options = { idempotencyKey: 'k' }
  await contentOrReason(await harness.user('ann').turn(question('Hi'), options))
  upstream.answer = (response) => completion(response, 'For Bob')
  assert.equal(await contentOrReason(await harness.user('bob').turn(question('Hi'), options)), 'For Bob')
  await harness.user('ann').erase(by)
  upstream.answer = (response) => completion(response, 'For the new Ann')
  assert.equal(await contentOrReason(await harness.user('ann').turn(question('Hi'), options)), 'For the new Ann')
})
