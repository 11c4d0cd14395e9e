import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, jsonSchema, streamText, tool } from 'ai'
import OpenAI from 'openai'
import type { ResponseStreamEvent } from 'openai/resources/responses/responses'
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
const TOOLS = [
  {
    type: 'function' as const,
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    strict: true,
  },
]

const upstream = await startFakeProvider((request, response) => sendChat(request, response, { content: 'Hello there' }))
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'upstream-key', models: ['m'] },
    openai: { kind: 'openai', baseURL: upstream.baseURL, apiKey: 'upstream-key', models: ['r'] },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r'] } },
})
await gateway.user('ada').profile.put({ name: 'Ada Lovelace' })
const client = new OpenAI({
  baseURL: `${gateway.url}/v1`,
  apiKey: gateway.key,
  maxRetries: 0,
  defaultHeaders: { 'x-purser-user': 'ada' },
})

/** What an answer says, without its id and its times. */
function contentOf(response: OpenAI.Responses.Response): unknown {
  const { id, created_at: _created, completed_at: _completed, output_text: _text, ...rest } = response
  const text = JSON.stringify(rest).replaceAll(id.replace('resp_', ''), 'ID')
  return JSON.parse(text)
}

test('a response is translated to a chat request, and its answer back', async () => {
  const response = await client.responses.create({
    model: 'auto',
    instructions: 'You are the application.',
    input: 'Hi',
    max_output_tokens: 50,
    temperature: 0.5,
    reasoning: { effort: 'low' },
  })
  assert.equal(response.output_text, 'Hello there')
  assert.equal(response.model, 'auto')
  assert.equal(response.status, 'completed')
  assert.deepEqual(response.usage, {
    input_tokens: 11,
    input_tokens_details: { cached_tokens: 3, cache_write_tokens: 0 },
    output_tokens: 7,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 18,
  })
  assert.equal((response as { store?: boolean }).store, false)
  const { messages, safety_identifier, ...rest } = lastBody(upstream)
  assert.match(String(safety_identifier), /^[0-9a-f]{64}$/)
  assert.deepEqual(rest, { model: 'm', max_tokens: 50, temperature: 0.5, reasoning_effort: 'low' })
  const [system, user] = messages as { role: string; content: string }[]
  assert.match(system?.content ?? '', /^You are the application\.\n\n.*Ada Lovelace/s)
  assert.deepEqual(user, { role: 'user', content: 'Hi' })
})

test('what a client assembles from the stream equals the answer that was not streamed', async () => {
  const answers: Record<string, unknown>[] = [
    { content: 'Hello there' },
    { reasoning_content: 'Let me think.', content: 'Done.' },
    { reasoning_content: 'Weather.', content: 'I will look.', tool_calls: CALLS },
    { refusal: 'I cannot do that.' },
    { tool_calls: CALLS },
  ]
  for (const message of answers) {
    for (const finish of ['stop', 'length']) {
      upstream.handle = (request, response) => sendChat(request, response, message, { finish })
      const request = { model: 'm', input: 'Hi', tools: TOOLS }
      const whole = await client.responses.create(request)
      const stream = client.responses.stream(request)
      const types: string[] = []
      const numbers: number[] = []
      for await (const event of stream) {
        types.push(event.type)
        numbers.push(event.sequence_number)
      }
      const assembled = await stream.finalResponse()
      const { output_parsed: _, ...final } = assembled as typeof assembled & { output_parsed?: unknown }
      const strip = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(value, (name, member) => (name.startsWith('parsed') ? undefined : member)))
      assert.deepEqual(strip(contentOf(final as typeof whole)), strip(contentOf(whole)))
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      )
      assert.deepEqual(types.slice(0, 2), ['response.created', 'response.in_progress'])
      assert.equal(types.at(-1), finish === 'stop' ? 'response.completed' : 'response.incomplete')
      assert.equal(types.filter((type) => type.endsWith('item.added')).length, whole.output.length)
      assert.equal(types.filter((type) => type.endsWith('item.done')).length, whole.output.length)
    }
  }
})

