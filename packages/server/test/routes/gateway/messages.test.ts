import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnthropic } from '@ai-sdk/anthropic'
import Anthropic from '@anthropic-ai/sdk'
import { generateText, streamText } from 'ai'
import {
  lastBody,
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
} from '../../support/gateway-harness.ts'

const CALLS = [
  { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Pune"}' } },
  { id: 'call_2', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
]
const TOOLS: Anthropic.Tool[] = [
  {
    name: 'weather',
    description: 'The weather of a city.',
    input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
]
const HI: Anthropic.MessageParam[] = [{ role: 'user', content: 'Hi' }]

const upstream = await startFakeProvider((request, response) => sendChat(request, response, { content: 'Hello there' }))
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'upstream-key', models: ['m'] },
    claude: { kind: 'anthropic', baseURL: upstream.baseURL, apiKey: 'anthropic-key', models: ['claude-x'] },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'claude/claude-x'] } },
})
await gateway.user('ada').profile.put({ name: 'Ada Lovelace' })
const client = new Anthropic({
  baseURL: gateway.url,
  apiKey: gateway.key,
  maxRetries: 0,
  defaultHeaders: { 'x-purser-user': 'ada' },
})

test('a message is translated to a chat request, and its answer back', async () => {
  const request = {
    model: 'auto',
    max_tokens: 50,
    system: 'You are the application.',
    messages: HI,
    stop_sequences: ['END'],
    temperature: 0.5,
    thinking: { type: 'enabled', budget_tokens: 1024 },
  } satisfies Record<string, unknown>
  const message = await client.messages.create(request as Anthropic.MessageCreateParamsNonStreaming)
  assert.deepEqual(message.content, [{ type: 'text', text: 'Hello there', citations: null }])
  assert.deepEqual([message.model, message.stop_reason], ['auto', 'end_turn'])
  const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage
  assert.deepEqual([input_tokens, cache_read_input_tokens, output_tokens], [8, 3, 7])
  const { messages, safety_identifier, ...rest } = lastBody(upstream)
  assert.match(String(safety_identifier), /^[0-9a-f]{64}$/)
  assert.deepEqual(rest, { model: 'm', max_tokens: 50, temperature: 0.5, stop: ['END'], reasoning_effort: 'low' })
  const [system, user] = messages as { content: string }[]
  assert.match(system?.content ?? '', /^You are the application\.\n\n.*Ada Lovelace/s)
  assert.deepEqual(user, { role: 'user', content: 'Hi' })
})

test('what a client assembles from the stream equals the answer that was not streamed', async () => {
  const answers: Record<string, unknown>[] = [
    { content: 'Hello there' },
    { reasoning_content: 'Let me think.', content: 'Done.' },
    { reasoning_content: 'Weather.', content: 'I will look.', tool_calls: CALLS },
    { refusal: 'I cannot do that.' },
  ]
  for (const answer of answers) {
    for (const finish of ['stop', 'length']) {
      upstream.handle = (request, response) => sendChat(request, response, answer, { finish })
      const request = { model: 'm', max_tokens: 50, messages: HI, tools: TOOLS }
      const { id: _id, ...whole } = await client.messages.create(request)
      const stream = client.messages.stream(request)
      const { id: _other, ...assembled } = await stream.finalMessage()
      const strip = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(value, (name, member) => (/^(parsed|stop_details)/.test(name) ? undefined : member)))
      assert.deepEqual(strip(assembled), strip(whole))
    }
  }
})

