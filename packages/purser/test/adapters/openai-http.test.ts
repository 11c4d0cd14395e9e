import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { after, test } from 'node:test'
import { createPools } from '../../src/adapters/http/pools.ts'
import { ANSWER_LIMITS, createOpenAiHttp } from '../../src/adapters/openai-http.ts'
import { type ErrorCode, PurserError } from '../../src/errors.ts'
import type { ChatRequest } from '../../src/model/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../../src/model/port.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { chunkWith, completionWith, openUpstream, sendEvents, sendJson, type Upstream, usageChunk } from './upstream.ts'

const pools = createPools()
after(() => pools.close())

const messages = [{ role: 'user', content: 'Hi' }]
const asked: ChatRequest = { messages, model: 'm', stream: true }

function modelOf(upstream: Upstream, options: { clock?: HandClock; path?: string; apiKey?: string } = {}): ChatModel {
  const baseURL = new URL(upstream.url + (options.path ?? '/v1'))
  return createOpenAiHttp({
    effects: options.clock ?? handClock(),
    provider: 'local',
    model: 'm',
    door: pools.door(baseURL, true),
    baseURL,
    apiKey: options.apiKey ?? 'sk-user',
    headers: { 'x-extra': 'yes' },
  })
}

function callWith(signal: AbortSignal = new AbortController().signal): ChatCall {
  return { signal, firstChunkTimeoutMs: 1000, idleTimeoutMs: 500 }
}

async function textsOf(answer: ChatAnswer): Promise<string[]> {
  assert.equal(answer.kind, 'stream')
  return answer.kind === 'stream' ? Array.fromAsync(answer.chunks) : []
}

const failsWith =
  (code: ErrorCode, more: (error: PurserError) => boolean = () => true) =>
  (error: unknown) =>
    PurserError.is(error, code) && more(error)

/** Lets what is on its way through the loopback arrive. */
async function upstreamIdle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

/** What an upstream does once, told when it has been asked. */
async function scripted(upstream: Upstream): Promise<{ response: Promise<ServerResponse> }> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>()
  upstream.script = (response) => resolve(response)
  return { response: promise }
}

test('a completion comes as the upstream wrote it, asked for under the key of this call', async () => {
  await using upstream = await openUpstream()
  const odd = completionWith('hi').replace('{', '{ "vendor" : 1,')
  upstream.script = (response) => sendJson(response, 200, odd)
  const answer = await modelOf(upstream, { path: '/v1/?version=2' }).chat({ messages, seed: 7 }, callWith())
  assert.deepEqual(answer, { kind: 'completion', text: odd })
  const [seen] = upstream.seen
  assert.equal(seen?.path, '/v1/chat/completions?version=2')
  assert.equal(seen?.headers.authorization, 'Bearer sk-user')
  assert.equal(seen?.headers['x-extra'], 'yes')
  assert.deepEqual(JSON.parse(seen?.body ?? ''), { messages, seed: 7, model: 'm' })
})

test('chunks come as the upstream wrote them, with usage asked for and passed on, without [DONE]', async () => {
  await using upstream = await openUpstream()
  const model = modelOf(upstream)
  const answer = await model.chat({ ...asked, stream_options: { include_obfuscation: false } }, callWith())
  assert.deepEqual(await textsOf(answer), [
    chunkWith({ role: 'assistant', content: 'hello' }),
    chunkWith({}, 'stop'),
    usageChunk,
  ])
  const body = JSON.parse(upstream.seen[0]?.body ?? '')
  assert.deepEqual(body.stream_options, { include_obfuscation: false, include_usage: true })
})

test('sockets are shared by answers that ended, whatever the key, and nothing stays behind on the clock', async () => {
  await using upstream = await openUpstream()
  const clock = handClock()
  for (const apiKey of ['a', 'b', 'c', 'd']) {
    await textsOf(await modelOf(upstream, { clock, apiKey }).chat(asked, callWith()))
    await modelOf(upstream, { clock, apiKey }).chat({ messages }, callWith())
  }
  assert.deepEqual(
    upstream.seen.map((seen) => seen.headers.authorization),
    [...'aabbccdd'].map((key) => `Bearer ${key}`),
  )
  assert.ok(upstream.sockets.size < 4, `${upstream.sockets.size} sockets for 8 calls`)
  assert.equal(clock.timers, 0)
})

test('an answer cut without [DONE] and without a finish reason throws after what came before', async () => {
  await using upstream = await openUpstream()
  for (const cut of ['end', 'destroy'] as const) {
    upstream.script = (response) => {
      sendEvents(response, [chunkWith({ content: 'a' })])
      setImmediate(() => response[cut]())
    }
    const answer = await modelOf(upstream).chat(asked, callWith())
    assert.equal(answer.kind, 'stream')
    if (answer.kind !== 'stream') return
    const chunks = answer.chunks[Symbol.asyncIterator]()
    assert.equal((await chunks.next()).value, chunkWith({ content: 'a' }))
    await assert.rejects(
      Promise.resolve(chunks.next()),
      failsWith('upstream_failed', (error) => error.retryable),
    )
  }
})