test('the output of a response is the input of the next one', async () => {
  upstream.handle = (request, response) =>
    sendChat(request, response, { reasoning_content: 'Hm.', content: 'I will look.', tool_calls: CALLS })
  const first = await client.responses.create({ model: 'm', input: 'Weather?', tools: TOOLS })
  await client.responses.create({
    model: 'm',
    tools: TOOLS,
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'Weather?' }] },
      ...(first.output as OpenAI.Responses.ResponseInputItem[]),
      { type: 'function_call_output', call_id: 'call_1', output: 'sun' },
      { type: 'function_call_output', call_id: 'call_2', output: [{ type: 'input_text', text: 'snow' }] },
    ],
    tool_choice: { type: 'function', name: 'weather' },
    text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true } },
  })
  const { messages, tools, tool_choice, response_format } = lastBody(upstream)
  assert.deepEqual((messages as object[]).slice(1), [
    { role: 'user', content: 'Weather?' },
    { role: 'assistant', content: 'I will look.', reasoning_content: 'Hm.', tool_calls: CALLS },
    { role: 'tool', tool_call_id: 'call_1', content: 'sun' },
    { role: 'tool', tool_call_id: 'call_2', content: 'snow' },
  ])
  const { type: _, ...definition } = TOOLS[0] ?? {}
  assert.deepEqual(tools, [{ type: 'function', function: definition }])
  assert.deepEqual(tool_choice, { type: 'function', function: { name: 'weather' } })
  const json_schema = { name: 'answer', schema: { type: 'object' }, strict: true }
  assert.deepEqual(response_format, { type: 'json_schema', json_schema })
})

test('images, files and audio become parts of a chat message', async () => {
  await client.responses.create({
    model: 'm',
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'See' },
          { type: 'input_image', image_url: 'data:image/png;base64,aGk=', detail: 'low' },
          { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,aGk=' },
        ],
      },
    ],
  })
  assert.deepEqual((lastBody(upstream).messages as { content: unknown }[]).at(-1)?.content, [
    { type: 'text', text: 'See' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=', detail: 'low' } },
    { type: 'file', file: { file_data: 'data:application/pdf;base64,aGk=', filename: 'a.pdf' } },
  ])
})

test('what cannot be translated or needs stored responses is a clear 400, and counts nothing', async () => {
  const before = await gateway.count('ada')
  const cases: [object, string, string][] = [
    [{ previous_response_id: 'resp_1' }, 'previous_response_not_found', 'previous_response_id'],
    [{ tools: [{ type: 'web_search' }] }, 'unsupported_parameter', 'tools[0]'],
    [{ conversation: 'conversation_1' }, 'unsupported_parameter', 'conversation'],
    [{ background: true }, 'unsupported_parameter', 'background'],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'previous_response_not_found', 'input[0]'],
    [{ input: 7 }, 'request_invalid', 'input'],
    [{ input: [] }, 'request_invalid', 'input'],
    [{ input: [{ role: 'tool', content: 'x' }] }, 'request_invalid', 'input[0].role'],
    [{ max_output_tokens: 'many' }, 'request_invalid', 'max_output_tokens'],
    [{ top_logprobs: -1 }, 'request_invalid', 'top_logprobs'],
  ]
  for (const [fields, code, param] of cases) {
    const response = await gateway.fetch('/v1/responses', { model: 'm', input: 'Hi', user: 'ada', ...fields })
    const { error } = (await response.json()) as { error: { code: string; param: string } }
    const expected = code === 'request_invalid' ? 'invalid_request_error' : code
    assert.deepEqual([response.status, error.code, error.param], [400, expected, param])
  }
  assert.equal(await gateway.count('ada'), before)
  assert.deepEqual(upstream.requests, [])
})

test('a stream that breaks ends with an error that clients throw', async () => {
  upstream.handle = ({ body }, response) => {
    const choices = [{ index: 0, delta: { content: 'Hel' }, finish_reason: null }]
    sendEvents(response, [{ id: 'c', object: 'chat.completion.chunk', created: 1, model: body?.model, choices }])
  }
  const stream = await client.responses.create({ model: 'm', input: 'Hi', stream: true })
  const events: ResponseStreamEvent[] = []
  await assert.rejects(async () => {
    for await (const event of stream) events.push(event)
  }, /cut its answer/)
  assert.equal(events.at(-1)?.type, 'response.output_text.delta')
})

const RELAYED = {
  id: 'resp_up',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model: 'r',
  output: [
    {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Relayed', annotations: [] }],
    },
  ],
  usage: { input_tokens: 9, output_tokens: 3, total_tokens: 12 },
}

