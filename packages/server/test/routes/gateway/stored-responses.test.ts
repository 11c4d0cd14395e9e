import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { generateText, type ModelMessage } from 'ai'
import OpenAI from 'openai'
import {
  lastBody,
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../../support/gateway-harness.ts'

const DAY_MS = 86_400_000
const upstream = await startFakeProvider((request, response) => {
  if (request.path === 'responses') sendResponse(request, response)
  else sendChat(request, response, { reasoning_content: 'Hm.', content: `Answer ${upstream.requests.length}` })
})
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k', models: ['m'] },
    openai: { kind: 'openai', baseURL: upstream.baseURL, apiKey: 'k', models: ['r'] },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r'] } },
  server: { keepResponses: { ttlMs: DAY_MS, maxPerUser: 5 } },
})
await gateway.user('ada').profile.put({ name: 'Ada Lovelace' })

type Send = Parameters<typeof sendJson>[0]

/** A response of a provider that has the endpoint. */
function sendResponse({ body }: UpstreamRequest, response: Send): void {
  const number = upstream.requests.length
  const text = { type: 'output_text', text: `Answer ${number}`, annotations: [], logprobs: [] }
  const output = [
    { type: 'reasoning', id: `rs_${number}`, summary: [] },
    { type: 'reasoning', id: `rs_sealed_${number}`, summary: [], encrypted_content: 'sealed' },
    { type: 'message', id: `msg_up_${number}`, role: 'assistant', status: 'completed', content: [text] },
  ]
  const { instructions = null, safety_identifier } = body ?? {}
  const header = { id: `resp_up_${number}`, object: 'response', created_at: 1_700_000_000, model: body?.model }
  const rest = { instructions, safety_identifier, store: false, previous_response_id: null, error: null }
  const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 }
  const whole = { ...header, ...rest, status: 'completed', output, usage }
  if (body?.stream !== true) {
    sendJson(response, whole)
    return
  }
  sendEvents(response, [
    {
      type: 'response.created',
      sequence_number: 0,
      response: { ...whole, status: 'in_progress', output: [], usage: null },
    },
    { type: 'response.output_item.done', sequence_number: 1, output_index: 2, item: output[2] },
    { type: 'response.completed', sequence_number: 2, response: whole },
  ])
}

/** Not in the types of the kit. */
function storeOf(response: object): unknown {
  return (response as { store?: unknown }).store
}

function clientOf(user: string): OpenAI {
  return new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: gateway.key,
    maxRetries: 0,
    defaultHeaders: { 'x-purser-user': user },
  })
}
const client = clientOf('ada')
/** What a provider got as the conversation, by its texts, without thoughts and the user's context. */
const textsOf = (items: unknown): string[] =>
  [...JSON.stringify(items).matchAll(/"(?:text|content)":"([^"]*)"/g)]
    .map(([, text = '']) => text)
    .filter((text) => text !== 'Hm.' && !/Lovelace|Current time/.test(text))

for (const model of ['chat/m', 'openai/r']) {
  test(`${model}: a response is stored, and a later request goes on with it`, async () => {
    const first = await client.responses.create({ model, input: 'One', instructions: 'Be brief.' })
    assert.match(first.id, /^resp_[0-9a-f]{32}$/)
    assert.deepEqual([storeOf(first), first.previous_response_id, first.model], [true, null, model])
    assert.equal(first.instructions, 'Be brief.')
    assert.deepEqual(await client.responses.retrieve(first.id), first)
    const second = await client.responses.create({ model, input: 'Two', previous_response_id: first.id, stream: true })
    const events: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const event of second) events.push(event)
    const [created, last] = [events[0], events.at(-1)]
    assert.ok(created?.type === 'response.created' && last?.type === 'response.completed')
    assert.equal(created.response.id, last.response.id)
    assert.deepEqual([storeOf(created.response), storeOf(last.response)], [true, true])
    assert.equal(last.response.previous_response_id, first.id)
    const { output_text: _, ...stored } = await client.responses.retrieve(last.response.id)
    assert.deepEqual(stored, last.response)
    const third = await client.responses.create({
      model,
      input: [{ role: 'user', content: 'Three' }],
      previous_response_id: last.response.id,
    })
    const { input, messages, previous_response_id, store } = lastBody(upstream)
    assert.equal(previous_response_id, undefined)
    assert.equal(store, model === 'openai/r' ? false : undefined)
    const texts = textsOf(input ?? messages)
    assert.deepEqual(texts, ['One', 'Answer 1', 'Two', 'Answer 2', 'Three'])
    assert.ok(!JSON.stringify(lastBody(upstream)).includes('Be brief.'))
    assert.equal(third.previous_response_id, last.response.id)
  })
}

