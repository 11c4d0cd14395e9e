import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, mock, test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

interface LogLine {
  readonly level: number
  readonly msg: string
  readonly requestId?: string
  readonly [field: string]: unknown
}

const WARN = 40
const ERROR = 50

const chunk = (delta: object): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`

/** What the upstream does, by the last user message. */
const BEHAVIOR: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'cut a stream': (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunk({ content: 'a' }))
    setImmediate(() => response.destroy())
  },
  'fail with 500': (response) => response.writeHead(500).end('{"error":{"message":"no"}}'),
  'reject the key': (response) => response.writeHead(401).end('{"error":{"message":"no"}}'),
  'reject the request': (response) => response.writeHead(400).end('{"error":{"message":"no"}}'),
  'answer with something else': (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('x'),
}

const upstream = createServer(async (request, response) => {
  let text = ''
  for await (const part of request) text += part
  const { messages } = JSON.parse(text) as { messages: { content: string }[] }
  BEHAVIOR[messages.at(-1)?.content ?? '']?.(response)
})

let harness: ServerHarness
let url: string
let serviceKey: string

before(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const baseURL = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  harness = await openServerHarness({
    realTime: true,
    config: {
      providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'k', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      server: { logLevel: 'warn' },
    },
  })
  serviceKey = await harness.createKey('service')
  url = await harness.server.listen({ port: 0, host: '127.0.0.1' })
})
after(async () => {
  await harness[Symbol.asyncDispose]()
  upstream.closeAllConnections()
  upstream.close()
})

/** The log lines that are written while `run` is. */
async function captureLog(run: () => Promise<unknown>): Promise<LogLine[]> {
  let text = ''
  const write = mock.method(process.stderr, 'write', (part: string) => {
    text += part
    return true
  })
  try {
    await run()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    write.mock.restore()
  }
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)
}

async function chat(content: string, requestId: string, fields: object = {}): Promise<Response> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${serviceKey}`,
      'content-type': 'application/json',
      'x-purser-user': 'ada.secret',
      'x-request-id': requestId,
    },
    body: JSON.stringify({ messages: [{ role: 'user', content }], ...fields }),
  })
  await response.text()
  return response
}

test('a failed turn is one warning with request id, pseudonym, provider, model, code and duration', async () => {
  for (const [content, code] of [
    ['cut a stream', 'upstream_failed'],
    ['fail with 500', 'upstream_failed'],
    ['reject the key', 'upstream_auth'],
    ['reject the request', 'upstream_rejected'],
    ['answer with something else', 'upstream_failed'],
  ] as const) {
    for (const stream of [true, false]) {
      const requestId = `${content.replaceAll(' ', '-')}.${stream}`
      const lines = await captureLog(() => chat(content, requestId, { stream }))
      assert.equal(lines.length, 1, `${requestId}: ${JSON.stringify(lines)}`)
      const { level, user, provider, model, durationMs, ...line } = lines[0] as LogLine
      assert.deepEqual([level, line.requestId, line.code, provider, model], [WARN, requestId, code, 'local', 'm'])
      assert.equal(typeof durationMs, 'number')
      assert.match(String(user), /^[\w-]{32,}$/)
      assert.doesNotMatch(JSON.stringify(lines), /ada\.secret|reqId/)
    }
  }
})

test('a turn that fails before its provider is known is one warning, too', async () => {
  const lines = await captureLog(() => chat('x', 'unknown.model', { model: 'other/model' }))
  assert.deepEqual(
    lines.map(({ level, requestId, code, provider }) => [level, requestId, code, provider]),
    [[WARN, 'unknown.model', 'model_not_found', null]],
  )
})

test('a client that repeats a request that fails before it is counted gets 20 lines in a minute', async () => {
  const lines = await captureLog(async () => {
    for (let turn = 0; turn < 50; turn++) await chat('x', `repeated-${turn}`, { model: 'other/model' })
    await chat('fail with 500', 'counted')
  })
  const repeated = lines.filter(({ code }) => code === 'model_not_found')
  // A minute may have ended between two of them.
  assert.ok(repeated.length >= 19 && repeated.length <= 40, `${repeated.length} lines`)
  assert.ok(repeated.some(({ isLastOfMinute }) => isLastOfMinute === true))
  assert.equal(lines.at(-1)?.requestId, 'counted')
})

test('a refused turn and a request that is not a turn are no failures', async () => {
  const lines = await captureLog(async () => {
    await harness.user('ada.secret').ledger.block({ actor: 'test', reason: 'test' })
    assert.equal((await chat('fail with 500', 'blocked')).status, 403)
    await harness.user('ada.secret').ledger.unblock({ actor: 'test' })
    assert.equal((await chat('x', 'invalid', { messages: 3 })).status, 400)
  })
  assert.deepEqual(lines, [])
})

test('a fault of the server itself is one error with its stack, before and after the headers', async () => {
  const { purser } = harness.context
  const fault = new TypeError('broken in the middle')
  const failing = async function* (): AsyncGenerator<never> {
    yield await Promise.reject(fault)
  }
  const user = harness.user('ada.secret')
  const headers = { 'x-request-id': 'broken.1' }
  for (const [broken, run] of [
    [
      mock.method(user, 'export', failing),
      () => harness.call('GET', '/api/users/ada.secret/export', undefined, headers),
    ],
    [mock.method(purser, 'events', failing), () => harness.call('GET', '/api/events', undefined, headers)],
    [
      mock.method(purser, 'overview', () => Promise.reject(fault)),
      () => harness.call('GET', '/api/overview', undefined, headers),
    ],
  ] as const) {
    const lines = await captureLog(() => run().catch(() => undefined))
    broken.mock.restore()
    assert.equal(lines.length, 1, JSON.stringify(lines))
    const { level, requestId, code, err } = lines[0] as LogLine & { readonly err: { readonly stack: string } }
    assert.deepEqual([level, requestId, code], [ERROR, 'broken.1', 'internal_error'])
    assert.match(err.stack, /broken in the middle/)
  }
})
