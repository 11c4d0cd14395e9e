import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ErrorCode } from '../../src/errors.ts'
import {
  chunksOf,
  createCall,
  failsWith,
  messages,
  openProviderHarness,
  readChunks,
} from '../support/provider-harness.ts'
import { chunkWith, completionWith, sendEvents, sendJson, usageChunk } from '../support/provider-upstream.ts'

const streamRequest = { messages, model: 'm', stream: true }

test('a completion is passed on as the upstream wrote it, requested with the key of the call', async () => {
  const text = completionWith('hi').replace('{', '{ "vendor" : 1,')
  await using harness = await openProviderHarness({ handler: (response) => sendJson(response, 200, text) })
  const model = harness.createHttpModel({ path: '/v1/?version=2' })
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
  assert.deepEqual(await model.chat({ messages, seed: 7 }, createCall()), { kind: 'completion', text, usage })
  const [request] = harness.upstream.requests
  assert.equal(request?.path, '/v1/chat/completions?version=2')
  assert.equal(request?.headers.authorization, 'Bearer sk-user')
  assert.equal(request?.headers['x-extra'], 'yes')
  assert.deepEqual(JSON.parse(request?.body ?? ''), { messages, seed: 7, model: 'm' })
})

test('chunks are passed on as the upstream wrote them, with the usage that is always requested and without [DONE]', async () => {
  await using harness = await openProviderHarness()
  const request = { ...streamRequest, stream_options: { include_obfuscation: false } }
  assert.deepEqual(await readChunks(await harness.createHttpModel().chat(request, createCall())), [
    chunkWith({ role: 'assistant', content: 'hello' }),
    chunkWith({}, 'stop'),
    usageChunk,
  ])
  const body = JSON.parse(harness.upstream.requests[0]?.body ?? '')
  assert.deepEqual(body.stream_options, { include_obfuscation: false, include_usage: true })
})

test('calls with different keys share sockets, and complete answers leave no timer', async () => {
  await using harness = await openProviderHarness()
  for (const apiKey of ['a', 'b', 'c', 'd']) {
    const model = harness.createHttpModel({ apiKey })
    await readChunks(await model.chat(streamRequest, createCall()))
    await model.chat({ messages }, createCall())
  }
  const { requests, sockets } = harness.upstream
  assert.deepEqual(
    requests.map(({ headers }) => headers.authorization),
    [...'aabbccdd'].map((key) => `Bearer ${key}`),
  )
  assert.ok(sockets.size < 4, `${sockets.size} sockets for 8 calls`)
  assert.equal(harness.clock.timers, 0)
})

test('a stream that is cut without [DONE] and finish reason throws after its chunks', async () => {
  await using harness = await openProviderHarness()
  for (const cut of ['end', 'destroy'] as const) {
    harness.upstream.handler = (response) => {
      sendEvents(response, [chunkWith({ content: 'a' })])
      setImmediate(() => response[cut]())
    }
    const chunks = chunksOf(await harness.createHttpModel().chat(streamRequest, createCall()))
    assert.equal((await chunks.next()).value, chunkWith({ content: 'a' }))
    await assert.rejects(
      chunks.next(),
      failsWith('upstream_failed', (error) => error.retryable),
    )
  }
})

test('a stream that ends after its finish reason is complete without [DONE], even without a last empty line', async () => {
  await using harness = await openProviderHarness({
    handler(response) {
      sendEvents(response, [chunkWith({ content: 'a' })])
      response.end(`data: ${chunkWith({}, 'stop')}`)
    },
  })
  const chunks = await readChunks(await harness.createHttpModel().chat(streamRequest, createCall()))
  assert.deepEqual(chunks, [chunkWith({ content: 'a' }), chunkWith({}, 'stop')])
})

test('an error in the stream fails the call before the first chunk, and the iterator after it', async () => {
  await using harness = await openProviderHarness()
  const error = JSON.stringify({ error: { message: 'overloaded', code: 429 } })
  harness.upstream.handler = (response) => {
    sendEvents(response, [error])
    response.end()
  }
  const model = harness.createHttpModel()
  await assert.rejects(model.chat(streamRequest, createCall()), failsWith('upstream_rate_limited'))
  harness.upstream.handler = (response) => {
    sendEvents(response, [chunkWith({ content: '{"error":{"message":"x"}}' }), '{"error":"out of memory"}', '[DONE]'])
    response.end()
  }
  const answer = await model.chat(streamRequest, createCall())
  await assert.rejects(readChunks(answer), failsWith('upstream_failed'))
})