test('text behind calls and calls whose pieces alternate become blocks one after the other', async () => {
  const pieces = CALLS.map((call, index) => ({ ...call, index, function: { ...call.function, arguments: '{"city":' } }))
  const rests = ['"Pune"}', '"Oslo"}'].map((input, index) => ({ index, function: { arguments: input } }))
  const deltas = [...pieces, ...rests].map((piece) => ({ tool_calls: [piece] }))
  upstream.handle = ({ body }, response) => {
    const header = { id: 'c', object: 'chat.completion.chunk', created: 1, model: body?.model }
    const chunk = (delta: object, finish_reason: string | null = null): object => ({
      ...header,
      choices: [{ index: 0, delta, finish_reason }],
    })
    sendEvents(response, [
      ...deltas.slice(0, 3).map((delta) => chunk(delta)),
      chunk({ content: 'Behind.' }),
      ...deltas.slice(3).map((delta) => chunk(delta)),
      chunk({}, 'tool_calls'),
      '[DONE]',
    ])
  }
  const stream = client.messages.stream({ model: 'm', max_tokens: 50, messages: HI, tools: TOOLS })
  const { content, stop_reason } = await stream.finalMessage()
  assert.equal(stop_reason, 'tool_use')
  assert.deepEqual(content, [
    { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Pune' } },
    { type: 'tool_use', id: 'call_2', name: 'weather', input: { city: 'Oslo' } },
    { type: 'text', text: 'Behind.', citations: null },
  ])
})

test('the content of a message is the input of the next one', async () => {
  upstream.handle = (request, response) =>
    sendChat(request, response, { reasoning_content: 'Hm.', content: 'I will look.', tool_calls: CALLS })
  const first = await client.messages.create({ model: 'm', max_tokens: 50, messages: HI, tools: TOOLS })
  assert.equal(first.stop_reason, 'tool_use')
  await client.messages.create({
    model: 'm',
    max_tokens: 50,
    tools: TOOLS,
    tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true },
    messages: [
      ...HI,
      { role: 'assistant', content: first.content },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1', content: 'sun' },
          { type: 'tool_result', tool_use_id: 'call_2', is_error: true, content: [{ type: 'text', text: 'lost' }] },
          { type: 'text', text: 'And now?' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGk=' } },
        ],
      },
    ],
  })
  const { messages, tools, tool_choice, parallel_tool_calls } = lastBody(upstream)
  assert.deepEqual((messages as object[]).slice(1), [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'I will look.', reasoning_content: 'Hm.', tool_calls: CALLS },
    { role: 'tool', tool_call_id: 'call_1', content: 'sun' },
    { role: 'tool', tool_call_id: 'call_2', content: 'Error: lost' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'And now?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
      ],
    },
  ])
  const { input_schema: parameters, ...definition } = TOOLS[0] ?? {}
  assert.deepEqual(tools, [{ type: 'function', function: { ...definition, parameters } }])
  assert.deepEqual(tool_choice, { type: 'function', function: { name: 'weather' } })
  assert.equal(parallel_tool_calls, false)
})

