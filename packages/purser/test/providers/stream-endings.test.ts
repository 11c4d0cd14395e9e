import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { DEFAULTS } from '../../src/options.ts'
import {
  chunksOf,
  createCall,
  failsWith,
  flushLoopback,
  messages,
  openProviderHarness,
  readChunks,
} from '../support/provider-harness.ts'
import { chunkWith, sendEvents, sendJson } from '../support/provider-upstream.ts'

const streamRequest = { messages, model: 'm', stream: true }

test('an upstream that does not start to answer in time is upstream_timeout, and its socket is closed', async () => {
  for (const stream of [true, false]) {
    await using harness = await openProviderHarness()
    const response = harness.upstream.nextResponse()
    const answer = harness.createHttpModel().chat({ messages, stream }, createCall())
    const closed = once(await response, 'close')
    harness.clock.advance(999)
    harness.clock.advance(1)
    await assert.rejects(answer, failsWith('upstream_timeout'))
    await closed
  }
})

test('comments do not count as chunks: an upstream that sends nothing else is upstream_timeout', async () => {
  await using harness = await openProviderHarness()
  const response = harness.upstream.nextResponse()
  const answer = harness.createHttpModel().chat(streamRequest, createCall())
  ;(await response).writeHead(200, { 'content-type': 'text/event-stream' })
  ;(await response).write(': alive\n\n')
  harness.clock.advance(1000)
  await assert.rejects(answer, failsWith('upstream_timeout'))
})

test('a pause between chunks counts only while the reader waits', async () => {
  await using harness = await openProviderHarness()
  const { clock } = harness
  const response = harness.upstream.nextResponse()
  const pending = harness.createHttpModel().chat(streamRequest, createCall())
  sendEvents(await response, [chunkWith({ content: 'a' })])
  const chunks = chunksOf(await pending)
  clock.advance(10_000)
  assert.equal((await chunks.next()).value, chunkWith({ content: 'a' }))
  clock.advance(10_000)
  const next = chunks.next()
  clock.advance(400)
  sendEvents(await response, [chunkWith({ content: 'b' })])
  assert.equal((await next).value, chunkWith({ content: 'b' }))
  clock.advance(10_000)
  assert.equal(clock.timers, 0, 'without a waiting reader there is no timer')
  const late = chunks.next()
  const closed = once(await response, 'close')
  clock.advance(500)
  await assert.rejects(late, failsWith('upstream_timeout'))
  await closed
  assert.equal(clock.timers, 0)
})

test('an abort rejects with its reason and closes the socket: before headers, before the first chunk, in the middle', async () => {
  await using harness = await openProviderHarness()
  const model = harness.createHttpModel()
  for (const progress of ['requested', 'headers', 'chunk'] as const) {
    const reason = new Error(progress)
    const abort = new AbortController()
    const response = harness.upstream.nextResponse()
    const answer = model.chat(streamRequest, createCall(abort.signal))
    const closed = once(await response, 'close')
    if (progress === 'headers') (await response).writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    if (progress === 'chunk') sendEvents(await response, [chunkWith({ content: 'a' })])
    const failing = progress === 'chunk' ? readChunks(await answer) : answer
    abort.abort(reason)
    await assert.rejects(failing, reason)
    await closed
  }
  assert.equal(harness.clock.timers, 0)
  const aborted = AbortSignal.abort('aborted')
  await assert.rejects(model.chat(streamRequest, createCall(aborted)), (reason) => reason === 'aborted')
  assert.equal(harness.upstream.requests.length, 3)
})

test('a reader that stops early closes the socket', async () => {
  await using harness = await openProviderHarness()
  const response = harness.upstream.nextResponse()
  const pending = harness.createHttpModel().chat(streamRequest, createCall())
  const closed = once(await response, 'close')
  sendEvents(await response, [chunkWith({ content: 'a' })])
  for await (const _ of chunksOf(await pending)) break
  await closed
  assert.equal(harness.clock.timers, 0)
})

