import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPurser, type Purser, type PurserError, type PurserOptions, type Turn, type User } from '../../src/index.ts'
import { completion, fail, startUpstream, type Upstream } from './upstream.ts'

async function opened(upstream: Upstream, options: PurserOptions = {}): Promise<Purser> {
  return openPurser({
    store: 'memory:',
    providers: { local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m'] } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    ...options,
  })
}

const by = { actor: 'ana', reason: 'test' }
const question = (content: string): object => ({ messages: [{ role: 'user', content }] })
const count = async (user: User): Promise<number> => (await user.ledger.quota()).count
const code = (expected: string) => (error: PurserError) => error.code === expected

async function told(turn: Turn): Promise<string> {
  if (!turn.allowed) return turn.admission.reason
  const answer = await turn.completion()
  return String(answer.choices[0]?.message.content)
}

test('a repeated turn that was paid for with a ticket gets its answer again', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ann = purser.user('ann')
  const admission = await ann.ledger.admit()
  const options = { ticket: admission.allowed ? admission.ticket : '', idempotencyKey: 'k' }
  for (let repeat = 0; repeat < 2; repeat++)
    assert.equal(await told(await ann.turn(question('Hi'), options)), 'Hello there')
  assert.deepEqual([upstream.seen.length, await count(ann)], [1, 1])
  await assert.rejects(ann.turn(question('Hi'), { ticket: options.ticket }), code('ticket_used'))
  await assert.rejects(ann.turn(question('Else'), options), code('idempotency_conflict'))
})

for (const enabled of [false, true]) {
  const kept = enabled ? 'with answers' : 'without answers'

  test(`a repeated turn gets the first one's answer and is counted once, ${kept}`, async () => {
    await using upstream = await startUpstream()
    await using purser = await opened(upstream, { ledger: { dailyCap: 1 }, answers: { enabled } })
    const ann = purser.user('ann')
    const options = { idempotencyKey: 'k' }
    assert.equal(await told(await ann.turn(question('Hi'), options)), 'Hello there')
    upstream.answer = (response) => completion(response, 'Another answer')
    for (let repeat = 0; repeat < 3; repeat++) {
      const turn = await ann.turn(question('Hi'), options)
      assert.ok(turn.allowed && turn.cache === 'hit')
      assert.equal(turn.toResponse().headers.get('idempotent-replayed'), 'true')
    }
    assert.equal(await told(await ann.turn(question('Hi'), options)), 'Hello there')
    assert.deepEqual([upstream.seen.length, await count(ann)], [1, 1])
    await assert.rejects(ann.turn(question('Something else'), options), code('idempotency_conflict'))
    assert.equal(await told(await ann.turn(question('Something else'))), 'daily_cap')
  })

  test(`turns at once under one key ask the model once and are counted once, ${kept}`, async () => {
    await using upstream = await startUpstream()
    await using purser = await opened(upstream, { ledger: { dailyCap: 1 }, answers: { enabled } })
    const ann = purser.user('ann')
    const turns = await Promise.all(
      Array.from({ length: 10 }, () => ann.turn(question('Hi'), { idempotencyKey: 'k' }).then(told)),
    )
    assert.deepEqual(new Set(turns), new Set(['Hello there']))
    assert.deepEqual([upstream.seen.length, await count(ann)], [1, 1])
  })

  test(`a repeat that has to ask the model again is counted again, or refused, ${kept}`, async () => {
    await using upstream = await startUpstream()
    await using purser = await opened(upstream, { ledger: { dailyCap: 2 }, answers: { enabled } })
    const ann = purser.user('ann')
    const options = { idempotencyKey: 'k' }
    upstream.answer = (response) => fail(response, 500)
    await assert.rejects(ann.turn(question('Hi'), options), code('upstream_failed'))
    assert.equal(await count(ann), 0, 'what failed was given back')
    upstream.answer = (response) => completion(response, '')
    const again = await ann.turn(question('Hi'), options)
    assert.ok(again.allowed)
    assert.equal(again.admission.remaining, 1)
    assert.equal(await told(again), '', 'an empty answer is not kept')
    assert.equal(await count(ann), 1)
    assert.equal(await told(await ann.turn(question('Hi'), options)), '')
    assert.equal(await count(ann), 2)
    assert.equal(await told(await ann.turn(question('Hi'), options)), 'daily_cap')
    assert.deepEqual([upstream.seen.length >= 3, await count(ann)], [true, 2])
  })
}

test('a blocked user is refused under any key', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const ann = purser.user('ann')
  await told(await ann.turn(question('Hi'), { idempotencyKey: 'k' }))
  await ann.ledger.block(by)
  assert.equal(await told(await ann.turn(question('Hi'), { idempotencyKey: 'k' })), 'blocked')
  assert.equal(upstream.seen.length, 1)
})

test('a key is one user’s own, and ends with their life', async () => {
  await using upstream = await startUpstream()
  await using purser = await opened(upstream)
  const options = { idempotencyKey: 'k' }
  await told(await purser.user('ann').turn(question('Hi'), options))
  upstream.answer = (response) => completion(response, 'For Bob')
  assert.equal(await told(await purser.user('bob').turn(question('Hi'), options)), 'For Bob')
  await purser.user('ann').erase(by)
  upstream.answer = (response) => completion(response, 'Who are you?')
  assert.equal(await told(await purser.user('ann').turn(question('Hi'), options)), 'Who are you?')
})
