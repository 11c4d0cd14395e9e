import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import { ANSWER_LIMITS } from '../../src/providers/openai-http.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { asked, callWith, failsWith, messages, modelOf, pools, scripted, textsOf, upstreamIdle } from './relay.ts'
import { chunkWith, openUpstream, sendEvents, sendJson } from './upstream.ts'

after(() => pools.close())

test('an upstream that does not begin in time is given up, and its socket is closed', async () => {
  await using upstream = await openUpstream()
  for (const stream of [true, false]) {
    const clock = handClock()
    const { response } = await scripted(upstream)
    const answer = modelOf(upstream, { clock }).chat({ messages, stream }, callWith())
    const closed = once(await response, 'close')
    clock.advance(999)
    clock.advance(1)
    await assert.rejects(answer, failsWith('upstream_timeout'))
    await closed
  }
})

test('comments do not count as chunks: an upstream that only says that it is alive is given up', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  const { response } = await scripted(upstream)
  const answer = modelOf(upstream, { clock }).chat(asked, callWith())
  ;(await response).writeHead(200, { 'content-type': 'text/event-stream' })
  ;(await response).write(': alive\n\n')
  clock.advance(1000)
  await assert.rejects(answer, failsWith('upstream_timeout'))
})

test('a pause between chunks counts while the reader waits, and only then', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  const { response } = await scripted(upstream)
  const pending = modelOf(upstream, { clock }).chat(asked, callWith())
  sendEvents(await response, [chunkWith({ content: 'a' })])
  const answer = await pending
  if (answer.kind !== 'stream') assert.fail()
  const chunks = answer.chunks[Symbol.asyncIterator]()
  clock.advance(10_000)
  assert.equal((await chunks.next()).value, chunkWith({ content: 'a' }))
  clock.advance(10_000)
  const waiting = Promise.resolve(chunks.next())
  clock.advance(400)
  sendEvents(await response, [chunkWith({ content: 'b' })])
  assert.equal((await waiting).value, chunkWith({ content: 'b' }))
  clock.advance(10_000)
  assert.equal(clock.timers, 0, 'nobody waits, so nothing is timed')
  const late = Promise.resolve(chunks.next())
  const closed = once(await response, 'close')
  clock.advance(500)
  await assert.rejects(late, failsWith('upstream_timeout'))
  await closed
  assert.equal(clock.timers, 0)
})

test('an abort rejects with its reason and closes the socket: before headers, before the first chunk, in the middle', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  for (const progress of ['asked', 'headers', 'chunk'] as const) {
    const reason = new Error(progress)
    const abort = new AbortController()
    const { response } = await scripted(upstream)
    const answer = modelOf(upstream, { clock }).chat(asked, callWith(abort.signal))
    const closed = once(await response, 'close')
    if (progress === 'headers') (await response).writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    if (progress === 'chunk') sendEvents(await response, [chunkWith({ content: 'a' })])
    const failing = progress === 'chunk' ? textsOf(await answer) : answer
    abort.abort(reason)
    await assert.rejects(failing, reason)
    await closed
  }
  assert.equal(clock.timers, 0)
  await assert.rejects(
    modelOf(upstream).chat(asked, callWith(AbortSignal.abort('gone'))),
    (reason) => reason === 'gone',
  )
  assert.equal(upstream.seen.length, 3)
})

test('a reader that leaves stops the upstream', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  const { response } = await scripted(upstream)
  const pending = modelOf(upstream, { clock }).chat(asked, callWith())
  const closed = once(await response, 'close')
  sendEvents(await response, [chunkWith({ content: 'a' })])
  const answer = await pending
  if (answer.kind !== 'stream') assert.fail()
  for await (const _ of answer.chunks) break
  await closed
  assert.equal(clock.timers, 0)
})