test('a provider that stores nothing gets recalled items without ids, and no thoughts that it cannot read', async () => {
  const first = await client.responses.create({ model: 'openai/r', input: 'One' })
  await client.responses.create({ model: 'openai/r', input: 'Two', previous_response_id: first.id })
  const items = lastBody(upstream).input as { type: string; id?: string; encrypted_content?: string }[]
  assert.deepEqual(
    items.map(({ type, id, encrypted_content }) => [type, id, encrypted_content]),
    [
      ['message', undefined, undefined],
      ['reasoning', 'rs_sealed_1', 'sealed'],
      ['message', undefined, undefined],
      ['message', undefined, undefined],
    ],
  )
})

test('a response is found by its user only, until it is deleted, has expired or is not to be stored', async () => {
  const { id } = await client.responses.create({ model: 'm', input: 'Secret' })
  const bob = clientOf('bob')
  const missing = { status: 404, code: 'response_not_found' }
  await assert.rejects(bob.responses.retrieve(id), missing)
  await assert.rejects(bob.responses.delete(id), missing)
  await assert.rejects(bob.responses.create({ model: 'm', input: 'Hi', previous_response_id: id }), {
    status: 400,
    code: 'previous_response_not_found',
    param: 'previous_response_id',
  })
  assert.equal(await gateway.count('bob'), 0)
  assert.equal((await client.responses.retrieve(id)).id, id)
  await client.responses.delete(id)
  await assert.rejects(client.responses.retrieve(id), missing)
  await assert.rejects(client.responses.delete(id), missing)
  await assert.rejects(client.responses.create({ model: 'm', input: 'Hi', previous_response_id: id }), { status: 400 })

  const unkept = await client.responses.create({ model: 'm', input: 'Hi', store: false })
  assert.equal(storeOf(unkept), false)
  await assert.rejects(client.responses.retrieve(unkept.id), missing)

  const ids: string[] = []
  for (let count = 0; count < 7; count++) ids.push((await client.responses.create({ model: 'm', input: 'Hi' })).id)
  const found = await Promise.all(
    ids.map((one) =>
      client.responses.retrieve(one).then(
        () => true,
        () => false,
      ),
    ),
  )
  assert.deepEqual(found, [false, false, true, true, true, true, true])
})

test('an answer that fails, is cut or whose client leaves is not kept', async () => {
  const stored = async (): Promise<number> => {
    let count = 0
    for await (const { type } of gateway.user('eve').export()) if (type === 'response') count++
    return count
  }
  const eve = clientOf('eve')
  upstream.handle = (_, response) => sendJson(response, { error: { message: 'no' } }, 500)
  await assert.rejects(eve.responses.create({ model: 'm', input: 'Hi' }))
  upstream.handle = ({ body }, response) => {
    const failed = {
      id: 'r',
      object: 'response',
      model: body?.model,
      status: 'failed',
      output: [],
      error: { code: 'x' },
    }
    sendEvents(response, [
      { type: 'response.created', sequence_number: 0, response: { ...failed, status: 'in_progress', error: null } },
      { type: 'response.failed', sequence_number: 1, response: failed },
    ])
  }
  for await (const event of await eve.responses.create({ model: 'openai/r', input: 'Hi', stream: true }))
    if (event.type === 'response.failed') assert.equal(storeOf(event.response), false)
    else assert.equal(event.type, 'response.created')
  upstream.handle = (_, response) =>
    sendEvents(response, [{ type: 'response.created', sequence_number: 0, response: { id: 'r', object: 'response' } }])
  const cut = await eve.responses.create({ model: 'openai/r', input: 'Hi', stream: true })
  await assert.rejects(async () => {
    for await (const _ of cut);
  })
  assert.equal(await stored(), 0)
})

