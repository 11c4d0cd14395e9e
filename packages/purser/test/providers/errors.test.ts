import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import {
  complete,
  createCall,
  failsWith,
  KINDS,
  messages,
  openProviderHarness,
  useHostileEnvironment,
} from '../support/provider-harness.ts'
import { openUpstream, sendEvents, sendJson, type UpstreamHandler } from '../support/provider-upstream.ts'
import { WIRE_FORMATS } from '../support/provider-wire-formats.ts'

useHostileEnvironment()

for (const kind of KINDS) {
  test(`${kind}: rejections, failures and rate limits of the upstream have the same codes as of every other kind`, async () => {
    await using harness = await openProviderHarness()
    const { upstream } = harness
    const { chat } = harness.build(harness.configure(kind, { apiKey: 'operator-key' }))
    const cases = {
      400: 'upstream_rejected',
      401: 'upstream_auth',
      429: 'upstream_rate_limited',
      500: 'upstream_failed',
    } as const
    for (const [status, code] of Object.entries(cases)) {
      const error = { message: 'No.', type: 't', code: 'c', status: 'S' }
      upstream.handler = (response) =>
        sendJson(response, Number(status), { error, message: 'No.', type: 'error' }, { 'retry-after': '3' })
      for (const stream of [true, false]) {
        await assert.rejects(
          complete(chat, stream),
          failsWith(code, ({ details }) => status !== '429' || details?.retryAfterMs === 3000),
        )
      }
    }
    assert.equal(upstream.requests.length, 8, 'no call is retried')
  })

  test(`${kind}: a key that the upstream quotes is redacted`, async () => {
    await using harness = await openProviderHarness({
      handler: (response) =>
        sendJson(response, 400, {
          error: { message: 'Wrong: operator-key', type: 't', code: 400, status: 'S' },
          message: 'Wrong: operator-key',
          type: 'error',
        }),
    })
    const { chat } = harness.build(harness.configure(kind, { apiKey: 'operator-key' }))
    await assert.rejects(
      complete(chat, false),
      failsWith('upstream_rejected', ({ message }) => message === 'Wrong: [redacted]'),
    )
  })

  test(`${kind}: a redirect is not followed, so that no key reaches its target`, async () => {
    await using target = await openUpstream(WIRE_FORMATS[kind]?.('hello'))
    await using harness = await openProviderHarness({
      handler: (response) => void response.writeHead(307, { location: `${target.url}/base` }).end(),
    })
    const { chat } = harness.build(harness.configure(kind, { apiKey: 'operator-key' }))
    for (const stream of [true, false]) await assert.rejects(complete(chat, stream), failsWith('upstream_failed'))
    assert.equal(target.requests.length, 0)
    assert.equal(harness.upstream.requests.length, 2)
  })

  test(`${kind}: other text, an empty body, a cut body and a cut stream are upstream_failed`, async () => {
    await using harness = await openProviderHarness()
    const { chat } = harness.build(harness.configure(kind, { apiKey: 'operator-key' }))
    const handlers: UpstreamHandler[] = [
      (response) => sendJson(response, 200, '<html>'),
      (response) => sendJson(response, 200, ''),
      (response) => sendJson(response, 200, '{"choices":'),
      (response) => void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
      (response) => {
        sendEvents(response, ['{"choices":['])
        response.end()
      },
    ]
    for (const handler of handlers) {
      harness.upstream.handler = handler
      for (const stream of [true, false]) await assert.rejects(complete(chat, stream), failsWith('upstream_failed'))
    }
  })

  test(`${kind}: an abort closes the socket, streamed or not`, async () => {
    await using harness = await openProviderHarness()
    const { chat } = harness.build(harness.configure(kind, { apiKey: 'operator-key' }))
    for (const stream of [true, false]) {
      const response = harness.upstream.nextResponse()
      const abort = new AbortController()
      const reason = new Error('aborted')
      const answer = chat.chat({ messages, stream }, createCall(abort.signal))
      const closed = once(await response, 'close')
      abort.abort(reason)
      await assert.rejects(answer, reason)
      await closed
    }
  })
}
