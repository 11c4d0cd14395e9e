import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ConnectionMessage, ConnectionReport, ConnectionServerOptions } from '../support/connection-server.ts'
import { type ConnectionState, createConnectionStates, openConnection } from '../support/connection-states.ts'
import { ADMIN_KEY, SERVICE_KEY, SOURCE_FLAGS } from '../support/processes.ts'

/*
 * Connections in every bad state: the server closes each by itself, whatever its client does, and none leaves memory
 * behind. `npm test` opens a few, with short timeouts; `npm run test:full` opens thousands at the same time, with the
 * timeouts of a real server. The tests wait for the ends of the connections.
 */

const isFullRun = process.env.PURSER_TEST_FULL === '1'
const TIMEOUTS = { headersMs: 1_000, requestMs: 1_500, checkMs: 50, inactivityMs: 2_000, keepAliveMs: 1_000 }
const STATES = createConnectionStates(SERVICE_KEY)
const PER_STATE = isFullRun ? 625 : 10
/** Connections of the run that warms up. */
const MAX_WARM_UP = 1_000
/** Connections that a process opens before it waits for the server to accept them. */
const BATCH = 100
const LONGEST_MS = 90_000
/** What the closed connections may leave behind: less than one socket needs. */
const LEFT_BYTES = 16_777_216 + 512 * PER_STATE * STATES.length

let upstream: Server
let server: ChildProcess
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
  const options: ConnectionServerOptions = {
    config: {
      store: 'memory:',
      providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'k', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      server: { port: 0, logLevel: 'silent', ...(isFullRun ? {} : { readerTimeoutMs: 1_000 }) },
    },
    keys: { service: SERVICE_KEY, admin: ADMIN_KEY },
    ...(isFullRun ? {} : { timeouts: TIMEOUTS }),
  }
  const program = fileURLToPath(new URL('../support/connection-server.ts', import.meta.url))
  server = fork(program, [JSON.stringify(options)], { execArgv: [...SOURCE_FLAGS, '--expose-gc'] })
  const [started] = (await once(server, 'message')) as [{ port: number }]
  port = started.port
})
after(async () => {
  server?.disconnect()
  if (server?.exitCode === null) await once(server, 'exit')
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

async function ask(message: ConnectionMessage): Promise<ConnectionReport> {
  server.send(message)
  const [report] = (await once(server, 'message')) as [ConnectionReport]
  return report
}

/** Opens connections and waits until the server has closed all of them. */
async function runConnections(states: readonly ConnectionState[]): Promise<ConnectionReport> {
  await ask({ kind: 'reset' })
  const sockets: Socket[] = []
  for (let at = 0; at < states.length; at += BATCH) {
    const batch = states.slice(at, at + BATCH)
    sockets.push(...(await Promise.all(batch.map((state) => openConnection(port, state)))))
  }
  const report = await ask({ kind: 'report', expected: states.length })
  for (const socket of sockets) socket.destroy()
  return report
}

test('the server closes connections in every bad state by itself, and they leave nothing behind', {
  timeout: 300_000,
}, async (t) => {
  const states = Array.from({ length: PER_STATE }, () => STATES).flat()
  // The first run also compiles code and fills pools, which stay.
  const before = await runConnections(states.slice(0, MAX_WARM_UP))
  const report = await runConnections(states)
  const toMb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
  t.diagnostic(`${states.length} connections, the longest open for ${(report.longestMs / 1_000).toFixed(1)} s`)
  t.diagnostic(`memory in use ${toMb(before.usedBytes)} before, ${toMb(report.usedBytes)} after`)
  t.diagnostic(`resident memory ${toMb(before.peakRssBytes)} before, ${toMb(report.peakRssBytes)} at most`)
  assert.ok(report.longestMs < LONGEST_MS, `${report.longestMs} ms`)
  assert.ok(report.usedBytes - before.usedBytes < LEFT_BYTES, `${before.usedBytes}, then ${report.usedBytes} bytes`)
  assert.deepEqual(report.inUse, [0], 'leases')
})

test('the upstream calls of streams that were not read have ended', async () => {
  assert.ok(upstreamCalls.length > 0)
  await Promise.all(upstreamCalls)
})

test('clients get their answer before the connection is closed', { timeout: 300_000 }, async () => {
  const expected = [
    ['half a head', 408],
    ['half a body, with a key', 408],
    ['no HTTP', 400],
    ['too large a head', 431],
    ['refused, half a body', 401],
    ['refused, a body without end', 401],
    ['a body without end for no route', 404],
    ['too large a body', 413],
  ] as const
  const answers = expected.map(async ([name, status]) => {
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
  })
  await Promise.all(answers)
})
