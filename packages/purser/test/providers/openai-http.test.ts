import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { ErrorCode, PurserError } from '../../src/errors.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { asked, callWith, failsWith, messages, modelOf, pools, textsOf } from './relay.ts'
import { chunkWith, completionWith, openUpstream, sendEvents, sendJson, usageChunk } from './upstream.ts'

after(() => pools.close())

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
