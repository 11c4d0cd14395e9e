import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Purser, startPurser, startUpstream, type Upstream } from '../../support/processes.ts'

let one: Upstream
let two: Upstream
let purser: Purser

const REQUESTS = 500
const AT_ONCE = 24

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

test('RC-20 of 500 interleaved requests of two users on two upstreams none reaches the wrong one', async () => {
  let next = 0
  const wrong: unknown[] = []
  const worker = async (): Promise<void> => {
    while (next < REQUESTS) {
      const number = next++
      const [user, upstream, model] = number % 2 === 0 ? ['ann', 'one', 'm1'] : ['ben', 'two', 'm2']
      const content = `question ${number} of ${user}`
      const stream = number % 3 === 0
      const answer = await purser.chat({ user, stream, messages: [{ role: 'user', content }] })
      const text = await answer.text()
      const told = stream ? textOfStream(text) : (JSON.parse(text).choices[0].message.content as string)
      if (told !== `${upstream} (${model}) says: ${content} ✓ "quoted" \u2028 end`) wrong.push({ number, text })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  assert.deepEqual(wrong, [])
  for (const [upstream, user, key, model] of [
    [one, 'ann', 'key-one', 'm1'],
    [two, 'ben', 'key-two', 'm2'],
  ] as const) {
    const seen = await upstream.seen()
    assert.equal(seen.length, REQUESTS / 2)
    for (const { body, authorization } of seen) {
      assert.equal(authorization, `Bearer ${key}`)
      assert.equal(body.model, model)
      assert.match(body.messages.at(-1)?.content ?? '', new RegExp(`of ${user}$`))
    }
  }
})

test('the same question of another user is asked anew, of the same user it is not', async () => {
  const ask = (user: string) => purser.chat({ user, messages: [{ role: 'user', content: 'the same for all' }] })
  const caches: (string | null)[] = []
  for (const user of ['cat', 'cat', 'dan']) {
    const answer = await ask(user)
    caches.push(answer.headers.get('x-purser-cache'))
    await answer.text()
  }
  assert.deepEqual(caches, ['miss', 'hit', 'miss'])
})

test('a model of the user’s own provider, and another provider only where it is allowed', async () => {
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
  assert.equal((await two.seen()).at(-1)?.authorization, 'Bearer own-key')
})

test('the two upstreams never see the raw id, and each in its own field', async () => {
  for (const [upstream, field] of [
    [one, 'safety_identifier'],
    [two, 'user'],
  ] as const) {
    for (const { body } of await upstream.seen()) assert.match(String(body[field]), /^[0-9a-f]{64}$/)
  }
})

function textOfStream(text: string): string {
  return text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame) => JSON.parse(frame.slice('data: '.length)).choices[0]?.delta.content ?? '')
    .join('')
}