test('an answer that is no longer read leaves no timer once it is aborted', async () => {
  await using harness = await openProviderHarness()
  const abort = new AbortController()
  const response = harness.upstream.nextResponse()
  const pending = harness.createHttpModel().chat(streamRequest, createCall(abort.signal))
  const closed = once(await response, 'close')
  sendEvents(await response, [chunkWith({ content: 'a' })])
  await pending
  abort.abort()
  await closed
  harness.clock.advance(500)
  assert.equal(harness.clock.timers, 0)
})

test('a signal that outlives its calls collects no listeners', async () => {
  await using harness = await openProviderHarness()
  const { signal } = new AbortController()
  const model = harness.createHttpModel()
  for (const stream of [true, false]) {
    const answer = await model.chat({ messages, stream }, createCall(signal))
    if (answer.kind === 'stream') await readChunks(answer)
  }
  harness.upstream.handler = (response) => sendJson(response, 500, {})
  await assert.rejects(model.chat(streamRequest, createCall(signal)))
  while (getEventListeners(signal, 'abort').length > 0) await flushLoopback()
})

test('a response that ends a moment after [DONE] leaves no timer, and its socket is reused', async () => {
  await using harness = await openProviderHarness()
  const { clock, upstream } = harness
  for (let round = 0; round < 3; round++) {
    const response = upstream.nextResponse()
    const pending = harness.createHttpModel().chat(streamRequest, createCall())
    sendEvents(await response, [chunkWith({ content: 'a' }, 'stop'), '[DONE]'])
    await readChunks(await pending)
    assert.equal(clock.timers, 1)
    const closed = once(await response, 'close')
    ;(await response).end()
    await closed
    while (clock.timers > 0) await flushLoopback()
  }
  assert.equal(upstream.sockets.size, 1)
})

test('an upstream that continues after [DONE] is disconnected after 1 s', async () => {
  await using harness = await openProviderHarness()
  const response = harness.upstream.nextResponse()
  const pending = harness.createHttpModel().chat(streamRequest, createCall())
  sendEvents(await response, [chunkWith({ content: 'a' }, 'stop'), '[DONE]', chunkWith({ content: 'late' })])
  const closed = once(await response, 'close')
  assert.deepEqual(await readChunks(await pending), [chunkWith({ content: 'a' }, 'stop')])
  harness.clock.advance(1_000)
  await closed
})

/** Writes without end, as fast as the reader takes it. */
function flood(response: ServerResponse, piece: Buffer | string, onWrite: () => void = () => undefined): void {
  const write = () => {
    while (!response.destroyed && response.write(piece)) onWrite()
    response.once('drain', write)
  }
  write()
}

test('an endless event, completion and error body is cut at its limit', async () => {
  await using harness = await openProviderHarness()
  const model = harness.createHttpModel()
  harness.upstream.handler = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    flood(response, Buffer.alloc(65_536, 'data: x'))
  }
  await assert.rejects(
    model.chat(streamRequest, createCall()),
    failsWith('upstream_failed', ({ message }) => message.includes(String(DEFAULTS.runtime.maxResponseBytes))),
  )
  harness.upstream.handler = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    flood(response, Buffer.alloc(65_536, ' '))
  }
  await assert.rejects(
    model.chat({ messages }, createCall()),
    failsWith('upstream_failed', ({ message }) => message.includes(String(DEFAULTS.runtime.maxResponseBytes))),
  )
  harness.upstream.handler = (response) => {
    response.writeHead(500)
    flood(response, Buffer.alloc(65_536, 'x'))
  }
  await assert.rejects(model.chat(streamRequest, createCall()), failsWith('upstream_failed'))
})

test('a slow reader pauses the upstream instead of filling memory', async () => {
  await using harness = await openProviderHarness()
  const event = `data: ${chunkWith({ content: 'x'.repeat(10_000) })}\n\n`
  let written = 0
  harness.upstream.handler = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    flood(response, event, () => {
      written += event.length
    })
  }
  const chunks = chunksOf(await harness.createHttpModel().chat(streamRequest, createCall()))
  let before = -1
  while (written !== before) {
    before = written
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  }
  assert.ok(written < 32_000_000, `the upstream could write ${written} bytes`)
  await chunks.return?.()
})
