import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import type { ConnectionTimeouts } from '../../src/app/connection-limits.ts'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import type { ConfigFile } from '../../src/index.ts'
import { createConnectionStates, openConnection } from '../support/connection-states.ts'

/*
 * Connections in every bad state: the server closes each by itself, whatever its client does. The timeouts are short,
 * and the tests wait for the ends of the connections.
 */

const TIMEOUTS: ConnectionTimeouts = {
  headersMs: 300,
  requestMs: 600,
  checkMs: 50,
  inactivityMs: 900,
  keepAliveMs: 300,
}
const KEYS = { service: 'service-key-of-the-connection-tests', admin: 'admin-key-of-the-connection-tests' }
const STATES = createConnectionStates(KEYS.service)
const PER_STATE = 10

let upstream: Server
let server: OpenServer
let port: number
/** Ends of the calls that the upstream received. */
const upstreamCalls: Promise<unknown>[] = []

before(async () => {
  upstream = createHttpServer((request, response) => {
    upstreamCalls.push(once(response, 'close'))
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      writeWithoutEnd(response, `data: ${JSON.stringify(createChunk('z'.repeat(60_000)))}\n\n`)
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const baseURL = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  const config: ConfigFile = {
    store: 'memory:',
    providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'k', models: ['m'] } },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    server: { port: 0, logLevel: 'silent', readerTimeoutMs: 400 },
  }
  server = await openServer({ config, keys: KEYS }, TIMEOUTS)
  port = Number(new URL(await server.listen()).port)
})
after(async () => {
  await server?.close()
  upstream?.closeAllConnections()
  await new Promise((resolve) => upstream?.close(resolve))
})

function writeWithoutEnd(response: ServerResponse, text: string): void {
  while (!response.destroyed && response.write(text));
  if (!response.destroyed) response.once('drain', () => writeWithoutEnd(response, text))
}

function createChunk(content: string): object {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }]
  return { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices }
}

test('the server closes connections in every bad state by itself', {
  timeout: 60_000,
  concurrency: STATES.length,
}, async (t) => {
  /** For the port of each client: the server's side of its connection is closed. */
  const ends = new Map<number, PromiseWithResolvers<unknown>>()
  const getEnd = (clientPort = 0): PromiseWithResolvers<unknown> => {
    const end = ends.get(clientPort) ?? Promise.withResolvers()
    ends.set(clientPort, end)
    return end
  }
  server.fastify.server.on('connection', (socket: Socket) => socket.once('close', getEnd(socket.remotePort).resolve))
  const startedAt = performance.now()
  const memoryBefore = process.memoryUsage.rss()
  const runs = STATES.map((state) =>
    t.test(state.name, async () => {
      const sockets = await Promise.all(Array.from({ length: PER_STATE }, () => openConnection(port, state)))
      await Promise.all(sockets.map(({ localPort }) => getEnd(localPort).promise))
      for (const socket of sockets) socket.destroy()
    }),
  )
  await Promise.all(runs)
  const elapsedMs = performance.now() - startedAt
  const grownBytes = process.memoryUsage.rss() - memoryBefore
  const count = STATES.length * PER_STATE
  t.diagnostic(`${count} connections closed after ${elapsedMs.toFixed(0)} ms, rss ${(grownBytes / 1e6).toFixed(0)} MB`)
})

test('the upstream calls of streams that were not read have ended, and their leases are released', async () => {
  assert.ok(upstreamCalls.length > 0)
  await Promise.all(upstreamCalls)
  assert.deepEqual(
    server.context.purser.runtime.active().map(({ inUse }) => inUse),
    [0],
  )
})

test('clients get their answer before the connection is closed', async () => {
  for (const [name, status] of [
    ['half a head', 408],
    ['half a body, with a key', 408],
    ['no HTTP', 400],
    ['too large a head', 431],
    ['refused, half a body', 401],
    ['refused, a body without end', 401],
    ['a body without end for no route', 404],
    ['too large a body', 413],
  ] as const) {
    const state = STATES.find((candidate) => candidate.name === name)
    assert.ok(state)
    const socket = await openConnection(port, { ...state, reads: true })
    let text = ''
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    await new Promise((resolve) => socket.once('end', resolve).once('close', resolve))
    socket.destroy()
    assert.match(text, new RegExp(`^HTTP/1.1 ${status} `), name)
    assert.equal(text.split('HTTP/1.1').length, 2, `${name}: one answer`)
  }
})
