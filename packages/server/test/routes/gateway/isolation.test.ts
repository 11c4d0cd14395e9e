import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Purser, startPurser, startUpstream, type Upstream } from '../../support/processes.ts'

let one: Upstream
let two: Upstream
let purser: Purser

const REQUESTS = 500
const CONCURRENCY = 24

before(async () => {
  ;[one, two] = await Promise.all([startUpstream('one'), startUpstream('two')])
  purser = await startPurser({
    providers: {
      first: { kind: 'openai-compatible', baseURL: one.baseURL, apiKey: 'key-one', models: ['m1', 'm1b'] },
      second: { kind: 'openai-compatible', baseURL: two.baseURL, apiKey: 'key-two', models: ['m2'], userField: 'user' },
    },
    runtime: { defaults: { provider: 'first', model: 'm1' } },
    answers: { enabled: true },
  })
  await purser.api('PATCH', '/api/users/ben/runtime', { provider: 'second', model: 'm2' })
})
after(async () => {
  await purser?.stop()
  await Promise.all([one?.stop(), two?.stop()])
})

test('RC-20 none of 500 interleaved requests of two users reaches the wrong one of two upstreams', async () => {
  let next = 0
  const wrong: unknown[] = []
  const worker = async (): Promise<void> => {
    while (next < REQUESTS) {
      const number = next++
      const [user, upstream, model] = number % 2 === 0 ? ['ann', 'one', 'm1'] : ['ben', 'two', 'm2']
      const question = `question ${number} of ${user}`
      const stream = number % 3 === 0
      const response = await purser.chat({ user, stream, messages: [{ role: 'user', content: question }] })
      const text = await response.text()
      const answer = stream ? joinStream(text) : (JSON.parse(text).choices[0].message.content as string)
      if (answer !== `${upstream} (${model}) says: ${question} ✓ "quoted" \u2028 end`) wrong.push({ number, text })
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  assert.deepEqual(wrong, [])
  for (const [upstream, user, key, model] of [
    [one, 'ann', 'key-one', 'm1'],
    [two, 'ben', 'key-two', 'm2'],
  ] as const) {
    const requests = await upstream.requests()
    assert.equal(requests.length, REQUESTS / 2)
    for (const { body, authorization } of requests) {
      assert.equal(authorization, `Bearer ${key}`)
      assert.equal(body.model, model)
      assert.match(body.messages.at(-1)?.content ?? '', new RegExp(`of ${user}$`))
    }
  }
})

test('a cached answer is used for the same user and not for another user', async () => {
  const ask = (user: string) => purser.chat({ user, messages: [{ role: 'user', content: 'the same for all' }] })
  const caches: (string | null)[] = []
  for (const user of ['cat', 'cat', 'dan']) {
    const answer = await ask(user)
    caches.push(answer.headers.get('x-purser-cache'))
    await answer.text()
  }
  assert.deepEqual(caches, ['miss', 'hit', 'miss'])
})

test('a user may name models of their own provider, and of another provider only if it is allowed', async () => {
  const ask = async (user: string, model: string) => {
    const answer = await purser.chat({ user, model, messages: [{ role: 'user', content: `for ${model}` }] })
    return { status: answer.status, body: (await answer.json()) as Record<string, never> }
  }
  const allowed = await ask('ann', 'm1b')
  assert.equal(allowed.status, 200)
  assert.equal(allowed.body.model, 'm1b')
  for (const model of ['m9', 'second/m2', 'nowhere/m', 'gpt-5']) {
    const refused = await ask('ann', model)
    assert.deepEqual(
      [refused.status, (refused.body.error as unknown as { code: string }).code],
      [404, 'model_not_found'],
      model,
    )
  }
  await purser.api('PUT', '/api/users/eve/secrets/second', { apiKey: 'own-key' })
  assert.equal((await ask('eve', 'second/m2')).status, 200)
  assert.equal((await two.requests()).at(-1)?.authorization, 'Bearer own-key')
})

test('each upstream receives the pseudonymous id in its configured field, never the raw id', async () => {
  for (const [upstream, field] of [
    [one, 'safety_identifier'],
    [two, 'user'],
  ] as const) {
    for (const { body } of await upstream.requests()) assert.match(String(body[field]), /^[0-9a-f]{64}$/)
  }
})

function joinStream(text: string): string {
  return text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame) => JSON.parse(frame.slice('data: '.length)).choices[0]?.delta.content ?? '')
    .join('')
}
