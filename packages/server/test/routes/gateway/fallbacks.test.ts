import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGatewayHarness, sendChat, sendEvents, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

const MESSAGES = [{ role: 'user', content: 'Hi' }]

const first = await startFakeProvider((_, response) => sendJson(response, { error: { message: 'down' } }, 503))
const second = await startFakeProvider((request, response) =>
  sendChat(request, response, { content: 'From the second' }),
)
const gateway = await openGatewayHarness({
  providers: {
    first: { kind: 'openai-compatible', baseURL: first.baseURL, apiKey: 'k', retries: { attempts: 1, delayMs: 0 } },
    second: { kind: 'openai-compatible', baseURL: second.baseURL, apiKey: 'k' },
    keyless: { kind: 'openai-compatible', baseURL: second.baseURL },
  },
  runtime: {
    defaults: {
      provider: 'first',
      model: 'a',
      fallbacks: [
        { provider: 'keyless', model: 'c' },
        { provider: 'second', model: 'b' },
      ],
    },
  },
})

test('a fallback answers when the provider fails, one turn is counted, and the answer names every attempt', async () => {
  const response = await gateway.fetch('/v1/chat/completions', { messages: MESSAGES, user: 'ada' })
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] }
  assert.equal(choices[0]?.message.content, 'From the second')
  assert.equal(response.headers.get('x-purser-model'), 'second/b')
  assert.equal(response.headers.get('x-purser-attempts'), 'first/a=503, first/a=503, second/b=200')
  assert.deepEqual([first.requests.length, second.requests.length], [2, 1])
  assert.equal(second.requests[0]?.body?.model, 'b')
  assert.equal(await gateway.count('ada'), 1)
  assert.deepEqual(
    gateway.context.purser.runtime.active().map(({ inUse }) => inUse),
    [0],
  )
})

test('translated endpoints fall back, too, and streams as long as no byte was sent', async () => {
  const response = await gateway.fetch(
    '/v1/messages',
    { messages: MESSAGES, max_tokens: 5, stream: true },
    { 'x-purser-user': 'ada' },
  )
  assert.match(await response.text(), /From the.*message_stop/s)
  first.handle = ({ body }, answer) => {
    const choices = [{ index: 0, delta: { content: 'Hel' }, finish_reason: null }]
    sendEvents(answer, [{ id: 'c', object: 'chat.completion.chunk', created: 1, model: body?.model, choices }])
  }
  second.requests.length = 0
  const cut = await gateway.fetch('/v1/chat/completions', { messages: MESSAGES, user: 'ada', stream: true })
  const text = await cut.text()
  assert.match(text, /Hel/)
  assert.match(text, /cut its answer/)
  assert.equal(second.requests.length, 0)
})

test('a rejected request is not tried elsewhere, and when all fail the error is that of the first', async () => {
  first.handle = (_, response) => sendJson(response, { error: { message: 'too long', code: 'long' } }, 400)
  const rejected = await gateway.fetch('/v1/chat/completions', { messages: MESSAGES, user: 'ada' })
  assert.equal(rejected.status, 400)
  assert.equal(second.requests.length, 0)
  first.handle = (_, response) => sendJson(response, { error: { message: 'slow down' } }, 429)
  second.handle = (_, response) => sendJson(response, {}, 500)
  const before = await gateway.count('ada')
  const failed = await gateway.fetch('/v1/chat/completions', { messages: MESSAGES, user: 'ada' })
  assert.equal(failed.status, 429)
  assert.equal(await gateway.count('ada'), before)
})

test('a refusal that names the pseudonym of a person is an event in their log, and a rejected request is none', async () => {
  const ask = (user: string): Promise<Response> => gateway.fetch('/v1/chat/completions', { messages: MESSAGES, user })
  second.handle = (request, response) => sendChat(request, response, { content: 'Hello' })
  first.handle = ({ body }, response) => {
    const message = `The end user ${body?.safety_identifier} violates the policy.`
    sendJson(response, { error: { message, code: 'policy' } }, 400)
  }
  for (let call = 0; call < 3; call++) assert.equal((await ask('refused')).status, 400)
  first.handle = (_, response) => sendJson(response, { error: { message: 'too long', code: 'long' } }, 400)
  await ask('refused')
  const events = await gateway.user('refused').ledger.events({ types: ['provider_refusal'] })
  assert.deepEqual(
    events.map(({ data }) => data),
    [{ provider: 'first', model: 'a', code: 'policy' }],
  )
  assert.deepEqual(await gateway.user('refused').ledger.verify(), { ok: true, checked: events.length })
})

test('a user may set fallbacks among the models that are allowed, and an unknown provider is rejected', async () => {
  const { runtime } = gateway.user('eve')
  await assert.rejects(runtime.configure({ fallbacks: [{ provider: 'nothing', model: 'x' }] }), {
    code: 'provider_unknown',
  })
  await assert.rejects(runtime.configure({ fallbacks: [{ provider: 'second' } as never] }), {
    code: 'settings_invalid',
  })
  const settings = await runtime.configure({ fallbacks: [] })
  assert.deepEqual([settings.fallbacks, settings.origin.fallbacks], [[], 'user'])
  const response = await gateway.fetch('/v1/chat/completions', { messages: MESSAGES, user: 'eve' })
  assert.equal(response.status, 502)
})
