import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Diagnostics, onDiagnostic } from 'purser'
import {
  lastBody,
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
} from '../../support/gateway-harness.ts'

// A limited rate opens no breaker, however often.
const down = await startFakeProvider((_, response) => sendJson(response, { error: { message: 'slow down' } }, 429))
const spare = await startFakeProvider((request, response) => {
  if (request.path === 'chat/completions') return sendChat(request, response, { content: 'From chat' })
  const usage = { prompt_tokens: 3, completion_tokens: 2, input_tokens: 3, output_tokens: 2, total_tokens: 5 }
  sendJson(response, { object: request.path, model: request.body?.model, output: [], content: [], data: [], usage })
})
const names = ['down', 'spare', 'chat', 'guarded'] as const
type Name = (typeof names)[number]
const providers = Object.fromEntries(
  names.map((name) => {
    const { baseURL } = name === 'down' ? down : spare
    return [name, { kind: name === 'chat' ? 'openai-compatible' : 'openai', baseURL, apiKey: 'k' } as const]
  }),
) as Record<Name, { kind: 'openai'; baseURL: string; apiKey: string }>
const gateway = await openGatewayHarness({
  providers: {
    ...providers,
    anthropic: { kind: 'anthropic', baseURL: spare.baseURL, apiKey: 'k' },
    refusing: { kind: 'openai', baseURL: 'http://127.0.0.1:1/v1', apiKey: 'k' },
  },
  prices: { 'spare/*': { input: '1000000', output: '1000000' } },
  runtime: { defaults: { provider: 'down', model: 'a' } },
  ledger: {
    limits: [
      { name: 'of-down', measure: 'turns', max: 100, window: 'day', models: ['down/*'] },
      { name: 'of-guarded', measure: 'turns', max: 1, window: 'day', models: ['guarded/*'] },
      { name: 'tokens', measure: 'tokens', max: 1_000_000, window: 'day' },
      { name: 'at-once', measure: 'concurrent', max: 2 },
    ],
  },
})

const REQUESTS: Readonly<Record<string, object>> = {
  embeddings: { input: 'Hi' },
  moderations: { input: 'Hi' },
  completions: { prompt: 'Hi' },
  'images/generations': { prompt: 'Hi' },
  'audio/speech': { input: 'Hi', voice: 'alloy' },
  responses: { input: 'Hi' },
}

function setFallbacks(user: string, ...fallbacks: string[]): Promise<unknown> {
  return gateway.user(user).runtime.configure({ fallbacks: fallbacks.map((provider) => ({ provider, model: 'b' })) })
}

async function usedOf(user: string): Promise<Record<string, [used: unknown, held: unknown]>> {
  const limits = await gateway.user(user).ledger.limits()
  return Object.fromEntries(limits.map(({ name, used, held }) => [name, [used, held]]))
}

for (const [endpoint, body] of Object.entries(REQUESTS)) {
  test(`a relayed request to ${endpoint} falls back before its first byte, counted once for the model that answers`, async () => {
    const user = `of ${endpoint}`
    await setFallbacks(user, 'spare')
    const response = await gateway.fetch(`/v1/${endpoint}`, body, { 'x-purser-user': user })
    assert.equal(response.status, 200)
    await response.text()
    assert.equal(response.headers.get('x-purser-model'), 'spare/b')
    assert.equal(response.headers.get('x-purser-attempts'), 'down/a=429, spare/b=200')
    assert.equal(lastBody(spare).model, 'b')
    assert.equal(spare.requests.at(-1)?.path, endpoint)
    assert.equal(await gateway.count(user), 1)
    assert.deepEqual(await usedOf(user), {
      daily: [1, 0],
      'of-down': [0, 0],
      'of-guarded': [0, 0],
      tokens: [5, 0],
      'at-once': [0, 0],
    })
  })
}

test('a fallback that a limit refuses is skipped, and nothing of it is counted', async () => {
  await setFallbacks('gil', 'guarded', 'spare')
  const ask = (): Promise<Response> => gateway.fetch('/v1/responses', REQUESTS.responses, { 'x-purser-user': 'gil' })
  const first = await ask()
  assert.equal(first.headers.get('x-purser-model'), 'guarded/b')
  await first.text()
  const second = await ask()
  assert.equal(second.headers.get('x-purser-model'), 'spare/b')
  assert.equal(second.headers.get('x-purser-attempts'), 'down/a=429, spare/b=200')
  await second.text()
  const used = await usedOf('gil')
  assert.deepEqual(
    [used.daily, used['of-down'], used['of-guarded']],
    [
      [2, 0],
      [0, 0],
      [1, 0],
    ],
  )
})

test('when every model fails or is refused, the error is the first one and nothing is counted', async () => {
  await setFallbacks('hal', 'guarded')
  spare.handle = (_, response) => sendJson(response, { error: { message: 'down' } }, 503)
  const failed = await gateway.fetch('/v1/embeddings', REQUESTS.embeddings, { 'x-purser-user': 'hal' })
  assert.equal(failed.status, 429)
  assert.deepEqual(await usedOf('hal'), {
    daily: [0, 0],
    'of-down': [0, 0],
    'of-guarded': [0, 0],
    tokens: [0, 0],
    'at-once': [0, 0],
  })
})

