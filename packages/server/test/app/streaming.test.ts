import assert from 'node:assert/strict'
import { createServer as createHttpServer, type Server, type ServerResponse, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { CONNECTION_TIMEOUTS } from '../../src/app/connection-limits.ts'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import type { ConfigFile } from '../../src/index.ts'

/*
 * Every route that streams, over a socket and through `fetch()`, with every behavior of a reader: the connection ends,
 * the upstream call stops, the lease is released and the slot of the stream is given back.
 */

const KEYS = { service: 'service-key-of-the-streaming-tests', admin: 'admin-key-of-the-streaming-tests' }
const EVENT_STREAMS_PER_KEY = 25

let upstream: Server
let server: OpenServer
let url: string
/** Ends of the calls that the upstream received. */
const upstreamCalls: Promise<unknown>[] = []
let connections: Promise<unknown>[] = []

before(async () => {
  upstream = createHttpServer((request, response) => {
    upstreamCalls.push(untilClosed(response))
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      body += part
    })
    request.on('end', () => {
      // The first chunk never comes.
      if (body.includes('silent')) return
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (body.includes('endless')) writeWithoutEnd(response)
      else response.end(`${chunk('hi', null)}${chunk('', 'stop')}data: [DONE]\n\n`)
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const config = createConfig({ port: 0, readerTimeoutMs: 1_000 })
  server = await openServer({ config, keys: KEYS }, { ...CONNECTION_TIMEOUTS, inactivityMs: 1_500 })
  server.fastify.server.on('connection', (socket: Duplex) => connections.push(untilClosed(socket)))
  url = await server.listen()
  const { ledger } = server.context.purser.user('large')
  for (let count = 0; count < 200; count++) await ledger.addNote('n'.repeat(4_000), { actor: 'test' })
})
after(async () => {
  await server?.close()
  upstream?.closeAllConnections()
  await new Promise((resolve) => upstream?.close(resolve))
})

function createConfig(options: ConfigFile['server']): ConfigFile {
  const baseURL = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  return {
    store: 'memory:',
    providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'k', models: ['m'] } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    server: { logLevel: 'silent', ...options },
  }
}

const untilClosed = (stream: Duplex | ServerResponse): Promise<unknown> =>
  new Promise((resolve) => stream.once('close', resolve))

function chunk(content: string, finishReason: string | null): string {
  const choices = [{ index: 0, delta: { content }, finish_reason: finishReason }]
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n`
}

function writeWithoutEnd(response: ServerResponse): void {
  while (!response.destroyed && response.write(chunk('z'.repeat(10_000), null)));
  if (!response.destroyed) response.once('drain', () => writeWithoutEnd(response))
}

type Send = (path: string, init: RequestInit) => Promise<Response>

/** Unlike the global `fetch`, on a connection of its own. */
function sendOverSocket(path: string, { method, headers, body, signal }: RequestInit): Promise<Response> {
  return new Promise((resolve, reject) => {
    const options = { method: method ?? 'GET', headers: headers as Record<string, string>, agent: false as const }
    const call = sendRequest(`${url}${path}`, options)
    signal?.addEventListener('abort', () => call.destroy(signal.reason))
    call.on('error', reject).on('response', (message) => {
      resolve(new Response(Readable.toWeb(message) as unknown as ReadableStream, { status: message.statusCode ?? 0 }))
    })
    call.end(body)
  })
}

const SURFACES: Readonly<Record<string, Send>> = {
  'a socket': sendOverSocket,
  'fetch()': (path, init) => server.fetch(new Request(`http://purser.test${path}`, init)),
}

interface Route {
  readonly path: string
  /** The request; a chat asks for the answer that the behavior needs. */
  readonly init: (answer: 'finite' | 'endless' | 'silent') => RequestInit
  /** Makes the stream longer, while it is open. */
  readonly feed?: () => Promise<unknown>
  /** Whether it ends by itself. */
  readonly ends: boolean
}

const chat = (user: string) => (answer: string) => ({
  method: 'POST',
  headers: { authorization: `Bearer ${KEYS.service}`, 'content-type': 'application/json', 'x-purser-user': user },
  body: JSON.stringify({ stream: true, messages: [{ role: 'user', content: answer }] }),
})
const read = () => ({ headers: { authorization: `Bearer ${KEYS.admin}` } })

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /v1/chat/completions': { path: '/v1/chat/completions', init: chat('ada'), ends: true },
  'GET /api/users/:id/export': { path: '/api/users/large/export', init: read, ends: true },
  'GET /api/events': {
    path: '/api/events',
    init: read,
    feed: () => server.context.purser.user('noted').ledger.addNote('n', { actor: 'test' }),
    ends: false,
  },
}

type Behavior = (send: Send, route: Route) => Promise<unknown>

/** What readers do. Each resolves when the reader is done; the response may still be open then. */
const BEHAVIORS: Readonly<Record<string, Behavior>> = {
  reads: async (send, { path, init, ends, feed }) => {
    const response = await send(path, init('finite'))
    if (ends) return response.text()
    const reader = response.body?.getReader()
    await feed?.()
    for (let text = ''; !text.includes('event: ledger'); ) {
      const part = await reader?.read()
      assert.equal(part?.done, false, `${response.status}: the stream has ended`)
      text += Buffer.from(part.value ?? []).toString()
    }
    return reader?.cancel()
  },
  'cancels unread': async (send, { path, init }) => (await send(path, init('endless'))).body?.cancel(),
  'cancels after a chunk': async (send, { path, init }) => {
    const reader = (await send(path, init('endless'))).body?.getReader()
    await reader?.read()
    await reader?.cancel()
  },
  'breaks a loop': async (send, { path, init }) => {
    for await (const _ of (await send(path, init('endless'))).body ?? []) break
  },
  'aborts after a chunk': async (send, { path, init }) => {
    const abort = new AbortController()
    const reader = (await send(path, { ...init('endless'), signal: abort.signal })).body?.getReader()
    await reader?.read()
    abort.abort()
    // What was buffered can still be read.
    const readOn = async (): Promise<void> => {
      while ((await reader?.read())?.done === false);
    }
    await readOn().catch(() => undefined)
  },
  'aborts before the first chunk': async (send, { path, init }) => {
    const abort = new AbortController()
    const calls = upstreamCalls.length
    const response = send(path, { ...init('silent'), signal: abort.signal })
    response.catch(() => undefined)
    while (path.startsWith('/v1/') && upstreamCalls.length === calls) await new Promise(setImmediate)
    abort.abort(new Error('the reader has left'))
    if (path.startsWith('/v1/')) await assert.rejects(response, /the reader has left/)
    else await response.then(({ body }) => body?.cancel()).catch(() => undefined)
  },
}

/** All connections, upstream calls and leases of a behavior have ended, and there is a slot for a next stream. */
async function assertReleased(): Promise<void> {
  await Promise.all(connections)
  await Promise.all(upstreamCalls)
  for (const { inUse } of server.context.purser.runtime.active()) assert.equal(inUse, 0)
}

for (const [surface, send] of Object.entries(SURFACES)) {
  for (const [name, route] of Object.entries(ROUTES)) {
    for (const [behavior, run] of Object.entries(BEHAVIORS)) {
      test(`${name} over ${surface}: a reader that ${behavior}`, { timeout: 60_000 }, async () => {
        connections = []
        const count = route.path === '/api/events' ? EVENT_STREAMS_PER_KEY + 5 : 3
        for (let round = 0; round < count; round++) await run(send, route)
        await assertReleased()
      })
    }
  }
}

for (const [surface, send] of Object.entries(SURFACES)) {
  test(`a reader that leaves while its large request is read, parsed or sent, over ${surface}`, {
    timeout: 60_000,
  }, async () => {
    connections = []
    const init = chat('ada')(`silent ${'"'.repeat(1_000_000)}`)
    for (let turns = 1; turns < 60; turns += 2) {
      const abort = new AbortController()
      const response = send('/v1/chat/completions', { ...init, signal: abort.signal })
      response.catch(() => undefined)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      abort.abort(new Error('the reader has left'))
      await response.catch(() => undefined)
    }
    await Promise.all(connections)
    const { runtime } = server.context.purser
    while (runtime.active().some(({ inUse }) => inUse > 0)) await new Promise(setImmediate)
    await assertReleased()
  })
}

for (const [name, route] of Object.entries(ROUTES)) {
  test(`${name} over fetch(): a reader that never reads`, { timeout: 60_000 }, async () => {
    connections = []
    const responses = await Promise.all([1, 2, 3].map(() => server.fetch(createRequest(route))))
    let isOpen = true
    const released = assertReleased().finally(() => {
      isOpen = false
    })
    while (isOpen) {
      await route.feed?.()
      await new Promise(setImmediate)
    }
    await released
    for (const response of responses) assert.equal(response.status, 200)
  })
}

function createRequest({ path, init }: Route): Request {
  return new Request(`http://purser.test${path}`, init('endless'))
}

test('a stream that is not read over a socket ends, and the reader of the next one is not affected', async () => {
  connections = []
  const init = chat('ada')('endless')
  const responses = await Promise.all([1, 2, 3].map(() => sendOverSocket('/v1/chat/completions', init)))
  await assertReleased()
  for (const response of responses) assert.equal(response.status, 200)
  const next = await server.fetch(new Request(`${url}/v1/chat/completions`, chat('ada')('finite')))
  assert.match(await next.text(), /\[DONE\]/)
})

test('a user and a key have a limit of open streams, which counts only open ones', async () => {
  const limited = await openServer({ config: createConfig({ maxStreamsPerUser: 2, maxStreamsPerKey: 3 }), keys: KEYS })
  const open = (user: string): Promise<Response> =>
    limited.fetch(new Request('http://p/v1/chat/completions', chat(user)('endless')))
  const first = await Promise.all([open('ada'), open('ada')])
  const third = await open('ada')
  assert.deepEqual([third.status, third.headers.get('retry-after')], [429, '1'])
  assert.equal(((await third.json()) as { error: { code: string } }).error.code, 'rate_limit_exceeded')
  const other = await open('bob')
  assert.equal(other.status, 200)
  assert.equal((await open('cem')).status, 429)
  const ends = upstreamCalls.slice(-3)
  await Promise.all([...first, other].map((response) => response.body?.cancel()))
  await Promise.all(ends)
  assert.equal((await open('ada')).status, 200)
  limited.context.forceClose.abort(new Error('the test has ended'))
  await limited.close()
})
