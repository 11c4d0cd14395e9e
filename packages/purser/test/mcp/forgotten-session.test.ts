import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { purserTools } from '../../src/ai-sdk/index.ts'
import { openPurser, type Purser } from '../../src/index.ts'

interface SessionServer extends AsyncDisposable {
  readonly purser: Purser
  readonly sessions: Set<string>
  /** What the server has handled: methods, and texts of tool calls. */
  readonly handled: string[]
  readonly headers: IncomingHttpHeaders[]
  /** Status of a request in an unknown session. */
  unknownStatus: number
  /** Whether a new session is forgotten at once. */
  forgetsAtOnce: boolean
  acceptsNew: boolean
}

/** An MCP server with sessions, and a Purser whose users may call it. */
async function openSessionServer(): Promise<SessionServer> {
  const listener = createServer(async (request, response) => {
    let text = ''
    for await (const piece of request) text += piece
    const reply = (status: number, body?: object, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body && JSON.stringify(body))
    if (request.method !== 'POST') return reply(request.method === 'DELETE' ? 200 : 405)
    const { id, method, params } = JSON.parse(text)
    server.headers.push(request.headers)
    if (method === 'initialize') {
      if (!server.acceptsNew) return reply(503)
      const session = `s${server.headers.length}`
      if (!server.forgetsAtOnce) server.sessions.add(session)
      server.handled.push(method)
      const result = {
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 's', version: '1' },
      }
      return reply(200, { jsonrpc: '2.0', id, result }, { 'mcp-session-id': session })
    }
    if (!server.sessions.has(String(request.headers['mcp-session-id']))) {
      const error = { code: -32_001, message: 'Session not found' }
      return reply(server.unknownStatus, { jsonrpc: '2.0', error, id: null })
    }
    if (id === undefined) return reply(202)
    server.handled.push(method)
    const result =
      method === 'tools/list'
        ? { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }
        : { content: [{ type: 'text', text: params.arguments.text }] }
    return reply(200, { jsonrpc: '2.0', id, result })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`
  const purser = await openPurser({
    store: 'memory:',
    mcpServers: { wiki: { url, headers: { 'x-team': 'blue' } } },
  })
  const server: SessionServer = {
    purser,
    sessions: new Set(),
    handled: [],
    headers: [],
    unknownStatus: 404,
    forgetsAtOnce: false,
    acceptsNew: true,
    async [Symbol.asyncDispose]() {
      await purser.close()
      listener.closeAllConnections()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
  return server
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? ''

test('a session that the server has forgotten is renewed, and the call is made once more', async () => {
  await using server = await openSessionServer()
  const tools = await purserTools(server.purser.user('ada'))
  for (let restart = 0; restart < 3; restart++) {
    server.sessions.clear()
    assert.equal(textOf(await tools.echo?.execute({ text: `call ${restart}` }, {})), `call ${restart}`)
    server.sessions.clear()
    assert.deepEqual(Object.keys(await purserTools(server.purser.user('ada'))), ['echo'])
  }
  assert.equal(server.handled.filter((method) => method === 'tools/call').length, 3, 'no call was handled twice')
  assert.equal(server.handled.filter((method) => method === 'initialize').length, 7)
  assert.ok(server.headers.every((headers) => headers['x-team'] === 'blue'))
  assert.equal(server.sessions.size, 1)
})

test('concurrent calls share one renewal', async () => {
  await using server = await openSessionServer()
  await using lease = await server.purser.user('ada').runtime.acquire()
  const client = await lease.mcp('wiki')
  server.sessions.clear()
  const texts = Array.from({ length: 20 }, (_, index) => `${index}`)
  const results = await Promise.all(texts.map((text) => client.callTool({ name: 'echo', arguments: { text } })))
  assert.deepEqual(results.map(textOf), texts)
  assert.equal(server.handled.filter((method) => method === 'initialize').length, 2)
  assert.equal(await lease.mcp('wiki'), client, 'the connection stays')
})

test('a call is made once more only after 404, and only once', async () => {
  await using server = await openSessionServer()
  const tools = await purserTools(server.purser.user('ada'))
  const cases = [
    () => {
      server.unknownStatus = 400
    },
    () => {
      server.unknownStatus = 404
      server.acceptsNew = false
    },
    () => {
      server.acceptsNew = true
      server.forgetsAtOnce = true
    },
  ]
  for (const prepare of cases) {
    server.forgetsAtOnce = false
    server.acceptsNew = true
    await tools.echo?.execute({ text: 'ok' }, {})
    prepare()
    server.sessions.clear()
    const before = server.handled.filter((method) => method === 'tools/call').length
    await assert.rejects(async () => tools.echo?.execute({ text: 'lost' }, {}), { code: 'mcp_unavailable' })
    assert.equal(server.handled.filter((method) => method === 'tools/call').length, before)
    server.forgetsAtOnce = false
    server.acceptsNew = true
    assert.equal(textOf(await tools.echo?.execute({ text: 'found' }, {})), 'found', 'the next call connects again')
  }
})
