import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import {
  type GatewayHarness,
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../../support/gateway-harness.ts'

/*
 * Providers that fail in every way, on every endpoint: each request gets an answer or an error in the format of its endpoint,
 * nothing is left behind, and a fallback answers for a provider that fails before the first byte.
 */

/** Of what never comes. */
const TIMEOUT_MS = 400
/** One event of more than this is cut. */
const HUGE_EVENT_BYTES = 10_485_760
/** Of what does come, on a busy machine too. */
const LONG_TIMEOUT_MS = 60_000
/** Of the first byte when a provider never sends one and the spare does. */
const SPARE_TIMEOUT_MS = 5_000

const MESSAGES = [{ role: 'user', content: 'Hi' }]
const ENDPOINTS = [
  { path: 'chat/completions', model: 'chat/m', body: { messages: MESSAGES }, streams: true },
  { path: 'responses', model: 'chat/m', body: { input: 'Hi' }, streams: true },
  { path: 'responses', model: 'openai/r', body: { input: 'Hi' }, streams: true },
  { path: 'messages', model: 'chat/m', body: { messages: MESSAGES, max_tokens: 9 }, streams: true },
  { path: 'messages', model: 'claude/c', body: { messages: MESSAGES, max_tokens: 9 }, streams: true },
  { path: 'completions', model: 'chat/m', body: { prompt: 'Hi' }, streams: true },
  { path: 'embeddings', model: 'chat/m', body: { input: 'Hi' }, streams: false },
  { path: 'moderations', model: 'chat/m', body: { input: 'Hi' }, streams: false },
  { path: 'images/generations', model: 'chat/m', body: { prompt: 'Hi' }, streams: false },
  { path: 'audio/speech', model: 'chat/m', body: { input: 'Hi', voice: 'alloy' }, streams: false },
] as const
type Endpoint = (typeof ENDPOINTS)[number]

let fault: (request: UpstreamRequest, response: ServerResponse) => void = () => undefined
let openCalls = 0
const startFaulty = (run: typeof fault): ReturnType<typeof startFakeProvider> =>
  startFakeProvider((request, response) => {
    openCalls++
    response.on('close', () => openCalls--)
    response.on('error', () => undefined)
    run(request, response)
  })
const faulty = await startFaulty((request, response) => fault(request, response))
const spare = await startFakeProvider((request, response) => {
  if (request.path === 'chat/completions') sendChat(request, response, { content: 'From the spare' })
  else sendJson(response, { object: request.path, output: [], content: [], data: [] })
})
const createProviders = (baseURL: string) =>
  ({
    chat: { kind: 'openai-compatible', baseURL, apiKey: 'k' },
    openai: { kind: 'openai', baseURL, apiKey: 'k' },
    claude: { kind: 'anthropic', baseURL, apiKey: 'k' },
    spare: { kind: 'openai-compatible', baseURL: spare.baseURL, apiKey: 'k' },
  }) as const
const defaults = { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r', 'claude/c', 'spare/s'] }
const limits = [
  { name: 'output', measure: 'outputTokens', max: 1_000_000_000, window: 'total' },
  { name: 'at-once', measure: 'concurrent', max: 1_000 },
] as const

/** For one test: a breaker that has opened would answer the requests of the next. */
function open(
  { firstChunkTimeoutMs = LONG_TIMEOUT_MS, idleTimeoutMs = LONG_TIMEOUT_MS },
  { baseURL } = faulty,
): Promise<GatewayHarness> {
  const server = { firstChunkTimeoutMs, idleTimeoutMs }
  const providers = createProviders(baseURL)
  return openGatewayHarness({ providers, runtime: { defaults }, ledger: { limits: [...limits] }, server })
}

function head(response: ServerResponse, type = 'text/event-stream'): void {
  response.writeHead(200, { 'content-type': type })
}

function delta({ path }: UpstreamRequest): object {
  if (path === 'responses') return { type: 'response.output_text.delta', item_id: 'i', delta: 'Hel' }
  if (path === 'messages') return { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hel' } }
  const choices = [{ index: 0, text: 'Hel', delta: { content: 'Hel' }, finish_reason: null }]
  return { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices }
}

/** Faults before the first byte of an answer, with the status that the client gets. */
const EARLY: Readonly<Record<string, { readonly status: number; readonly run: typeof fault }>> = {
  'a provider that never answers': { status: 504, run: () => undefined },
  'a connection that is reset': { status: 502, run: (_, response) => response.destroy() },
  'a head without a body': { status: 504, run: (_, response) => head(response) },
  'a limit of the rate': {
    status: 429,
    run: (_, response) => sendJson(response, { error: { message: 'slow down' } }, 429),
  },
  'a failure with a page of HTML': {
    status: 502,
    run: (_, response) => response.writeHead(503, { 'content-type': 'text/html' }).end('<html>down</html>'),
  },
}

/** Faults inside of a stream. */
const LATE: Readonly<Record<string, typeof fault>> = {
  'a stream that stops': (request, response) => sendEvents(response, [delta(request)], { ends: false }),
  'a stream that is reset': (request, response) => {
    sendEvents(response, [delta(request)], { ends: false })
    setImmediate(() => response.destroy())
  },
  'a stream that ends early': (request, response) => sendEvents(response, [delta(request)]),
  'half a frame': (request, response) => {
    sendEvents(response, [delta(request)], { ends: false })
    response.end('data: {"choices":[{"ind')
  },
  'garbage between frames': (request, response) => {
    sendEvents(response, [delta(request)], { ends: false })
    response.end('\u0000\u0001 not an event\n\ndata: {]}\n\ndata: 5\n\n: \n\nevent: \n\n')
  },
  'an event of 10 MB': (request, response) => {
    sendEvents(response, [delta(request)], { ends: false })
    response.end(`data: {"huge":"${'x'.repeat(HUGE_EVENT_BYTES)}"}\n\n`)
  },
}

interface Sent {
  readonly endpoint: Endpoint
  readonly user: string
  readonly isStream: boolean
}

function send(gateway: GatewayHarness, { endpoint: { path, model, body }, user, isStream }: Sent): Promise<Response> {
  const stream = isStream ? { stream: true } : {}
  return gateway.fetch(`/v1/${path}`, { model, ...body, ...stream }, { 'x-purser-user': user })
}

/** An error in the format of the endpoint, as text of its body or of its last event. */
function assertError(text: string, { path }: Endpoint, where: string): void {
  const last = text.split('\n').findLast((line) => line.startsWith('data: ')) ?? `data: ${text}`
  const value = JSON.parse(last.slice(6)) as { type?: string; error?: { message?: string; code?: string } }
  assert.equal(typeof value.error?.message, 'string', where)
  assert.equal(typeof value.error?.code, 'string', where)
  if (path === 'messages') assert.equal(value.type, 'error', where)
}

async function assertNothingLeft(gateway: GatewayHarness, users: readonly string[]): Promise<void> {
  while (openCalls > 0) await new Promise((resolve) => setImmediate(resolve))
  const { purser } = gateway.context
  assert.deepEqual(
    purser.runtime.active().filter(({ inUse }) => inUse > 0),
    [],
  )
  for (const user of users) {
    const [output, atOnce] = (await gateway.user(user).ledger.limits()).filter(({ name }) => name !== 'daily')
    assert.deepEqual([output?.held, atOnce?.used], [0, 0], user)
  }
}

/** Each request of a user of its own. */
function requestsOf(name: string, streams: readonly boolean[]): readonly Sent[] {
  return ENDPOINTS.flatMap((endpoint) =>
    streams
      .filter((isStream) => endpoint.streams || !isStream)
      .map((isStream) => {
        const user = `${name}, ${endpoint.path} of ${endpoint.model}${isStream ? ', streamed' : ''}`
        return { endpoint, isStream, user }
      }),
  )
}

for (const [name, { status, run }] of Object.entries(EARLY)) {
  test(`${name}: every endpoint answers ${status} in its format, counts nothing and leaves nothing`, async () => {
    fault = run
    for (const requests of inGroups(requestsOf(name, [false, true]))) {
      const gateway = await open(status === 504 ? { firstChunkTimeoutMs: TIMEOUT_MS } : {})
      await Promise.all(
        requests.map(async (request) => {
          const { endpoint, user } = request
          const response = await send(gateway, request)
          const text = await response.text()
          assert.equal(response.status, status, `${user}: ${text}`)
          assertError(text, endpoint, user)
          assert.equal(await gateway.count(user), 0, user)
        }),
      )
      await assertNothingLeft(
        gateway,
        requests.map(({ user }) => user),
      )
    }
  })
}

/** Fewer requests than failures that open the breaker, which would answer otherwise. */
const GROUP_SIZE = 4

function inGroups(requests: readonly Sent[]): readonly (readonly Sent[])[] {
  const count = Math.ceil(requests.length / GROUP_SIZE)
  return Array.from({ length: count }, (_, index) => requests.slice(index * GROUP_SIZE, (index + 1) * GROUP_SIZE))
}

for (const [name, run] of Object.entries(LATE)) {
  test(`${name}: every stream ends with an error in its format, is counted and leaves nothing`, async () => {
    const gateway = await open(name === 'a stream that stops' ? { idleTimeoutMs: TIMEOUT_MS } : {})
    fault = run
    const requests = requestsOf(name, [true])
    for (const request of requests) {
      const { endpoint, user } = request
      const response = await send(gateway, request)
      const text = await response.text()
      assert.equal(response.status, 200, `${user}: ${text}`)
      // Completions have no last event, by which an end would be known to be early.
      const isCut = endpoint.path !== 'completions' || /stops|reset/.test(name)
      if (isCut) assertError(text, endpoint, `${user}: ${text.slice(0, 300)}`)
      assert.equal(await gateway.count(user), 1, user)
    }
    await assertNothingLeft(
      gateway,
      requests.map(({ user }) => user),
    )
  })
}

test('a fallback answers on every endpoint for a provider that fails before the first byte', async () => {
  const tries = Object.entries(EARLY).map(async ([name, { run }]) => {
    const gateway = await open({ firstChunkTimeoutMs: SPARE_TIMEOUT_MS }, await startFaulty(run))
    const requests = requestsOf(name, [false])
    await Promise.all(
      requests.map(async (request) => {
        const { user } = request
        await gateway.user(user).runtime.configure({ fallbacks: [{ provider: 'spare', model: 's' }] })
        const response = await send(gateway, request)
        assert.equal(response.status, 200, `${user}: ${await response.text()}`)
        assert.equal(response.headers.get('x-purser-model'), 'spare/s', user)
        assert.equal(await gateway.count(user), 1, user)
      }),
    )
    await assertNothingLeft(
      gateway,
      requests.map(({ user }) => user),
    )
  })
  await Promise.all(tries)
})