test('an answer that ends after its finish reason is whole without [DONE], even without a last empty line', async () => {
  await using upstream = await openUpstream()
  upstream.script = (response) => {
    sendEvents(response, [chunkWith({ content: 'a' })])
    response.end(`data: ${chunkWith({}, 'stop')}`)
  }
  const texts = await textsOf(await modelOf(upstream).chat(asked, callWith()))
  assert.deepEqual(texts, [chunkWith({ content: 'a' }), chunkWith({}, 'stop')])
})

test('an error in the stream fails the call before the first chunk, and the iterator after it', async () => {
  await using upstream = await openUpstream()
  const error = JSON.stringify({ error: { message: 'overloaded', code: 429 } })
  upstream.script = (response) => {
    sendEvents(response, [error])
    response.end()
  }
  await assert.rejects(modelOf(upstream).chat(asked, callWith()), failsWith('upstream_rate_limited'))
  upstream.script = (response) => {
    sendEvents(response, [chunkWith({ content: '{"error":{"message":"x"}}' }), '{"error":"out of memory"}', '[DONE]'])
    response.end()
  }
  const answer = await modelOf(upstream).chat(asked, callWith())
  await assert.rejects(textsOf(answer), failsWith('upstream_failed'))
})

test('statuses of the upstream become codes, with its wait, its words and its parameter where they help', async () => {
  await using upstream = await openUpstream()
  const cases: [number, ErrorCode][] = [
    [301, 'upstream_failed'],
    [400, 'upstream_rejected'],
    [401, 'upstream_auth'],
    [403, 'upstream_auth'],
    [404, 'upstream_rejected'],
    [413, 'upstream_rejected'],
    [418, 'upstream_failed'],
    [422, 'upstream_rejected'],
    [429, 'upstream_rate_limited'],
    [500, 'upstream_failed'],
    [529, 'upstream_failed'],
  ]
  for (const [status, code] of cases) {
    upstream.script = (response) => {
      const body = { error: { message: 'Too long: sk-user', code: 'context_length_exceeded', param: 'messages' } }
      sendJson(response, status, body, { 'retry-after': '7', location: 'http://127.0.0.1:1/' })
    }
    await assert.rejects(
      modelOf(upstream).chat(asked, callWith()),
      failsWith(code, (error) => error.details?.status === status),
    )
    if (code === 'upstream_rejected') {
      await assert.rejects(modelOf(upstream).chat(asked, callWith()), (error: PurserError) => {
        assert.deepEqual(error.details, { status, code: 'context_length_exceeded', param: 'messages' })
        assert.match(error.message, /^Too long/)
        assert.doesNotMatch(error.message, /sk-user/)
        return true
      })
    }
    if (code === 'upstream_rate_limited') {
      await assert.rejects(
        modelOf(upstream).chat(asked, callWith()),
        (error: PurserError) => error.details?.retryAfterMs === 7000,
      )
    }
  }
})

test('what is not an answer is upstream_failed: other text, JSON of another shape, an error with status 200', async () => {
  await using upstream = await openUpstream()
  const request = { messages }
  for (const text of ['<html>', '', '{"choices":', '[]', '{"object":"list"}', '{"error":{"message":"no"}}']) {
    upstream.script = (response) => sendJson(response, 200, text)
    for (const stream of [true, false]) {
      await assert.rejects(
        modelOf(upstream).chat({ ...request, stream }, callWith()),
        failsWith('upstream_failed'),
        text,
      )
    }
  }
  upstream.script = (response) => {
    sendEvents(response, ['not json'])
    response.end()
  }
  await assert.rejects(modelOf(upstream).chat(asked, callWith()), failsWith('upstream_failed'))
})

test('an upstream that answers in the other form than asked is translated', async () => {
  await using upstream = await openUpstream()
  upstream.script = (response) => sendJson(response, 200, completionWith('hi'))
  const texts = await textsOf(await modelOf(upstream).chat(asked, callWith()))
  assert.equal(JSON.parse(texts[0] ?? '').choices[0].delta.content, 'hi')
  upstream.script = (response) => {
    sendEvents(response, [
      chunkWith({ role: 'assistant', content: 'h' }),
      chunkWith({ content: 'i' }, 'stop'),
      '[DONE]',
    ])
    response.end()
  }
  const whole = await modelOf(upstream).chat({ messages }, callWith())
  assert.equal(whole.kind === 'completion' && JSON.parse(whole.text).choices[0].message.content, 'hi')
})

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

test('an upstream that cannot be reached is upstream_failed, and its address is not told', async () => {
  const gone = await openUpstream()
  await gone[Symbol.asyncDispose]()
  await assert.rejects(
    modelOf(gone).chat(asked, callWith()),
    failsWith('upstream_failed', (error) => !error.message.includes('127.0.0.1') && /ECONNREFUSED/.test(error.message)),
  )
})

test('a key that no header can carry is refused when the model is made', async () => {
  await using upstream = await openUpstream()
  assert.throws(
    () => modelOf(upstream, { apiKey: 'a\r\nx-evil: 1' }),
    failsWith('secret_invalid', (error) => !error.message.includes('evil')),
  )
})
