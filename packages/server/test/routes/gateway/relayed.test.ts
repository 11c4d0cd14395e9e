import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import OpenAI from 'openai'
import { openGatewayHarness, sendChat, sendEvents, sendJson, startFakeProvider } from '../../support/gateway-harness.ts'

const HANDLERS: Record<string, Parameters<typeof startFakeProvider>[0]> = {
  embeddings: ({ body }, response) =>
    sendJson(response, {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.25, -1] }],
      model: body?.model,
      usage: { prompt_tokens: 5, total_tokens: 5 },
    }),
  moderations: ({ body }, response) =>
    sendJson(response, { id: 'modr-1', model: body?.model, results: [{ flagged: false, categories: {} }] }),
  completions({ body }, response) {
    const choice = { index: 0, text: 'one two', finish_reason: 'stop', logprobs: null }
    const header = { id: 'cmpl-1', object: 'text_completion', created: 1, model: body?.model }
    const usage = { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 }
    if (body?.stream !== true) return sendJson(response, { ...header, choices: [choice], usage })
    sendEvents(response, [
      { ...header, choices: [{ ...choice, text: 'one ', finish_reason: null }] },
      { ...header, choices: [{ ...choice, text: 'two' }] },
      { ...header, choices: [], usage },
      '[DONE]',
    ])
  },
  'images/generations': (_, response) =>
    sendJson(response, {
      created: 1,
      data: [{ b64_json: 'aGk=' }],
      usage: { input_tokens: 6, output_tokens: 200, total_tokens: 206 },
    }),
  'audio/speech'(_, response) {
    response.writeHead(200, { 'content-type': 'audio/mpeg' })
    response.write(Buffer.from([255, 251, 0]))
    response.end(Buffer.from([1, 2]))
  },
}

const upstream = await startFakeProvider((request, response) => HANDLERS[request.path]?.(request, response))
const gateway = await openGatewayHarness({
  providers: {
    local: {
      kind: 'openai-compatible',
      baseURL: upstream.baseURL,
      apiKey: 'upstream-key',
      models: ['m', 'e'],
      contextLengths: { m: 8_192 },
    },
    openai: { kind: 'openai', baseURL: upstream.baseURL, apiKey: 'upstream-key', models: ['r'] },
    demo: { kind: 'demo', models: ['d'] },
  },
  runtime: {
    defaults: { provider: 'local', model: 'm', allowedModels: ['local/m', 'local/e', 'openai/r', 'demo/d'] },
  },
  ledger: { limits: [{ name: 'tokens', measure: 'tokens', max: 100_000, window: 'day' }] },
})
const client = new OpenAI({
  baseURL: `${gateway.url}/v1`,
  apiKey: gateway.key,
  maxRetries: 0,
  defaultHeaders: { 'x-purser-user': 'ada@example.com' },
})

function lastRequest(): NonNullable<(typeof upstream.requests)[0]['body']> {
  const request = upstream.requests.at(-1)
  assert.ok(request?.body)
  assert.equal(request.headers.authorization, 'Bearer upstream-key')
  assert.ok(!request.text.includes('ada@example.com'))
  return request.body
}

test('embeddings are relayed with the model, a pseudonym and their tokens', async () => {
  const before = await gateway.count('ada@example.com')
  const result = await client.embeddings.create({
    model: 'e',
    input: 'hi',
    user: 'ada@example.com',
    encoding_format: 'float',
  })
  assert.deepEqual(result.data[0]?.embedding, [0.25, -1])
  assert.equal(result.model, 'e')
  const { model, input, user } = lastRequest()
  assert.deepEqual({ model, input }, { model: 'e', input: 'hi' })
  assert.match(String(user), /^[0-9a-f]{64}$/)
  assert.equal(await gateway.count('ada@example.com'), before + 1)
})

test('a text completion passes as JSON and as a stream, and echoes the requested model', async () => {
  const request = { model: 'auto', prompt: 'count' }
  const whole = await client.completions.create(request)
  assert.equal(whole.choices[0]?.text, 'one two')
  assert.equal(whole.model, 'auto')
  assert.equal(lastRequest().model, 'm')
  let text = ''
  for await (const chunk of await client.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.text ?? ''
    assert.equal(chunk.model, 'auto')
  }
  assert.equal(text, 'one two')
})

test('moderations and images pass without a field that they do not have', async () => {
  const moderation = await client.moderations.create({ model: 'm', input: 'hi' })
  assert.equal(moderation.results[0]?.flagged, false)
  assert.deepEqual(lastRequest(), { model: 'm', input: 'hi' })
  const image = await client.images.generate({ model: 'm', prompt: 'a cat' })
  assert.equal(image.data?.[0]?.b64_json, 'aGk=')
})