test('a relayed response falls back to a provider that has only chat completions, and the client sees no difference', async () => {
  await setFallbacks('ivy', 'chat')
  const response = await gateway.fetch(
    '/v1/responses',
    { input: 'Hi', stream: true, instructions: 'Be short.' },
    { 'x-purser-user': 'ivy' },
  )
  const text = await response.text()
  assert.match(text, /response\.created[\s\S]*From c[\s\S]*response\.completed/)
  assert.equal(response.headers.get('x-purser-attempts'), 'down/a=429, chat/b=200')
  assert.equal(lastBody(spare).stream, true)
  assert.equal((await usedOf('ivy')).tokens?.[0], 18)
})

test('a translated message falls back to a provider of its own format', async () => {
  await setFallbacks('joe', 'anthropic')
  spare.handle = ({ body }, response) => {
    const message = { id: 'm', type: 'message', role: 'assistant', model: body?.model, stop_reason: 'end_turn' }
    const usage = { input_tokens: 3, output_tokens: 2 }
    sendJson(response, { ...message, content: [{ type: 'text', text: 'From Anthropic' }], usage })
  }
  const response = await gateway.fetch(
    '/v1/messages',
    { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 9 },
    { 'x-purser-user': 'joe' },
  )
  const { content } = (await response.json()) as { content: { text: string }[] }
  assert.equal(content[0]?.text, 'From Anthropic')
})

test('a stream that has begun does not fall back', async () => {
  await setFallbacks('kim', 'spare')
  down.handle = (_, response) => sendEvents(response, [{ type: 'response.created', response: { id: 'r' } }])
  const response = await gateway.fetch('/v1/responses', { input: 'Hi', stream: true }, { 'x-purser-user': 'kim' })
  assert.match(await response.text(), /event: error/)
  assert.equal(spare.requests.length, 0)
})

test('the diagnostic of a turn names every attempt, also of a turn that failed', async () => {
  const turns: Diagnostics['turn'][] = []
  const unsubscribe = onDiagnostic('turn', (turn) => turns.push(turn))
  try {
    await setFallbacks('lea', 'spare')
    const send = (): Promise<Response> => gateway.fetch('/v1/responses', { input: 'Hi' }, { 'x-purser-user': 'lea' })
    await (await send()).text()
    spare.handle = (_, response) => sendJson(response, { error: { message: 'no' } }, 500)
    await (await send()).text()
  } finally {
    unsubscribe()
  }
  const attempts = turns.map((turn) => turn.attempts.map(({ provider, status, code }) => [provider, status, code]))
  assert.deepEqual(attempts, [
    [
      ['down', 429, 'upstream_rate_limited'],
      ['spare', 200, null],
    ],
    [
      ['down', 429, 'upstream_rate_limited'],
      ['spare', 500, 'upstream_failed'],
    ],
  ])
  assert.deepEqual(
    turns.map(({ outcome }) => outcome),
    ['completed', 'failed'],
  )
})

test('the repeat of a turn that fell back gets its answer and is not counted again', async () => {
  await setFallbacks('max', 'chat')
  const body = { messages: [{ role: 'user', content: 'Hi' }], user: 'max' }
  const ask = (): Promise<Response> => gateway.fetch('/v1/chat/completions', body, { 'idempotency-key': 'one' })
  const texts = [await (await ask()).text(), await (await ask()).text()]
  assert.equal(texts[0], texts[1])
  assert.equal(spare.requests.length, 1)
  const used = await usedOf('max')
  assert.deepEqual(
    [used.daily, used['of-down'], used.tokens, used['at-once']],
    [
      [1, 0],
      [0, 0],
      [18, 0],
      [0, 0],
    ],
  )
})

test('a recording falls back only where the provider before has read nothing of it', async () => {
  const send = async (user: string): Promise<Response> => {
    const form = new FormData()
    form.set('model', 'auto')
    form.set('file', new File([Buffer.alloc(300_000, 'abc')], 'a.wav'))
    const headers = { authorization: `Bearer ${gateway.key}`, 'x-purser-user': user }
    return fetch(`${gateway.url}/v1/audio/transcriptions`, { method: 'POST', headers, body: form })
  }
  await gateway.user('recording').runtime.configure({ provider: 'refusing', model: 'a' })
  await setFallbacks('recording', 'spare')
  const answered = await send('recording')
  assert.equal(answered.status, 200, await answered.text())
  assert.equal(answered.headers.get('x-purser-attempts'), 'refusing/a=upstream_failed, spare/b=200')
  const received = spare.requests.at(-1)
  assert.match(received?.text ?? '', /name="model"\r\n\r\nb\r\n/)
  assert.ok(received?.text.includes('abc'.repeat(100_000)))
  assert.equal(await gateway.count('recording'), 1)

  await setFallbacks('recorded', 'spare')
  const refused = await send('recorded')
  assert.equal(refused.status, 429, await refused.text())
  assert.equal(spare.requests.length, 1)
  assert.equal(await gateway.count('recorded'), 0)
})