test('a provider with the endpoint gets the request as it is, with the context, and its answer passes', async () => {
  upstream.handle = ({ body }, response) => {
    if (body?.stream !== true) return sendJson(response, RELAYED)
    const delta = { item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'Relayed', logprobs: [] }
    sendEvents(response, [
      { type: 'response.created', sequence_number: 0, response: { ...RELAYED, status: 'in_progress', output: [] } },
      { type: 'response.output_text.delta', sequence_number: 1, ...delta },
      { type: 'response.completed', sequence_number: 2, response: RELAYED },
    ])
  }
  const request = {
    model: 'openai/r',
    input: [
      { role: 'developer' as const, content: 'You are the application.' },
      { role: 'user' as const, content: 'Hi' },
    ],
    tools: [{ type: 'web_search' as const }],
  }
  const whole = await client.responses.create(request)
  assert.deepEqual([whole.output_text, whole.model, whole.id], ['Relayed', 'openai/r', 'resp_up'])
  const { input, store, model, tools } = lastBody(upstream)
  assert.deepEqual({ store, model, tools }, { store: false, model: 'r', tools: [{ type: 'web_search' }] })
  const [first, context, last] = input as { role: string; content: string }[]
  assert.equal(first?.content, 'You are the application.')
  assert.match(context?.content ?? '', /Ada Lovelace/)
  assert.equal(last?.content, 'Hi')
  const events: ResponseStreamEvent[] = []
  for await (const event of await client.responses.create({ ...request, stream: true })) events.push(event)
  const final = events.at(-1)
  assert.ok(final?.type === 'response.completed')
  assert.equal(final.response.model, 'openai/r')
  assert.equal(upstream.requests.at(-1)?.path, 'responses')
})

test('a relayed stream may begin with a comment or with a large event', async () => {
  const large = { ...RELAYED, output: [], instructions: 'x'.repeat(1_200_000) }
  for (const start of [
    ': waiting\n\n',
    `event: response.created\ndata: ${JSON.stringify({ type: 'response.created', response: large })}\n\n`,
  ]) {
    upstream.handle = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      await new Promise<void>((resolve) => response.write(start, () => resolve()))
      const last = { type: 'response.completed', sequence_number: 2, response: RELAYED }
      response.end(`event: response.completed\ndata: ${JSON.stringify(last)}\n\n`)
    }
    const events: ResponseStreamEvent[] = []
    const stream = await client.responses.create({ model: 'openai/r', input: 'Hi', stream: true })
    for await (const event of stream) events.push(event)
    assert.equal(events.at(-1)?.type, 'response.completed')
  }
})

test('a relayed stream that is cut ends with an error', async () => {
  upstream.handle = (_, response) =>
    sendEvents(response, [{ type: 'response.created', sequence_number: 0, response: { ...RELAYED, output: [] } }])
  const stream = await client.responses.create({ model: 'openai/r', input: 'Hi', stream: true })
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, /cut its answer/)
})

test("the AI SDK's default model of OpenAI works, with tools and as a stream", async () => {
  const provider = createOpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: gateway.key,
    headers: { 'x-purser-user': 'ada' },
  })
  const result = await generateText({ model: provider('m'), prompt: 'Hi', maxRetries: 0 })
  assert.equal(result.text, 'Hello there')
  assert.equal(result.usage.inputTokens, 11)
  upstream.handle = (request, response) => {
    const hasResult = ((request.body?.messages ?? []) as { role: string }[]).some(({ role }) => role === 'tool')
    sendChat(request, response, hasResult ? { content: 'It is sunny.' } : { tool_calls: CALLS.slice(0, 1) })
  }
  const steps = streamText({
    model: provider('m'),
    prompt: 'Weather?',
    maxRetries: 0,
    stopWhen: ({ steps: done }) => done.length >= 2,
    tools: {
      weather: tool({
        inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
        execute: ({ city }) => `sun in ${city}`,
      }),
    },
  })
  let text = ''
  for await (const part of steps.textStream) text += part
  assert.equal(text, 'It is sunny.')
  const toolMessage = (lastBody(upstream).messages as { role: string; content: string }[]).find(
    ({ role }) => role === 'tool',
  )
  assert.match(toolMessage?.content ?? '', /sun in Pune/)
})
