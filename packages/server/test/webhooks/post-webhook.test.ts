import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type LookupFunction, type Socket } from 'node:net'
import { test } from 'node:test'
import { handClock } from 'purser/testing'
import { createPostWebhook, type WebhookResponse } from '../../src/webhooks/post-webhook.ts'
import { openWebhookReceiver } from '../support/webhook-receiver.ts'

const { signal } = new AbortController()
const request = { headers: {}, body: JSON.stringify({ data: { id: 'e' } }), signal }

/** Resolves every name to these addresses, and counts. */
function resolveTo(...addresses: string[]): { readonly lookup: LookupFunction; readonly calls: string[] } {
  const calls: string[] = []
  return {
    calls,
    lookup(host, _options, callback) {
      calls.push(host)
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
    },
  }
}

test('a name that resolves to a private address is not connected to', async () => {
  for (const addresses of [['127.0.0.1'], ['203.0.113.9', '10.0.0.1'], ['8.8.8.8', '::1'], ['::ffff:10.0.0.1'], []]) {
    const { lookup, calls } = resolveTo(...addresses)
    const post = createPostWebhook({ effects: handClock(), allowPrivate: false, lookup })
    const response = await post({ ...request, url: 'https://hooks.example.com/' })
    assert.deepEqual(response, { ok: false, status: null, error: 'host_not_allowed', retryAfterMs: null })
    assert.deepEqual(calls, ['hooks.example.com'])
  }
})

test('a URL that was allowed when it was stored is checked again before each request', async () => {
  await using receiver = await openWebhookReceiver()
  const post = createPostWebhook({ effects: handClock(), allowPrivate: false })
  const { error } = (await post({ ...request, url: receiver.url })) as WebhookResponse & { error?: string }
  assert.equal(error, 'argument_invalid')
  assert.equal(receiver.received.length, 0)
})

test('a receiver that never answers, or never ends its answer, is given 15 seconds', async () => {
  await using receiver = await openWebhookReceiver()
  const clock = handClock()
  const post = createPostWebhook({ effects: clock, allowPrivate: true })
  for (const answer of [
    () => undefined,
    (response) => response.writeHead(200).write('a'),
  ] as (typeof receiver.answer)[]) {
    receiver.answer = answer
    const pending = post({ ...request, url: receiver.url })
    await receiver.receive(receiver.received.length + 1)
    clock.advance(14_999)
    clock.advance(1)
    assert.deepEqual(await pending, { ok: false, status: null, error: 'timeout', retryAfterMs: null })
  }
  assert.equal(clock.timers, 0)
})

test('answers are read as outcomes', async () => {
  await using receiver = await openWebhookReceiver()
  const post = createPostWebhook({ effects: handClock(), allowPrivate: true })
  const cases: readonly (readonly [number, Record<string, string>, WebhookResponse])[] = [
    [200, {}, { ok: true, status: 200 }],
    [299, {}, { ok: true, status: 299 }],
    [301, { location: '/other' }, { ok: false, status: 301, error: 'status 301', retryAfterMs: null }],
    [429, { 'retry-after': '7' }, { ok: false, status: 429, error: 'status 429', retryAfterMs: 7_000 }],
    [503, { 'retry-after': 'soon' }, { ok: false, status: 503, error: 'status 503', retryAfterMs: null }],
  ]
  for (const [status, headers, expected] of cases) {
    receiver.answer = (response) => response.writeHead(status, headers).end()
    assert.deepEqual(await post({ ...request, url: receiver.url }), expected)
  }
})

test('every answer ends the request, also one that is no HTTP or another protocol', async () => {
  const failed = (error: string, status: number | null = null): WebhookResponse => ({
    ...{ ok: false, status, error, retryAfterMs: null },
  })
  const ok = 'HTTP/1.1 200 OK\r\n'
  const cases: readonly (readonly [(socket: Socket) => unknown, WebhookResponse])[] = [
    [
      (socket) => socket.write('HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
      failed('status 101', 101),
    ],
    [(socket) => socket.write('HTTP/1.1 101 Go\r\n\r\n'), failed('status 101', 101)],
    [(socket) => socket.end(), failed('ECONNRESET')],
    [(socket) => socket.end(ok), failed('ECONNRESET')],
    [(socket) => socket.end(`${ok}Content-Length: 10\r\n\r\nabc`), failed('ECONNRESET')],
    [(socket) => socket.end('SSH-2.0-x\r\n\r\n'), failed('HPE_INVALID_CONSTANT')],
    [(socket) => socket.write(`${ok}\r\n${'x'.repeat(20_000)}`), { ok: true, status: 200 }],
    [(socket) => socket.end(`${ok}\r\nto the end of the connection`), { ok: true, status: 200 }],
    [
      (socket) => socket.end(`${'HTTP/1.1 100 Go\r\n\r\n'.repeat(50)}HTTP/1.1 204 No\r\n\r\n`),
      { ok: true, status: 204 },
    ],
  ]
  for (const [answer, expected] of cases) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => answer(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const post = createPostWebhook({ effects: handClock(), allowPrivate: true })
    const { port } = server.address() as AddressInfo
    assert.deepEqual(await post({ ...request, url: `http://127.0.0.1:${port}/` }), expected)
    server.close()
  }
})