test('speech passes byte for byte', async () => {
  const speech = await client.audio.speech.create({ model: 'm', voice: 'alloy', input: 'hi' })
  assert.deepEqual([...new Uint8Array(await speech.arrayBuffer())], [255, 251, 0, 1, 2])
  assert.equal(speech.headers.get('content-type'), 'audio/mpeg')
  assert.equal(speech.headers.get('x-purser-model'), 'local/m')
})

test('an endpoint that the provider does not have is 400 unsupported_endpoint, and counts nothing', async () => {
  const before = await gateway.count('ada@example.com')
  await assert.rejects(client.embeddings.create({ model: 'demo/d', input: 'hi' }), {
    status: 400,
    code: 'unsupported_endpoint',
  })
  await assert.rejects(client.embeddings.create({ model: 'nothing', input: 'hi' }), {
    status: 404,
    code: 'model_not_found',
  })
  assert.equal(await gateway.count('ada@example.com'), before)
  assert.deepEqual(upstream.requests, [])
})

test('an error of the upstream is mapped, and gives the turn back', async () => {
  const before = await gateway.count('ada@example.com')
  HANDLERS.moderations = (_, response) => sendJson(response, { error: { message: 'broken' } }, 500)
  await assert.rejects(client.moderations.create({ model: 'm', input: 'hi' }), { status: 502, code: 'upstream_failed' })
  HANDLERS.moderations = (_, response) => sendJson(response, { error: { message: 'too long', code: 'long' } }, 400)
  await assert.rejects(client.moderations.create({ model: 'm', input: 'hi' }), { status: 400, code: 'long' })
  assert.equal(await gateway.count('ada@example.com'), before)
})

const ERROR = { message: 'The key upstream-key is at its limit', type: 'rate_limit_error' }

test('an error as the beginning of an answer fails the turn, which is given back, with any status and endpoint', async () => {
  const before = await gateway.count('ada@example.com')
  for (const [path, body, events] of [
    ['completions', { model: 'm', prompt: 'hi' }, [{ error: ERROR }]],
    ['responses', { model: 'openai/r', input: 'hi' }, [{ type: 'error', error: ERROR }]],
    ['responses', { model: 'openai/r', input: 'hi' }, [{ type: 'response.failed', response: { error: ERROR } }]],
  ] as const) {
    for (const stream of [true, false]) {
      HANDLERS[path] = (_, response) =>
        stream ? sendEvents(response, events) : sendJson(response, { object: path, error: ERROR })
      const response = await gateway.fetch(`/v1/${path}`, { ...body, stream }, { 'x-purser-user': 'ada@example.com' })
      const text = await response.text()
      assert.equal(response.status, 429, text)
      assert.doesNotMatch(text, /upstream-key/)
    }
  }
  assert.equal(await gateway.count('ada@example.com'), before)
})

test('an error later in an answer reaches the client without the key, and the turn has failed', async () => {
  const outcomes: unknown[] = []
  const onTurn = (message: unknown): void => void outcomes.push((message as { outcome: unknown }).outcome)
  subscribe('purser:turn', onTurn)
  for (const event of [
    { type: 'error', error: ERROR },
    { type: 'response.failed', response: { error: ERROR } },
  ]) {
    HANDLERS.responses = (_, response) =>
      sendEvents(response, [{ type: 'response.output_text.delta', delta: 'Hel' }, event])
    const body = { model: 'openai/r', input: 'hi', stream: true }
    const response = await gateway.fetch('/v1/responses', body, { 'x-purser-user': 'ada@example.com' })
    const text = await response.text()
    assert.equal(response.status, 200)
    assert.equal(text.match(/^event: /gm)?.length, 2, text)
    assert.match(text, /at its limit/)
    assert.doesNotMatch(text, /upstream-key|response\.completed/)
  }
  unsubscribe('purser:turn', onTurn)
  assert.deepEqual(outcomes, ['failed', 'failed'])
})