const RELAYED = {
  id: 'msg_up',
  type: 'message',
  role: 'assistant',
  model: 'claude-x',
  content: [{ type: 'text', text: 'Relayed' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 9, output_tokens: 3 },
}

test("Anthropic's own endpoint gets the request as it is, with the context behind the last cached block", async () => {
  upstream.handle = ({ body }, response) => {
    if (body?.stream !== true) return sendJson(response, RELAYED)
    sendEvents(response, [
      { type: 'message_start', message: { ...RELAYED, content: [], stop_reason: null } },
      { type: 'ping' },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Relayed' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } },
      { type: 'message_stop' },
    ])
  }
  const cache_control = { type: 'ephemeral' as const }
  const request = {
    model: 'claude/claude-x',
    max_tokens: 50,
    system: [{ type: 'text' as const, text: 'You are the application.', cache_control }],
    messages: HI,
    metadata: { user_id: 'device-7' },
  }
  const options = { headers: { 'anthropic-beta': 'some-beta-1', 'anthropic-version': '2023-06-01' } }
  const whole = await client.messages.create(request, options)
  assert.deepEqual([whole.id, whole.model, whole.content[0]], ['msg_up', 'claude/claude-x', RELAYED.content[0]])
  const received = upstream.requests.at(-1)
  assert.equal(received?.path, 'messages')
  const { headers } = received ?? {}
  assert.deepEqual(
    [headers?.['x-api-key'], headers?.['anthropic-beta'], headers?.['anthropic-version']],
    ['anthropic-key', 'some-beta-1', '2023-06-01'],
  )
  const { system, metadata, messages } = lastBody(upstream)
  const [own, context] = system as { text: string; cache_control?: object }[]
  assert.deepEqual(own, request.system[0])
  assert.match(context?.text ?? '', /Ada Lovelace/)
  assert.equal(context?.cache_control, undefined)
  assert.deepEqual(messages, HI)
  assert.match((metadata as { user_id: string }).user_id, /^[0-9a-f]{64}$/)

  const content = [{ type: 'text' as const, text: 'Hi', cache_control }]
  const streamed = client.messages.stream({ ...request, messages: [{ role: 'user', content }] }, options)
  const final = await streamed.finalMessage()
  assert.equal(final.model, 'claude/claude-x')
  assert.deepEqual(lastBody(upstream).system, request.system)
  const [cached, behind] = (lastBody(upstream).messages as { content: { text: string }[] }[])[0]?.content ?? []
  assert.deepEqual(cached, content[0])
  assert.match(behind?.text ?? '', /Ada Lovelace/)
})

test("errors are in Anthropic's format, before and in a stream", async () => {
  const refused = new Anthropic({ baseURL: gateway.url, apiKey: 'wrong', maxRetries: 0 })
  await assert.rejects(
    refused.messages.create({ model: 'm', max_tokens: 5, messages: HI }),
    Anthropic.AuthenticationError,
  )
  await assert.rejects(client.messages.create({ model: 'nothing', max_tokens: 5, messages: HI }), (error: unknown) => {
    assert.ok(error instanceof Anthropic.NotFoundError)
    assert.deepEqual((error.error as { type: string; error: { type: string } }).error.type, 'not_found_error')
    return true
  })
  await gateway.user('capped').ledger.setDailyCap(1, { actor: 'test' })
  const headers = { 'x-purser-user': 'capped' }
  await client.messages.create({ model: 'm', max_tokens: 5, messages: HI }, { headers })
  await assert.rejects(
    client.messages.create({ model: 'm', max_tokens: 5, messages: HI }, { headers }),
    Anthropic.RateLimitError,
  )
  upstream.handle = ({ body }, response) => {
    const choices = [{ index: 0, delta: { content: 'Hel' }, finish_reason: null }]
    sendEvents(response, [{ id: 'c', object: 'chat.completion.chunk', created: 1, model: body?.model, choices }])
  }
  const stream = client.messages.stream({ model: 'm', max_tokens: 5, messages: HI })
  await assert.rejects(stream.finalMessage(), /cut its answer/)
})

test('tokens are counted by the provider, or estimated, and cost nothing', async () => {
  upstream.handle = (_, response) => sendJson(response, { input_tokens: 42 })
  const before = await gateway.count('ada')
  const counted = await client.messages.countTokens({ model: 'claude/claude-x', messages: HI })
  assert.equal(counted.input_tokens, 42)
  assert.equal(upstream.requests.at(-1)?.path, 'messages/count_tokens')
  const estimated = await client.messages.countTokens({ model: 'm', messages: HI })
  assert.ok(estimated.input_tokens > 0)
  assert.equal(upstream.requests.length, 1)
  for (const messages of [undefined, null, [], 'Hi']) {
    const response = await gateway.fetch('/v1/messages/count_tokens', {
      model: 'm',
      messages,
      metadata: { user_id: 'ada' },
    })
    assert.equal(response.status, 400)
    await response.text()
  }
  assert.equal(await gateway.count('ada'), before)
  await gateway.user('blocked').ledger.block({ actor: 'test', reason: 'abuse' })
  const headers = { 'x-purser-user': 'blocked' }
  await assert.rejects(
    client.messages.countTokens({ model: 'claude/claude-x', messages: HI }, { headers }),
    Anthropic.PermissionDeniedError,
  )
})

test('a user key needs no user, and the id that a client makes up is not taken for one', async () => {
  const key = await gateway.createKey('user')
  const own = new Anthropic({ baseURL: gateway.url, authToken: key, apiKey: null, maxRetries: 0 })
  const metadata = { user_id: '{"device_id":"7"}' }
  const message = await own.messages.create({ model: 'm', max_tokens: 5, messages: HI, metadata })
  assert.equal(message.stop_reason, 'end_turn')
  assert.ok(!JSON.stringify(upstream.requests.at(-1)?.body).includes('device_id'))
  await assert.rejects(
    own.messages.create({ model: 'm', max_tokens: 5, messages: HI }, { headers: { 'x-purser-user': 'eve' } }),
    Anthropic.PermissionDeniedError,
  )
})

test('the session of Claude Code is a session', async () => {
  await gateway.user('ada').runtime.startSession('code-7', { policy: 'pin' })
  const headers = { 'x-claude-code-session-id': 'code-7' }
  await client.messages.create({ model: 'auto', max_tokens: 5, messages: HI }, { headers })
  const [session] = await gateway.user('ada').runtime.sessions()
  assert.deepEqual(
    session?.models.map(({ model }) => model),
    ['m'],
  )
})

test('the AI SDK works with its provider of Anthropic', async () => {
  const provider = createAnthropic({
    baseURL: `${gateway.url}/v1`,
    apiKey: gateway.key,
    headers: { 'x-purser-user': 'ada' },
  })
  const result = await generateText({ model: provider('m'), prompt: 'Hi', maxRetries: 0 })
  assert.equal(result.text, 'Hello there')
  let text = ''
  for await (const part of streamText({ model: provider('m'), prompt: 'Hi', maxRetries: 0 }).textStream) text += part
  assert.equal(text, 'Hello there')
})