test('an erasure removes kept responses, counts them, and keeps nothing of an answer that ends later', async () => {
  const cat = clientOf('cat')
  const { id } = await cat.responses.create({ model: 'm', input: 'Hi' })
  const rows: unknown[] = []
  for await (const { type, value } of gateway.user('cat').export()) if (type === 'response') rows.push(value)
  assert.deepEqual(
    (rows as { id: string; input: unknown }[]).map((row) => [row.id, textsOf(row.input)]),
    [[id, ['Hi']]],
  )
  let finish = (): void => {}
  upstream.handle = (request, response) => {
    finish = () => sendChat(request, response, { content: 'Late' })
  }
  const pending = cat.responses.create({ model: 'm', input: 'Slow' })
  while (upstream.requests.length < 2) await new Promise((resolve) => setImmediate(resolve))
  const { erased } = await gateway.user('cat').erase({ actor: 'test', reason: 'asked' })
  assert.equal(erased.responses, 1)
  finish()
  const late = await pending
  assert.equal(storeOf(late), false)
  await assert.rejects(cat.responses.retrieve(late.id), { status: 404 })
  await assert.rejects(cat.responses.retrieve(id), { status: 404 })
})

test("the AI SDK's default model, which refers to items by their ids, has a conversation", async () => {
  for (const model of ['m', 'openai/r']) {
    const provider = createOpenAI({
      baseURL: `${gateway.url}/v1`,
      apiKey: gateway.key,
      headers: { 'x-purser-user': `sdk of ${model}` },
    })
    const messages: ModelMessage[] = []
    for (const content of ['One', 'Two', 'Three']) {
      messages.push({ role: 'user', content })
      const { responseMessages } = await generateText({ model: provider(model), messages, maxRetries: 0 })
      messages.push(...responseMessages)
    }
    const { input, messages: sent } = lastBody(upstream)
    const number = upstream.requests.length
    const texts = textsOf(input ?? sent)
    assert.deepEqual(texts, ['One', `Answer ${number - 2}`, 'Two', `Answer ${number - 1}`, 'Three'])
  }
})

test('kept responses survive a restart, and another server on the store finds them', async () => {
  const { id } = await client.responses.create({ model: 'm', input: 'Hi' })
  const { fastify, key } = gateway
  const get = await fastify.inject({
    method: 'GET',
    url: `/v1/responses/${id}`,
    headers: { authorization: `Bearer ${key}`, 'x-purser-user': 'ada' },
  })
  assert.equal(get.headers['cache-control'], 'private, no-store')
  assert.equal(get.json().id, id)
  const streamed = await fastify.inject({
    method: 'GET',
    url: `/v1/responses/${id}?stream=true`,
    headers: { authorization: `Bearer ${key}`, 'x-purser-user': 'ada' },
  })
  assert.deepEqual([streamed.statusCode, streamed.json().error.code], [400, 'unsupported_parameter'])
  const anonymous = await fastify.inject({
    method: 'GET',
    url: `/v1/responses/${id}`,
    headers: { authorization: `Bearer ${key}` },
  })
  assert.deepEqual([anonymous.statusCode, anonymous.json().error.code], [400, 'user_required'])
})

test('strange values of what refers to a response are clear errors', async () => {
  for (const [body, code, param] of [
    [{ input: 'x', previous_response_id: 5 }, 'invalid_request_error', 'previous_response_id'],
    [{ input: 'x', previous_response_id: 'resp_\0' }, 'previous_response_not_found', 'previous_response_id'],
    [{ input: 5 }, 'invalid_request_error', 'input'],
    [{ input: [{ type: 'item_reference', id: 'msg_x' }] }, 'previous_response_not_found', 'input[0]'],
    [{ input: 'x', conversation: 'conversation_1' }, 'unsupported_parameter', 'conversation'],
    [{ input: 'x', background: true }, 'unsupported_parameter', 'background'],
  ] as const) {
    for (const model of ['m', 'openai/r']) {
      const response = await gateway.fetch('/v1/responses', { model, ...body }, { 'x-purser-user': 'dan' })
      const { error } = (await response.json()) as { error: { code: string; param: string } }
      assert.deepEqual([response.status, error.code, error.param], [400, code, param])
    }
  }
  assert.equal(await gateway.count('dan'), 0)
})