test('an answer that nobody goes on reading leaves nothing on the clock once it is aborted', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  const abort = new AbortController()
  const { response } = await scripted(upstream)
  const pending = modelOf(upstream, { clock }).chat(asked, callWith(abort.signal))
  const closed = once(await response, 'close')
  sendEvents(await response, [chunkWith({ content: 'a' })])
  await pending
  abort.abort()
  await closed
  clock.advance(500)
  assert.equal(clock.timers, 0)
})

test('a signal that outlives its calls collects no listeners', async () => {
  await using upstream = await openUpstream()
  const { signal } = new AbortController()
  for (const stream of [true, false]) {
    const answer = await modelOf(upstream).chat({ messages, stream }, callWith(signal))
    if (answer.kind === 'stream') await Array.fromAsync(answer.chunks)
  }
  upstream.script = (response) => sendJson(response, 500, {})
  await assert.rejects(modelOf(upstream).chat(asked, callWith(signal)))
  while (getEventListeners(signal, 'abort').length > 0) await upstreamIdle()
})

test('an answer whose end comes a moment after [DONE] leaves nothing on the clock, and its socket to the next', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  for (let round = 0; round < 3; round++) {
    const { response } = await scripted(upstream)
    const pending = modelOf(upstream, { clock }).chat(asked, callWith())
    sendEvents(await response, [chunkWith({ content: 'a' }, 'stop'), '[DONE]'])
    await textsOf(await pending)
    assert.equal(clock.timers, 1)
    const closed = once(await response, 'close')
    ;(await response).end()
    await closed
    while (clock.timers > 0) await upstreamIdle()
  }
  assert.equal(upstream.sockets.size, 1)
})

test('an upstream that goes on after [DONE] is left soon after', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  const { response } = await scripted(upstream)
  const pending = modelOf(upstream, { clock }).chat(asked, callWith())
  sendEvents(await response, [chunkWith({ content: 'a' }, 'stop'), '[DONE]', chunkWith({ content: 'late' })])
  const closed = once(await response, 'close')
  assert.deepEqual(await textsOf(await pending), [chunkWith({ content: 'a' }, 'stop')])
  clock.advance(1_000)
  await closed
})

test('a body without end is cut at its limit, whichever form it has', async () => {
  await using upstream = await openUpstream()
  const flood = (response: ServerResponse, piece: Buffer) => {
    const go = () => {
      while (!response.destroyed && response.write(piece));
      response.once('drain', go)
    }
    go()
  }
  upstream.script = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    flood(response, Buffer.alloc(65_536, 'data: x'))
  }
  await assert.rejects(
    modelOf(upstream).chat(asked, callWith()),
    failsWith('upstream_failed', (error) => error.message.includes(String(ANSWER_LIMITS.event))),
  )
  upstream.script = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    flood(response, Buffer.alloc(65_536, ' '))
  }
  await assert.rejects(
    modelOf(upstream).chat({ messages }, callWith()),
    failsWith('upstream_failed', (error) => error.message.includes(String(ANSWER_LIMITS.completion))),
  )
  upstream.script = (response) => {
    response.writeHead(500)
    flood(response, Buffer.alloc(65_536, 'x'))
  }
  await assert.rejects(modelOf(upstream).chat(asked, callWith()), failsWith('upstream_failed'))
})

test('a slow reader holds the upstream back instead of filling memory', async () => {
  await using upstream = await openUpstream()
  let written = 0
  upstream.script = (response) => {
    const chunk = `data: ${chunkWith({ content: 'x'.repeat(10_000) })}\n\n`
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const go = () => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length
      response.once('drain', go)
    }
    go()
  }
  const answer = await modelOf(upstream).chat(asked, callWith())
  if (answer.kind !== 'stream') assert.fail()
  let before = -1
  while (written !== before) {
    before = written
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  }
  assert.ok(written < 32_000_000, `${written} bytes were taken from the upstream`)
  await (answer.chunks as AsyncIterableIterator<string>).return?.()
})
