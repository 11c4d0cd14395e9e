import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { PurserError } from '../../src/errors.ts'
import { ask, call, configOf, KINDS, messages, models, orderFor, withHostileEnvironment } from './model-requests.ts'
import { openUpstream, type Script, sendEvents, sendJson } from './upstream.ts'
import { SPEAKERS } from './wire-formats.ts'

withHostileEnvironment()

for (const kind of KINDS) {
  test(`${kind}: an upstream's refusals, failures and limits are told as every other's`, async () => {
    await using upstream = await openUpstream()
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    const cases = {
      400: 'upstream_rejected',
      401: 'upstream_auth',
      429: 'upstream_rate_limited',
      500: 'upstream_failed',
    }
    for (const [status, code] of Object.entries(cases)) {
      const error = { message: 'No.', type: 't', code: 'c', status: 'S' }
      upstream.script = (response) =>
        sendJson(response, Number(status), { error, message: 'No.', type: 'error' }, { 'retry-after': '3' })
      for (const stream of [true, false]) {
        await assert.rejects(ask(chat, stream), (thrown: unknown) => {
          assert.ok(PurserError.is(thrown), String(thrown))
          assert.equal(thrown.code, code)
          if (status === '429') assert.equal(thrown.details?.retryAfterMs, 3000)
          return true
        })
      }
    }
    assert.equal(upstream.seen.length, 8, 'no call is made twice')
  })

  test(`${kind}: a key that the upstream quotes back is not told on`, async () => {
    await using upstream = await openUpstream((response) => {
      sendJson(response, 400, {
        error: { message: 'Wrong: operator-key', type: 't', code: 400, status: 'S' },
        message: 'Wrong: operator-key',
        type: 'error',
      })
    })
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    await assert.rejects(ask(chat, false), (error: unknown) => {
      assert.ok(PurserError.is(error, 'upstream_rejected'))
      assert.equal(error.message, 'Wrong: [redacted]')
      return true
    })
  })

  test(`${kind}: a redirect is not followed, so no key goes where it points`, async () => {
    await using elsewhere = await openUpstream(SPEAKERS[kind]?.('hello'))
    await using upstream = await openUpstream((response) => {
      response.writeHead(307, { location: `${elsewhere.url}/base` }).end()
    })
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    for (const stream of [true, false]) {
      await assert.rejects(ask(chat, stream), (error: unknown) => PurserError.is(error, 'upstream_failed'))
    }
    assert.equal(elsewhere.seen.length, 0)
    assert.equal(upstream.seen.length, 2)
  })

  test(`${kind}: what is no answer is upstream_failed: other text, nothing, a cut body, a cut stream`, async () => {
    await using upstream = await openUpstream()
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    const scripts: Script[] = [
      (response) => sendJson(response, 200, '<html>'),
      (response) => sendJson(response, 200, ''),
      (response) => sendJson(response, 200, '{"choices":'),
      (response) => void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
      (response) => {
        sendEvents(response, ['{"choices":['])
        response.end()
      },
    ]
    for (const script of scripts) {
      upstream.script = script
      for (const stream of [true, false]) {
        await assert.rejects(ask(chat, stream), (error: unknown) => {
          assert.ok(PurserError.is(error), String(error))
          assert.equal(error.code, 'upstream_failed')
          return true
        })
      }
    }
  })

  test(`${kind}: an abort and a reader that leaves close the socket`, async () => {
    await using upstream = await openUpstream()
    const { chat } = models.build(orderFor('u', configOf(kind, upstream, { apiKey: 'operator-key' })))
    for (const stream of [true, false]) {
      const { promise, resolve } = Promise.withResolvers<ServerResponse>()
      upstream.script = (response) => resolve(response)
      const abort = new AbortController()
      const reason = new Error('gone')
      const answer = chat.chat({ messages, stream }, { ...call(), signal: abort.signal })
      const closed = once(await promise, 'close')
      abort.abort(reason)
      await assert.rejects(answer, reason)
      await closed
    }
  })
}