test('an event stream under another content type is one, and a body that is no JSON fails the turn', async () => {
  const headers = { 'x-purser-user': 'ada@example.com' }
  const events = ['created', 'completed'].map((name) => {
    const data = JSON.stringify({ type: `response.${name}`, response: { model: 'upstream', error: null } })
    return `event: response.${name}\ndata: ${data}\n\n`
  })
  for (const contentType of ['application/json', 'text/plain; charset=utf-8', 'application/octet-stream', undefined]) {
    HANDLERS.responses = (_, response) => {
      response.writeHead(200, contentType === undefined ? {} : { 'content-type': contentType })
      response.end(events.join(''))
    }
    const response = await gateway.fetch('/v1/responses', { model: 'openai/r', input: 'hi', stream: true }, headers)
    const text = await response.text()
    assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/event-stream'], text)
    assert.match(text, /"response.completed","response":\{"model":"openai\/r"/)
  }
  const before = await gateway.count('ada@example.com')
  for (const contentType of ['application/json', 'text/html', 'text/plain', 'text/event-stream', undefined]) {
    for (const body of ['', '<html>', 'null', '[1,2]', '{"response":{"model":']) {
      HANDLERS.responses = (_, response) => {
        response.writeHead(200, contentType === undefined ? {} : { 'content-type': contentType }).end(body)
      }
      // What declares itself an event stream is one, unless it is JSON.
      if (contentType === 'text/event-stream' && /^[<n]/.test(body)) continue
      const response = await gateway.fetch('/v1/responses', { model: 'openai/r', input: 'hi' }, headers)
      assert.equal(response.status, 502, `${contentType} ${body}`)
      assert.match(await response.text(), /upstream_failed/)
    }
  }
  HANDLERS.responses = (_, response) => void response.writeHead(204).end()
  assert.equal((await gateway.fetch('/v1/responses', { model: 'openai/r', input: 'hi' }, headers)).status, 502)
  for (const [contentType, body] of [
    ['text/html', '<html>Sign in'],
    ['audio/mpeg', ''],
  ] as const) {
    HANDLERS['audio/speech'] = (_, response) => void response.writeHead(200, { 'content-type': contentType }).end(body)
    const response = await gateway.fetch('/v1/audio/speech', { model: 'm', input: 'hi', voice: 'v' }, headers)
    assert.equal(response.status, 502, contentType)
  }
  assert.equal(await gateway.count('ada@example.com'), before)
})

test('a user who reached the cap is refused without an upstream call', async () => {
  await gateway.user('capped').ledger.setDailyCap(1, { actor: 'test' })
  const headers = { 'x-purser-user': 'capped' }
  await client.embeddings.create({ model: 'e', input: 'hi' }, { headers })
  await assert.rejects(client.embeddings.create({ model: 'e', input: 'hi' }, { headers }), {
    status: 429,
    code: 'insufficient_quota',
  })
  assert.equal(upstream.requests.length, 1)
})

test('a client that leaves ends the upstream call and keeps its turn counted', async () => {
  const left = Promise.withResolvers<void>()
  HANDLERS.completions = ({ body }, response) => {
    response.on('close', () => left.resolve())
    sendEvents(response, [{ model: body?.model, choices: [{ index: 0, text: 'one' }] }], { ends: false })
  }
  const before = await gateway.count('ada@example.com')
  const stream = await client.completions.create({ model: 'm', prompt: 'x', stream: true })
  for await (const _ of stream) stream.controller.abort()
  await left.promise
  assert.equal(upstream.aborted.length, 1)
  assert.equal(await gateway.count('ada@example.com'), before + 1)
})

test('a request that is repeated under its idempotency key calls the provider again and is counted again', async () => {
  const headers = { 'idempotency-key': 'once', 'x-purser-user': 'repeating' }
  await client.embeddings.create({ model: 'e', input: 'hi' }, { headers })
  await client.embeddings.create({ model: 'e', input: 'hi' }, { headers })
  assert.equal(upstream.requests.length, 2)
  assert.equal(await gateway.count('repeating'), 2)
  await assert.rejects(client.embeddings.create({ model: 'e', input: 'other' }, { headers }), { status: 422 })
})

test('the tokens of a relayed answer count against limits, and so do those of a translated one', async () => {
  const { ledger } = gateway.user('metered')
  const used = async (): Promise<unknown> => (await ledger.limits()).find(({ name }) => name === 'tokens')?.used
  const headers = { 'x-purser-user': 'metered' }
  await client.embeddings.create({ model: 'e', input: 'hi' }, { headers })
  assert.equal(await used(), 5)
  HANDLERS.responses = (_, response) =>
    sendJson(response, { object: 'response', output: [], usage: { input_tokens: 4, output_tokens: 3 } })
  await client.responses.create({ model: 'openai/r', input: 'hi' }, { headers })
  assert.equal(await used(), 12)
  HANDLERS['chat/completions'] = (request, response) => sendChat(request, response, { content: 'Hi' })
  await client.responses.create({ model: 'm', input: 'hi' }, { headers })
  assert.equal(await used(), 30)
})

test('a recording passes, whether the model comes before or behind it', async () => {
  HANDLERS['audio/transcriptions'] = (_, response) =>
    sendJson(response, {
      text: 'hello',
      usage: { type: 'tokens', input_tokens: 14, output_tokens: 2, total_tokens: 16 },
    })
  const bytes = Buffer.alloc(300_000, 'abc\r\n--')
  const file = new File([bytes], 'a "b".wav', { type: 'audio/wav' })
  for (const request of [
    { file, model: 'auto', language: 'en' },
    { model: 'auto', file, language: 'en' },
  ]) {
    const result = await client.audio.transcriptions.create(request)
    assert.equal(result.text, 'hello')
    const received = upstream.requests.at(-1)
    assert.equal(received?.headers['content-length'], undefined)
    const form = await new Response(Buffer.from(received?.text ?? '', 'latin1'), {
      headers: { 'content-type': received?.headers['content-type'] ?? '' },
    }).formData()
    assert.deepEqual([form.getAll('model'), form.get('language')], [['m'], 'en'])
    const sent = form.get('file')
    assert.ok(sent instanceof File)
    assert.deepEqual(Buffer.from(await sent.arrayBuffer()), bytes)
  }
})

test('a form that is cut, too large or no form is rejected, and gives its turn back', async () => {
  const before = await gateway.count('ada')
  const send = async (body: string, type = 'multipart/form-data; boundary=x'): Promise<number> => {
    const headers = { 'content-type': type, 'x-purser-user': 'ada' }
    const response = await gateway.fetch('/v1/audio/transcriptions', body, headers)
    await response.text()
    return response.status
  }
  const part = '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\n'
  assert.equal(await send(`${part}m`), 400)
  assert.equal(await send('no form at all'), 400)
  assert.equal(await send(`${part}${'m'.repeat(70_000)}\r\n--x--`), 400)
  assert.equal(await send(`${part}m\r\n--x--`, 'multipart/form-data'), 400)
  assert.equal(await send('{}', 'application/json'), 415)
  assert.equal(await send(`${part}m\r\n--x--`), 400)
  assert.equal(await send('--x--'), 400)
  const longName = `--x\r\ncontent-disposition: form-data; name="${'n'.repeat(9_000)}"\r\n\r\nv\r\n`
  assert.equal(await send(`${longName}${part}m\r\n--x--`), 400)
  assert.equal(await gateway.count('ada'), before)
  assert.equal(upstream.requests.length, 0)
})

test('a file that has only the extended form of a name passes byte for byte', async () => {
  HANDLERS['audio/transcriptions'] = (_, response) => sendJson(response, { text: 'hello' })
  const bytes = '\xff\xfe\x00binary'
  const head = '--x\r\ncontent-disposition: form-data; name="file"; filename*=UTF-8\'\'a.wav\r\n\r\n'
  const response = await fetch(`${gateway.url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${gateway.key}`,
      'content-type': 'multipart/form-data; boundary=x',
      'x-purser-user': 'ada',
    },
    body: Buffer.from(`${head}${bytes}\r\n--x--\r\n`, 'latin1'),
  })
  assert.equal(response.status, 200)
  assert.ok(upstream.requests.at(-1)?.text.includes(bytes))
})

test('/v1/models lists auto, and every configured model without a user', async () => {
  const list = async (headers: Record<string, string>): Promise<string[]> => {
    const response = await fetch(`${gateway.url}/v1/models`, { headers: { 'x-api-key': gateway.key, ...headers } })
    return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id)
  }
  assert.deepEqual(await list({}), ['auto', 'm', 'e', 'openai/r', 'demo/d'])
  assert.deepEqual(await list({ 'x-purser-user': 'ada@example.com' }), ['auto', 'm', 'e', 'openai/r', 'demo/d'])
  const model = await client.models.retrieve('demo/d')
  assert.deepEqual([model.id, model.owned_by], ['demo/d', 'demo'])
  const lengths = await Promise.all(
    ['m', 'demo/d'].map(async (id) => (await client.models.retrieve(id)) as { context_length?: number }),
  )
  assert.deepEqual(
    lengths.map((one) => one.context_length),
    [8_192, undefined],
  )
  for (const id of ['local/m', 'purser']) assert.equal((await client.models.retrieve(id)).id, id)
  for (const id of ['nothing', 'openai/m', 'purser/auto', 'demo/demo/d'])
    await assert.rejects(client.models.retrieve(id), { status: 404, code: 'model_not_found' }, id)
})