test('each status of the upstream has its code; a rejection quotes the upstream, a rate limit has its wait', async () => {
  await using harness = await openProviderHarness()
  const model = harness.createHttpModel()
  const cases: [number, ErrorCode][] = [
    [301, 'upstream_failed'],
    [400, 'upstream_rejected'],
    [401, 'upstream_auth'],
    [403, 'upstream_auth'],
    [404, 'upstream_rejected'],
    [413, 'upstream_rejected'],
    [418, 'upstream_rejected'],
    [422, 'upstream_rejected'],
    [429, 'upstream_rate_limited'],
    [500, 'upstream_failed'],
    [529, 'upstream_failed'],
  ]
  for (const [status, code] of cases) {
    harness.upstream.handler = (response) => {
      const body = { error: { message: 'Too long: sk-user', code: 'context_length_exceeded', param: 'messages' } }
      sendJson(response, status, body, { 'retry-after': '7', location: 'http://127.0.0.1:1/' })
    }
    await assert.rejects(
      model.chat(streamRequest, createCall()),
      failsWith(code, ({ message, details }) => {
        assert.equal(details?.status, status)
        if (code === 'upstream_rate_limited') assert.equal(details?.retryAfterMs, 7000)
        if (code !== 'upstream_rejected') return true
        assert.deepEqual(details, { status, code: 'context_length_exceeded', param: 'messages' })
        assert.match(message, /^Too long/)
        assert.doesNotMatch(message, /sk-user/)
        return true
      }),
    )
  }
})

test('other text, JSON of another shape and an error with status 200 are upstream_failed', async () => {
  await using harness = await openProviderHarness()
  const model = harness.createHttpModel()
  for (const text of ['<html>', '', '{"choices":', '[]', '{"object":"list"}', '{"error":{"message":"no"}}']) {
    harness.upstream.handler = (response) => sendJson(response, 200, text)
    for (const stream of [true, false]) {
      await assert.rejects(model.chat({ messages, stream }, createCall()), failsWith('upstream_failed'), text)
    }
  }
  harness.upstream.handler = (response) => {
    sendEvents(response, ['not json'])
    response.end()
  }
  await assert.rejects(model.chat(streamRequest, createCall()), failsWith('upstream_failed'))
})

test('a completion for a stream request, and a stream for a request without streaming, are translated', async () => {
  await using harness = await openProviderHarness()
  const model = harness.createHttpModel()
  harness.upstream.handler = (response) => sendJson(response, 200, completionWith('hi'))
  const chunks = await readChunks(await model.chat(streamRequest, createCall()))
  assert.equal(JSON.parse(chunks[0] ?? '').choices[0].delta.content, 'hi')
  harness.upstream.handler = (response) => {
    const first = chunkWith({ role: 'assistant', content: 'h' })
    sendEvents(response, [first, chunkWith({ content: 'i' }, 'stop'), '[DONE]'])
    response.end()
  }
  const answer = await model.chat({ messages }, createCall())
  assert.equal(answer.kind === 'completion' && JSON.parse(answer.text).choices[0].message.content, 'hi')
})

test('an unreachable upstream is upstream_failed, with the code of the system and without an address', async () => {
  await using harness = await openProviderHarness()
  await harness.upstream[Symbol.asyncDispose]()
  await assert.rejects(
    harness.createHttpModel().chat(streamRequest, createCall()),
    failsWith('upstream_failed', ({ message }) => !message.includes('127.0.0.1') && /ECONNREFUSED/.test(message)),
  )
})

test('a key that no header can carry is rejected when the model is created', async () => {
  await using harness = await openProviderHarness()
  assert.throws(
    () => harness.createHttpModel({ apiKey: 'a\r\nx-evil: 1' }),
    failsWith('secret_invalid', ({ message }) => !message.includes('evil')),
  )
})
