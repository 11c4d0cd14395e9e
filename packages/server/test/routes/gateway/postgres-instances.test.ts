import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { noPostgres, sharedPostgres } from '../../../../purser/test/support/postgres-server.ts'
import { type Purser, startPurser, startUpstream, type Upstream } from '../../support/processes.ts'

const REQUESTS = 200
const CAP = 20

describe('two instances on one schema of PostgreSQL', { skip: noPostgres }, () => {
  let one: Upstream
  let two: Upstream
  let instances: readonly [Purser, Purser]

  before(async () => {
    ;[one, two] = await Promise.all([startUpstream('one'), startUpstream('two')])
    const store = (await sharedPostgres()).url()
    const config = {
      store,
      secretKey: randomBytes(32).toString('base64'),
      providers: {
        first: { kind: 'openai-compatible' as const, baseURL: one.baseURL, apiKey: 'key-one', models: ['m1'] },
        second: { kind: 'openai-compatible' as const, baseURL: two.baseURL, apiKey: 'key-two', models: ['m2'] },
      },
      runtime: { defaults: { provider: 'first', model: 'm1' } },
      answers: { enabled: true },
    }
    instances = await Promise.all([startPurser(config), startPurser(config)])
  })
  after(async () => {
    await Promise.all(instances?.map((instance) => instance.stop()) ?? [])
    await Promise.all([one?.stop(), two?.stop()])
  })

  const ask = async (
    number: number,
    user: string,
    content: string,
  ): Promise<{ status: number; text: string; cache: string | null }> => {
    const response = await (instances[number % 2] as Purser).chat({ user, messages: [{ role: 'user', content }] })
    return { status: response.status, text: await response.text(), cache: response.headers.get('x-purser-cache') }
  }

  test('a change made on one instance is seen by the other', async () => {
    for (let turn = 0; turn < 20; turn++) {
      const [provider, model] = turn % 2 === 0 ? ['second', 'm2'] : ['first', 'm1']
      const changed = await instances[0].api('PATCH', '/api/users/ben/runtime', { provider, model })
      assert.equal(changed.status, 200)
      // The message follows the commit within milliseconds.
      for (let attempt = 0; ; attempt++) {
        const { body } = await instances[1].api('GET', '/api/users/ben/runtime')
        if ((body as { model: string }).model === model) break
        assert.ok(attempt < 200, `turn ${turn}: the other instance has not seen the change`)
      }
    }
  })

  test('interleaved requests of two users on both instances reach the upstream of their user only', async () => {
    await instances[0].api('PATCH', '/api/users/ben/runtime', { provider: 'second', model: 'm2' })
    await ask(1, 'ben', 'first')
    await Promise.all([one.reset(), two.reset()])
    await Promise.all(
      Array.from({ length: REQUESTS }, async (_, number) => {
        const user = number % 4 < 2 ? 'ann' : 'ben'
        const { status, text } = await ask(number, user, `question ${number} of ${user}`)
        assert.equal(status, 200, text)
        assert.ok(text.includes(user === 'ann' ? 'one (m1) says' : 'two (m2) says'), text)
      }),
    )
    for (const [upstream, user] of [
      [one, 'ann'],
      [two, 'ben'],
    ] as const) {
      const requests = await upstream.requests()
      assert.equal(requests.length, REQUESTS / 2)
      for (const { body } of requests) assert.match(body.messages.at(-1)?.content ?? '', new RegExp(`of ${user}$`))
    }
  })

  test('a cap holds over both instances', async () => {
    const capped = await instances[0].api('PUT', '/api/users/cap/cap', { cap: CAP, reason: 'test' })
    assert.equal(capped.status, 200)
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, (_, number) => ask(number, 'cap', `question ${number}`)),
    )
    assert.equal(answers.filter(({ status }) => status === 200).length, CAP)
    assert.equal(answers.filter(({ status }) => status === 429).length, REQUESTS - CAP)
  })

  test('an answer that one instance has stored is a hit on the other, for the same user only', async () => {
    assert.equal((await ask(0, 'eve', 'the same')).cache, 'miss')
    for (let attempt = 0; (await ask(1, 'eve', 'the same')).cache !== 'hit'; attempt++) assert.ok(attempt < 100)
    assert.equal((await ask(1, 'fay', 'the same')).cache, 'miss')
  })
})
