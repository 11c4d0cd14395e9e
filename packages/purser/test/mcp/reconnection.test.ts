import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { createTools } from '../../src/mcp/index.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

/** An MCP server that ends every standby stream as soon as it is opened, and tells how often it was opened. */
async function startRestless(): Promise<{
  server: Server
  url: string
  opened: (count: number) => Promise<void>
  streams(): number
}> {
  let streams = 0
  let told: () => void = () => undefined
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      streams++
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': nothing to say\n\n', () => told())
    } else void answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    server,
    url: `http://127.0.0.1:${port}/mcp`,
    async opened(count) {
      while (streams < count) {
        await new Promise<void>((resolve) => {
          told = resolve
        })
      }
    },
    streams: () => streams,
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
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

test('R18: a server that closes idle streams at once is called back 5 times in a minute, then its client is broken', async () => {
  const { server, url, opened, streams } = await startRestless()
  const clock = handClock()
  const tools = createTools({ effects: clock })
  const live = await tools.open({ server: 'restless', definition: { url }, signal: new AbortController().signal })
  const broken = Promise.withResolvers<void>()
  live.onBroken(broken.resolve)
  for (let stream = 1; stream <= 6; stream++) {
    await opened(stream)
    while (clock.timers === 0 && stream < 6) await clock.pass(0)
    clock.advance(10_000)
  }
  await broken.promise
  await clock.pass(600_000)
  assert.equal(streams(), 6)
  await live.close()
  assert.equal(clock.timers, 0)
  server.closeAllConnections()
  server.close()
})
