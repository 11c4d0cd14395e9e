import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'
import {
  ADMIN_KEY,
  type Purser,
  SERVICE_KEY,
  startPurser,
  startUpstream,
  type Upstream,
} from '../../support/processes.ts'

let upstream: Upstream
let purser: Purser
let client: OpenAI

const QUESTION = 'what is this?'
const ANSWER = `alpha (m) says: ${QUESTION} ✓ "quoted" \u2028 end`
const MESSAGES = [
  { role: 'system' as const, content: 'You are the application.' },
  { role: 'user' as const, content: QUESTION },
]

before(async () => {
  upstream = await startUpstream('alpha')
  purser = await startPurser({
    providers: {
      local: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'upstream-key', models: ['m'] },
    },
    runtime: { defaults: { provider: 'local', model: 'm' } },
  })
  client = new OpenAI({ baseURL: purser.baseURL, apiKey: SERVICE_KEY, maxRetries: 0 })
  await purser.api('PUT', '/api/users/ada%40example.com/profile', { name: 'Ada Lovelace' })
  await purser.api('POST', '/api/users/ada%40example.com/actions', { action: 'opened the engine' })
})
beforeEach(() => upstream.reset())
after(async () => {
  await purser.stop()
  await upstream.stop()
})

/** Checks the last upstream request: the user's context follows the application's own text, and the raw id is absent. */
async function checkUpstreamRequest(): Promise<void> {
  const received = (await upstream.requests()).at(-1)
  assert.ok(received)
  assert.equal(received.authorization, 'Bearer upstream-key')
  const { model, messages, ...rest } = received.body
  assert.equal(model, 'm')
  assert.equal(messages.length, 2)
  const system = messages[0]?.content ?? ''
  assert.ok(system.startsWith('You are the application.'), system)
  assert.ok(system.indexOf('Ada Lovelace') > 0, system)
  assert.match(system, /opened the engine/)
  assert.deepEqual(messages[1], { role: 'user', content: QUESTION })
  assert.match(String(rest.safety_identifier), /^[0-9a-f]{64}$/)
  assert.ok(!('user' in rest))
  assert.ok(!JSON.stringify(received).includes('ada@example.com'))
}

test('the openai client gets the exact answer; the user comes from `user` in the body', async () => {
  const completion = await client.chat.completions.create({
    model: 'auto',
    messages: MESSAGES,
    user: 'ada@example.com',
  })
  assert.equal(completion.choices[0]?.message.content, ANSWER)
  assert.equal(completion.choices[0]?.finish_reason, 'stop')
  assert.equal(completion.usage?.total_tokens, 18)
  assert.equal(completion.model, 'auto')
  assert.ok(completion._request_id)
  await checkUpstreamRequest()
})

test('the openai client gets the exact answer as a stream; the user comes from a header', async () => {
  const stream = await client.chat.completions.create(
    { model: 'm', messages: MESSAGES, stream: true, stream_options: { include_usage: true } },
    { headers: { 'x-purser-user': 'ada@example.com' } },
  )
  let text = ''
  let total: number | undefined
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    total = chunk.usage?.total_tokens ?? total
  }
  assert.equal(text, ANSWER)
  assert.equal(total, 18)
  await checkUpstreamRequest()
})

test('the AI SDK gets the exact answer, as JSON and as a stream', async () => {
  const provider = createOpenAICompatible({
    name: 'purser',
    baseURL: purser.baseURL,
    apiKey: SERVICE_KEY,
    headers: { 'x-purser-user': 'ada@example.com' },
  })
  const question = {
    model: provider('auto'),
    instructions: 'You are the application.',
    prompt: QUESTION,
    maxRetries: 0,
  }
  const result = await generateText(question)
  assert.equal(result.text, ANSWER)
  await checkUpstreamRequest()
  const { textStream } = streamText(question)
  let text = ''
  for await (const part of textStream) text += part
  assert.equal(text, ANSWER)
  await checkUpstreamRequest()
})

test('without stream_options there is no usage chunk, and the stream ends with [DONE]', async () => {
  const response = await purser.chat({ messages: MESSAGES, stream: true, user: 'ada@example.com' })
  const text = await response.text()
  assert.ok(text.endsWith('data: [DONE]\n\n'))
  assert.ok(!text.includes('"choices":[]'))
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
})

test('a response has headers for request id, model, cache, context, overhead and rate limit', async () => {
  await purser.api('PUT', '/api/users/heads/cap', { cap: 5 })
  const { headers } = await purser.chat({ messages: MESSAGES, user: 'heads' }, { 'x-request-id': 'mine-1' })
  assert.equal(headers.get('x-request-id'), 'mine-1')
  assert.equal(headers.get('x-purser-model'), 'local/m')
  assert.equal(headers.get('x-purser-cache'), 'off')
  assert.match(headers.get('x-purser-context') ?? '', /^(fresh|stale|partial|default)$/)
  assert.ok(Number(headers.get('x-purser-overhead-ms')) < 1_000)
  assert.equal(headers.get('x-ratelimit-limit-requests'), '5')
  assert.equal(headers.get('x-ratelimit-remaining-requests'), '4')
  assert.match(headers.get('x-ratelimit-reset-requests') ?? '', /^(\d+h)?(\d+m)?\d+s$/)
})

test('/v1/models lists the allowed models, /v1/me returns the quota', async () => {
  const models = await client.models.list()
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['auto', 'm'],
  )
  const me = await fetch(`${purser.baseURL}/me`, {
    headers: { authorization: `Bearer ${SERVICE_KEY}`, 'x-purser-user': 'heads' },
  })
  const { user, cap, count, remaining } = (await me.json()) as Record<string, unknown>
  assert.deepEqual({ user, cap, count, remaining }, { user: 'heads', cap: 5, count: 1, remaining: 4 })
})

test('a user key acts for its own user, and naming another is 403', async () => {
  const { body } = await purser.api('POST', '/api/keys', { role: 'user', user: 'cara' })
  const own = new OpenAI({ baseURL: purser.baseURL, apiKey: (body as { key: string }).key, maxRetries: 0 })
  const completion = await own.chat.completions.create({ model: 'auto', messages: MESSAGES })
  assert.equal(completion.choices[0]?.message.content, ANSWER)
  assert.equal(((await purser.api('GET', '/api/users/cara/bond')).body as { dailyCount: number }).dailyCount, 1)
  const other = own.chat.completions.create({ model: 'auto', messages: MESSAGES, user: 'ada@example.com' })
  await assert.rejects(other, (error: InstanceType<typeof OpenAI.APIError>) => {
    return error.status === 403 && error.code === 'user_mismatch'
  })
})

test('an admin key is 403, a wrong key 401, and neither causes an upstream call', async () => {
  for (const [key, status] of [
    [ADMIN_KEY, 403],
    ['nonsense', 401],
  ] as const) {
    const refused = new OpenAI({ baseURL: purser.baseURL, apiKey: key, maxRetries: 0 })
    await assert.rejects(
      refused.chat.completions.create({ model: 'auto', messages: MESSAGES, user: 'x' }),
      (error: InstanceType<typeof OpenAI.APIError>) => error.status === status,
    )
  }
  assert.deepEqual(await upstream.requests(), [])
})
