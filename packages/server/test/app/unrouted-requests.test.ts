import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { sendJson, startFakeProvider } from '../support/gateway-harness.ts'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

const ANSWER = {
  id: 'a',
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
}
const provider = await startFakeProvider((request, response) => {
  if (request.text.includes('fail')) sendJson(response, { error: { message: 'broken' } }, 500)
  else sendJson(response, ANSWER)
})

let harness: ServerHarness
let key: string
let viewerKey: string
let url: URL

before(async () => {
  harness = await openServerHarness({
    realTime: true,
    config: {
      providers: { local: { kind: 'openai-compatible', baseURL: provider.baseURL, apiKey: 'key', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      server: { bodyLimitBytes: 100_000 },
    },
  })
  key = await harness.createKey('service')
  viewerKey = await harness.createKey('viewer')
  url = new URL(await harness.server.listen({ port: 0, host: '127.0.0.1' }))
  await harness.user('eve').ledger.block({ actor: 'test', reason: 'test' })
})
after(() => harness[Symbol.asyncDispose]())

interface RawRequest {
  readonly path: string
  readonly headers: readonly string[]
  readonly body: string
}

/** Sends a request as it is, and returns its answer without what differs between two equal requests. */
function send({ path, headers, body }: RawRequest): Promise<string> {
  const lines = [`POST ${path} HTTP/1.1`, 'host: localhost', 'connection: close', 'x-request-id: r', ...headers]
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname)
    let text = ''
    socket.setEncoding('latin1').on('error', reject)
    socket.on('data', (part) => {
      text += part
    })
    socket.on('close', () => resolve(comparable(text)))
    socket.write(`${[...lines, `content-length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n${body}`)
  })
}

function comparable(answer: string): string {
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const [status, ...headers] = head.split('\r\n')
  const lines = headers
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .filter((line) => !/^(date|connection|x-purser-overhead-ms):/.test(line))
  return [status, ...lines.sort(), '', ...rest].join('\n')
}

const JSON_TYPE = 'content-type: application/json'
const message = (text: string, fields: object = {}): string =>
  JSON.stringify({ messages: [{ role: 'user', content: text }], ...fields })
const service = (): string => `authorization: Bearer ${key}`

/** What a server answers, with the status that it must have. */
const CASES: readonly [name: string, status: number, request: () => Omit<RawRequest, 'path'>][] = [
  ['an answer', 200, () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: message('Hello') })],
  ['a stream', 200, () => ({ headers: [service(), JSON_TYPE], body: message('Hi', { user: 'ada', stream: true }) })],
  [
    'a charset',
    200,
    () => ({ headers: [service(), `${JSON_TYPE}; charset=utf-8`, 'x-purser-user: ada'], body: message('Hello') }),
  ],
  [
    'a large body',
    200,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: message('x'.repeat(90_000)) }),
  ],
  ['a failing provider', 502, () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: message('fail') })],
  ['a refusal', 403, () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: eve'], body: message('Hello') })],
  ['no user', 400, () => ({ headers: [service(), JSON_TYPE], body: message('Hello') })],
  [
    'an invalid mode',
    400,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada', 'x-purser-mode: x'], body: message('Hello') }),
  ],
  [
    'an unknown preset',
    400,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada', 'x-purser-preset: x'], body: message('Hello') }),
  ],
  [
    'an unknown model',
    404,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: message('Hello', { model: 'x' }) }),
  ],
  ['a wrong key', 401, () => ({ headers: ['authorization: Bearer wrong', JSON_TYPE], body: message('Hello') })],
  [
    'a key without the scope',
    403,
    () => ({ headers: [`authorization: Bearer ${viewerKey}`, JSON_TYPE], body: message('Hello') }),
  ],
  [
    'a repeated header',
    400,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada', 'x-purser-user: eve'], body: message('Hello') }),
  ],
  ['no JSON', 400, () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: '{' })],
  ['no object', 400, () => ({ headers: [service(), JSON_TYPE], body: '[]' })],
  ['no body', 400, () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: '' })],
  [
    'a forbidden name',
    400,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: '{"messages":[{"__proto__":{}}]}' }),
  ],
  [
    'many levels',
    400,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: '['.repeat(1_001) + ']'.repeat(1_001) }),
  ],
  [
    'a body that is too large',
    413,
    () => ({ headers: [service(), JSON_TYPE, 'x-purser-user: ada'], body: message('x'.repeat(100_000)) }),
  ],
  ['an encoded body', 415, () => ({ headers: [service(), JSON_TYPE, 'content-encoding: gzip'], body: 'x' })],
  ['another media type', 415, () => ({ headers: [service(), 'content-type: text/plain'], body: message('Hello') })],
  ['an unknown expectation', 417, () => ({ headers: [service(), JSON_TYPE, 'expect: more'], body: message('Hello') })],
]

for (const path of ['/v1/chat/completions', '/v1/messages', '/v1/responses', '/v1/embeddings']) {
  test(`requests for ${path} have the same answers, whether Fastify routes them or not`, async () => {
    const { turnRoutes } = harness.context
    assert.deepEqual([turnRoutes.has(path), turnRoutes.has(`${path}?a=1`)], [true, false])
    for (const [name, status, create] of CASES) {
      const request = create()
      // With a query, Fastify routes a request.
      const [unrouted, routed] = [await send({ ...request, path }), await send({ ...request, path: `${path}?a=1` })]
      if (path === '/v1/chat/completions')
        assert.match(unrouted, new RegExp(`^HTTP/1.1 ${status} `), `${name}: ${unrouted}`)
      assert.equal(withoutIds(unrouted), withoutIds(routed), name)
    }
  })
}

function withoutIds(answer: string): string {
  return answer.replace(/(msg|resp|item|fc|rs)_[0-9a-f]+/g, '$1').replace(/"(created_at|completed_at)":\d+/g, '"$1":0')
}
