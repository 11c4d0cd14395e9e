import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { lastBody, openGatewayHarness, sendChat, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

/*
 * Where a cached prompt ends (`cache_control`), in requests in Anthropic's format on their way to other providers. Those
 * that are not configured for it refuse the field.
 */

const upstream = await startFakeProvider((request, response) => sendChat(request, response, { content: 'Hello' }))
const common = { baseURL: upstream.baseURL, apiKey: 'upstream-key', models: ['m'] }
const bedrock = { kind: 'amazon-bedrock', baseURL: upstream.baseURL, apiKey: 'k', region: 'eu-central-1' } as const
const gateway = await openGatewayHarness({
  providers: {
    plain: { kind: 'openai-compatible', ...common },
    router: { kind: 'openai-compatible', ...common, cacheControl: true },
    openai: { kind: 'openai', ...common, endpoints: [] },
    friendli: { kind: 'friendli', ...common },
    claude: { kind: 'anthropic', ...common, endpoints: [] },
    aws: { ...bedrock, models: ['anthropic.claude'], cacheControl: true },
    'aws-plain': { ...bedrock, models: ['meta.llama'] },
  },
  runtime: {
    defaults: {
      provider: 'plain',
      model: 'm',
      allowedModels: [
        'plain/m',
        'router/m',
        'openai/m',
        'friendli/m',
        'claude/m',
        'aws/anthropic.claude',
        'aws-plain/meta.llama',
      ],
    },
  },
})
await gateway.user('ada').profile.put({ name: 'Ada Lovelace' })
const client = new Anthropic({
  baseURL: gateway.url,
  apiKey: gateway.key,
  maxRetries: 0,
  defaultHeaders: { 'x-purser-user': 'ada' },
})
beforeEach(() => {
  upstream.handle = (request, response) => sendChat(request, response, { content: 'Hello' })
})

const cached = { cache_control: { type: 'ephemeral' as const, ttl: '1h' as const } }
const tool: Anthropic.Tool = { name: 'f', input_schema: { type: 'object' } }

/** With an end of the cached prompt in everything that can have one. */
const REQUEST: Anthropic.MessageCreateParamsNonStreaming = {
  model: 'plain/m',
  max_tokens: 50,
  system: [
    { type: 'text', text: 'Rules.' },
    { type: 'text', text: 'Manual.', ...cached },
  ],
  tools: [tool, { ...tool, name: 'g', ...cached }],
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'Look.', ...cached }] },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.', ...cached },
        { type: 'tool_use', id: 'call_1', name: 'g', input: {}, ...cached },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'sun', ...cached }] },
  ],
}

const CALL = { id: 'call_1', type: 'function', function: { name: 'g', arguments: '{}' } }

test('a provider that accepts the ends of cached prompts gets them, with the context of the user behind the last one', async () => {
  await client.messages.create({ ...REQUEST, model: 'router/m', cache_control: cached.cache_control })
  const { messages, tools, cache_control } = lastBody(upstream)
  assert.deepEqual(cache_control, cached.cache_control)
  const functions = ['f', 'g'].map((name) => ({ name, parameters: { type: 'object' } }))
  assert.deepEqual(tools, [
    { type: 'function', function: functions[0] },
    { type: 'function', function: functions[1], ...cached },
  ])
  const context = (messages as { content: string }[]).at(-1)
  assert.match(String(context?.content), /Ada Lovelace/)
  assert.deepEqual(messages, [
    {
      role: 'system',
      content: [
        { type: 'text', text: 'Rules.' },
        { type: 'text', text: 'Manual.', ...cached },
      ],
    },
    { role: 'user', content: [{ type: 'text', text: 'Look.', ...cached }] },
    {
      role: 'assistant',
      content: [{ type: 'text', text: 'I look.', ...cached }],
      tool_calls: [{ ...CALL, ...cached }],
    },
    { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'sun', ...cached }] },
    { role: 'user', content: context?.content },
  ])
})

test('any other provider gets the request as if it had none, with the context of the user in the instructions', async () => {
  for (const model of ['plain/m', 'openai/m', 'friendli/m']) {
    await client.messages.create({ ...REQUEST, model, cache_control: cached.cache_control })
    const body = lastBody(upstream)
    assert.ok(!JSON.stringify(body).includes('cache_control'), model)
    const [instructions, ...others] = body.messages as { role: string; content: string }[]
    assert.match(instructions?.content ?? '', /^Rules\.\n\nManual\.\n\n.*Ada Lovelace/s, model)
    assert.deepEqual(
      others,
      [
        { role: 'user', content: 'Look.' },
        { role: 'assistant', content: 'I look.', tool_calls: [CALL] },
        { role: 'tool', tool_call_id: 'call_1', content: 'sun' },
      ],
      model,
    )
  }
})

test('a request for chat completions keeps the ends that its client has set', async () => {
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hi', ...cached }] }]
  for (const model of ['plain/m', 'router/m', 'openai/m', 'friendli/m']) {
    const response = await gateway.fetch('/v1/chat/completions', { model, messages, user: 'ada' })
    assert.equal(response.status, 200, await response.text())
    const [first, behind] = (lastBody(upstream).messages as { content: { text: string }[] }[])[0]?.content ?? []
    assert.deepEqual(first, messages[0]?.content[0], model)
    assert.match(behind?.text ?? '', /Ada Lovelace/, model)
  }
})

test('Anthropic and Bedrock get them through the AI SDK, each in its own words', async () => {
  upstream.handle = (_, response) => sendJson(response, {}, 400)
  const send = async (model: string): Promise<string> => {
    await assert.rejects(client.messages.create({ ...REQUEST, model }))
    return JSON.stringify(upstream.requests.at(-1)?.body)
  }
  const count = (text: string, part: string): number => text.split(part).length - 1
  // Anthropic allows four.
  assert.equal(count(await send('claude/m'), '"cache_control":{"type":"ephemeral","ttl":"1h"}'), 4)
  // Bedrock's package has none for tools.
  assert.equal(count(await send('aws/anthropic.claude'), '"cachePoint":{"type":"default","ttl":"1h"}'), 5)
  assert.equal(count(await send('aws-plain/meta.llama'), 'cachePoint'), 0)
})

test('the tokens that a provider has written to its cache are those of the answer', async () => {
  upstream.handle = ({ body }, response) =>
    sendJson(response, {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: body?.model,
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: 100,
        completion_tokens: 5,
        total_tokens: 105,
        prompt_tokens_details: { cached_tokens: 30, cache_write_tokens: 50 },
      },
    })
  const { usage } = await client.messages.create(REQUEST)
  const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = usage
  assert.deepEqual([input_tokens, cache_read_input_tokens, cache_creation_input_tokens], [20, 30, 50])
})
