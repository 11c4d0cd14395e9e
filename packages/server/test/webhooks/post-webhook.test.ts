import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
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
