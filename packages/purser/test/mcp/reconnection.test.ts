import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { createMcpConnector } from '../../src/mcp/index.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { listen } from '../support/authorization-server.ts'

/** An MCP server that ends every standby stream as soon as it is opened, and counts the streams. */
interface RestlessServer extends AsyncDisposable {
  readonly url: string
  readonly streams: number
  /** Resolves when that many streams were opened. */
  opened(count: number): Promise<void>
}

async function openRestlessServer(): Promise<RestlessServer> {
  let streams = 0
  let onStream: () => void = () => undefined
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      streams++
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': idle\n\n', () => onStream())
    } else void respond(request, response)
  })
  const origin = await listen(server)
  return {
    url: `${origin}/mcp`,
    get streams() {
      return streams
    },
    async opened(count) {
      while (streams < count) {
        await new Promise<void>((resolve) => {
          onStream = resolve
        })
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = ''
  for await (const chunk of request) body += chunk
  const message = body === '' ? {} : JSON.parse(body)
  if (message.id === undefined) {
    response.writeHead(202).end()
    return
  }
  const result = {
    protocolVersion: message.params.protocolVersion,
    capabilities: {},
    serverInfo: { name: 'restless', version: '1' },
  }
  response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'one' })
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }))
}

test('a stream that the server closes at once is reopened 5 times in a minute, then the connection is broken', async () => {
  await using server = await openRestlessServer()
  const clock = handClock()
  const connector = createMcpConnector({ effects: clock })
  const connection = await connector.connect({
    server: 'restless',
    definition: { url: server.url },
    signal: new AbortController().signal,
  })
  const broken = Promise.withResolvers<void>()
  connection.onBroken(broken.resolve)
  for (let stream = 1; stream <= 6; stream++) {
    await server.opened(stream)
    while (clock.timers === 0 && stream < 6) await clock.pass(0)
    clock.advance(10_000)
  }
  await broken.promise
  await clock.pass(600_000)
  assert.equal(server.streams, 6)
  await connection.close()
  assert.equal(clock.timers, 0)
})
