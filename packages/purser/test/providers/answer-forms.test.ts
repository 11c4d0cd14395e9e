import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { ErrorCode } from '../../src/errors.ts'
import {
  chunksOf,
  complete,
  createCall,
  failsWith,
  messages,
  openProviderHarness,
  readChunks,
} from '../support/provider-harness.ts'
import {
  chunkWith,
  completionWith,
  sendEvents,
  sendJson,
  type UpstreamHandler,
  usageChunk,
} from '../support/provider-upstream.ts'

const streamRequest = { messages, model: 'm', stream: true }

const send =
  (body: string | Buffer, headers: Record<string, string> = { 'content-type': 'text/event-stream' }): UpstreamHandler =>
  (response) =>
    response.writeHead(200, headers).end(body)
const events = (...data: string[]): string => data.map((text) => `data: ${text}\n\n`).join('')
const hello = [chunkWith({ role: 'assistant', content: 'hel' }), chunkWith({ content: 'lo' }), chunkWith({}, 'stop')]

/** The text that a model reads from an upstream, with and without streaming. */
async function readBoth(handler: UpstreamHandler): Promise<unknown[]> {
  await using harness = await openProviderHarness({ handler })
  const model = harness.createHttpModel()
  const answers = await Promise.all([complete(model, true), complete(model, false)])
  return answers.map((completion) => completion.choices[0]?.message.content)
}

test('an event stream and a completion are read under any content type', async () => {
  const types = [
    'text/event-stream',
    'application/json',
    'text/plain',
    'application/octet-stream',
    'Text/Event-Stream; charset=utf-8',
    '',
  ]
  const bodies = [
    events(...hello, '[DONE]'),
    `\uFEFF${events(...hello, '[DONE]')}`,
    `\n\n: first\n\n${events(...hello)}`,
    completionWith('hello'),
    ` \n\uFEFF${completionWith('hello')}`,
    `${completionWith('hello')}data: [DONE]\n\n`,
    events(completionWith('hello'), '[DONE]'),
    events(completionWith('hello')),
    events(`[${hello.join(',')}]`, '[DONE]'),
  ]
  for (const type of types) {
    for (const body of bodies) {
      const headers = type === '' ? {} : { 'content-type': type }
      assert.deepEqual(await readBoth(send(body, headers)), ['hello', 'hello'], `${type} ${body.slice(0, 60)}`)
    }
  }
})

test('events without a chunk are skipped wherever they stand', async () => {
  const frames = [
    'data:\n\n',
    'data: \n\n',
    'event: ping\ndata:\n\n',
    'event: ping\ndata: pong\n\n',
    'data: null\n\n',
    'data: {}\n\n',
    'data: []\n\n',
    'data: true\n\n',
    'data: "x"\n\n',
    'event: progress\ndata: {"tool":"x"}\n\n',
    ': comment\n\n',
    'retry: 1\n\n',
    'id: 1\n\n',
    '\n\n\n',
    'data: {"type":"ping"}\n\n',
  ]
  for (const frame of frames) {
    const body = [...hello, '[DONE]'].map((data) => frame + events(data)).join('')
    assert.deepEqual(await readBoth(send(body)), ['hello', 'hello'], JSON.stringify(frame))
  }
})

test('white space around chunks and [DONE], and chunks of several lines, are read and become one line', async () => {
  const pretty = (data: string) =>
    JSON.stringify(JSON.parse(data), null, 2)
      .split('\n')
      .map((line) => `data: ${line}`)
      .join('\n')
  for (const body of [
    `${hello.map((data) => `data:  ${data}\t\n\n`).join('')}data: [DONE] \n\n`,
    `${hello.map((data) => `data:${data}`).join('\n\n')}\n\ndata:[DONE]\n\n`,
    `${hello.map(pretty).join('\n\n')}\n\ndata:\t[DONE]\n\n`,
    hello.map((data) => `data: \uFEFF${data}\r\r`).join(''),
  ]) {
    assert.deepEqual(await readBoth(send(body)), ['hello', 'hello'], body)
    await using harness = await openProviderHarness({ handler: send(body) })
    const chunks = await readChunks(await harness.createHttpModel().chat(streamRequest, createCall()))
    assert.ok(chunks.every((text) => !text.includes('\n') && text.trim() === text))
  }
})

test('an answer without a choice is upstream_failed', async () => {
  for (const body of [
    events('[DONE]'),
    events(usageChunk, '[DONE]'),
    events('{"choices":[null]}', '[DONE]'),
    '{"choices":[]}',
    '{"choices":[null]}',
    '',
  ]) {
    await using harness = await openProviderHarness({ handler: send(body) })
    const model = harness.createHttpModel()
    await assert.rejects(complete(model, true), failsWith('upstream_failed'), body)
    await assert.rejects(complete(model, false), failsWith('upstream_failed'), body)
  }
})

test('an error beside choices fails the answer before its first chunk and behind it, in every form', async () => {
  const error = { message: 'Provider disconnected: sk-user', code: 502 }
  const chunk = JSON.parse(chunkWith({ content: '' }))
  const bodies: [unknown, ErrorCode?][] = [
    [{ ...chunk, error }],
    [{ ...chunk, choices: [], error, usage: { total_tokens: 1 } }],
    [{ ...chunk, choices: null, error: 'x' }],
    [{ ...chunk, error: [error] }],
    [[{ error }]],
    [{ choices: [{ index: 0, delta: {}, finish_reason: 'error' }] }],
    [{ choices: [{ index: 0, delta: {}, finish_reason: 'stop', error }] }],
    [{ object: 'error', message: 'x' }],
    [{ choices: [], error: { code: 429 } }, 'upstream_rate_limited'],
    [{ choices: [], error: { status: 'UNAUTHENTICATED', code: 401 } }, 'upstream_auth'],
    [{ choices: [], error: { code: 400, message: 'Too long: sk-user' } }, 'upstream_rejected'],
  ]
  for (const [body, code = 'upstream_failed'] of bodies) {
    const text = JSON.stringify(body)
    const check = failsWith(code, ({ message }) => !message.includes('sk-user'))
    for (const answer of [events(text), events(text, '[DONE]'), text]) {
      await using harness = await openProviderHarness({ handler: send(answer) })
      for (const stream of [true, false]) {
        await assert.rejects(harness.createHttpModel().chat({ messages, stream }, createCall()), check, answer)
      }
    }
    await using harness = await openProviderHarness({
      handler: send(events(chunkWith({ content: 'a' }), text, '[DONE]')),
    })
    const chunks = chunksOf(await harness.createHttpModel().chat(streamRequest, createCall()))
    assert.equal((await chunks.next()).value, chunkWith({ content: 'a' }))
    await assert.rejects(chunks.next(), check, text)
    await assert.rejects(complete(harness.createHttpModel(), false), check, text)
  }
  await using harness = await openProviderHarness({ handler: send('event: error\ndata: {"message":"Overloaded"}\n\n') })
  await assert.rejects(complete(harness.createHttpModel(), true), failsWith('upstream_failed'))
})

test('comments and empty events restart the time between two chunks, are passed on, and are not the first chunk', async () => {
  for (const [sign, comment] of [
    [': OPENROUTER PROCESSING\n\n', ': OPENROUTER PROCESSING'],
    ['data:\n\n', ':'],
    ['data: null\n\n', ':'],
  ]) {
    await using harness = await openProviderHarness()
    const { clock } = harness
    const response = harness.upstream.nextResponse()
    const pending = harness.createHttpModel().chat(streamRequest, createCall())
    const upstream = await response
    upstream.writeHead(200, { 'content-type': 'text/event-stream' }).write(sign)
    sendEvents(upstream, [hello[0] as string])
    const chunks = chunksOf(await pending)
    assert.equal((await chunks.next()).value, hello[0])
    for (let beat = 0; beat < 5; beat++) {
      const next = chunks.next()
      clock.advance(400)
      upstream.write(sign as string)
      assert.equal((await next).value, comment)
    }
    const silent = chunks.next()
    clock.advance(500)
    await assert.rejects(silent, failsWith('upstream_timeout'))
  }
})

const CODINGS: [coding: string, encode: (body: Buffer) => Buffer][] = [
  ['gzip', gzipSync],
  ['X-GZIP', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['zstd', zstdCompressSync],
  ['gzip, br', (body) => brotliCompressSync(gzipSync(body))],
  ['identity', (body) => body],
  ['', (body) => body],
]

test('the upstream is asked for plain bodies, and every content coding is decoded, of errors too', async () => {
  for (const [coding, encode] of CODINGS) {
    const headers = { 'content-type': 'application/json', 'content-encoding': coding }
    assert.deepEqual(
      await readBoth(send(encode(Buffer.from(events(...hello, '[DONE]'))), headers)),
      ['hello', 'hello'],
      coding,
    )
    assert.deepEqual(
      await readBoth(send(encode(Buffer.from(completionWith('hello'))), headers)),
      ['hello', 'hello'],
      coding,
    )
    await using harness = await openProviderHarness({
      handler: (response) =>
        response.writeHead(400, headers).end(encode(Buffer.from('{"error":{"message":"Too long"}}'))),
    })
    const rejected = harness.createHttpModel().chat(streamRequest, createCall())
    await assert.rejects(
      rejected,
      failsWith('upstream_rejected', ({ message }) => message === 'Too long'),
    )
    assert.equal(harness.upstream.requests[0]?.headers['accept-encoding'], 'identity')
  }
})

test('an encoded stream is passed on chunk by chunk', async () => {
  const { createGzip } = await import('node:zlib')
  await using harness = await openProviderHarness()
  const response = harness.upstream.nextResponse()
  const pending = harness.createHttpModel().chat(streamRequest, createCall())
  const gzip = createGzip()
  gzip.pipe((await response).writeHead(200, { 'content-encoding': 'gzip' }))
  gzip.write(events(hello[0] as string))
  gzip.flush()
  const chunks = chunksOf(await pending)
  assert.equal((await chunks.next()).value, hello[0])
  gzip.end(events(...hello.slice(1), '[DONE]'))
  assert.deepEqual(await Array.fromAsync(chunks), hello.slice(1))
  assert.equal(harness.clock.timers, 0)
})

test('a body that its coding does not describe, and an unknown coding, are upstream_failed', async () => {
  for (const coding of ['gzip', 'br', 'zstd', 'compress', 'gzip, gzip, gzip, gzip, gzip']) {
    await using harness = await openProviderHarness({
      handler: send(completionWith('hello'), { 'content-encoding': coding }),
    })
    await assert.rejects(complete(harness.createHttpModel(), true), failsWith('upstream_failed'), coding)
  }
})

test('the status of an error counts, also if its body cannot be decoded', async () => {
  for (const coding of ['gzip', 'compress']) {
    await using harness = await openProviderHarness({
      handler: (response) => response.writeHead(401, { 'content-encoding': coding }).end('{}'),
    })
    await assert.rejects(complete(harness.createHttpModel(), true), failsWith('upstream_auth'), coding)
  }
})

test('a reader that stops an encoded stream stops the upstream', async () => {
  await using harness = await openProviderHarness()
  const response = harness.upstream.nextResponse()
  const pending = harness.createHttpModel().chat(streamRequest, createCall())
  const upstream = await response
  const closed = new Promise((resolve) => upstream.on('close', resolve))
  upstream.writeHead(200, { 'content-encoding': 'gzip' }).write(gzipSync(events(hello[0] as string)))
  for await (const _ of chunksOf(await pending)) break
  await closed
  assert.equal(harness.clock.timers, 0)
})

/** Writes a body piece by piece until the socket is closed. */
function writeAll(response: ServerResponse, pieces: Iterator<string | Buffer>): void {
  for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
    if (response.destroyed) return
    if (response.write(next.value)) continue
    response.once('drain', () => writeAll(response, pieces))
    return
  }
  response.end()
}

function* endless(start: string, piece: Buffer): Generator<string | Buffer> {
  yield start
  for (;;) yield piece
}

test('an answer is limited as what it is, whatever was requested, also after it was decoded', async () => {
  const limit = 1_000_000
  const filler = Buffer.alloc(65_536, 'x')
  const bomb = gzipSync(
    Buffer.concat([Buffer.from('{"choices":[{"message":{"content":"'), Buffer.alloc(50_000_000, 'x')]),
  )
  const piece = Buffer.from(events(chunkWith({ content: 'x'.repeat(10_000) })))
  const handlers: [name: string, handler: UpstreamHandler, streams: readonly boolean[]][] = [
    ['JSON', (response) => writeAll(response.writeHead(200), endless('{"a":"', filler)), [true, false]],
    [
      'white space',
      (response) => writeAll(response.writeHead(200), endless('', Buffer.alloc(65_536, ' '))),
      [true, false],
    ],
    ['an event', (response) => writeAll(response.writeHead(200), endless('data: {"a":"', filler)), [true, false]],
    ['a decoded body', send(bomb, { 'content-encoding': 'gzip' }), [true, false]],
    ['collected events', (response) => writeAll(response.writeHead(200), endless('', piece)), [false]],
  ]
  for (const [name, handler, streams] of handlers) {
    await using harness = await openProviderHarness({ handler })
    for (const stream of streams) {
      const answer = harness.createHttpModel({ maxResponseBytes: limit }).chat({ messages, stream }, createCall())
      await assert.rejects(
        answer,
        failsWith('upstream_failed', ({ message }) => message.includes(String(limit))),
        name,
      )
    }
  }
})

test('an event may be as large as a JSON answer', async () => {
  const content = 'x'.repeat(24_000_000)
  assert.deepEqual(await readBoth(send(events(chunkWith({ content }), chunkWith({}, 'stop')))), [content, content])
})

test('numbers of unknown fields arrive unchanged in either form', async () => {
  const exact = (text: string) => text.replace('{', '{"trace":18446744073709551615,"choice_seed":-9007199254740993,')
  for (const body of [exact(completionWith('a')), events(...hello.map(exact), '[DONE]')]) {
    await using harness = await openProviderHarness({ handler: send(body) })
    const model = harness.createHttpModel()
    const [first] = await readChunks(await model.chat(streamRequest, createCall()))
    const completion = await model.chat({ messages }, createCall())
    for (const text of [first, completion.kind === 'completion' ? completion.text : '']) {
      assert.match(text ?? '', /"trace":18446744073709551615,"choice_seed":-9007199254740993/)
    }
  }
})

test('the packages of the AI SDK ask for plain bodies, and what they decode is limited', async () => {
  await using harness = await openProviderHarness({
    handler: (response) =>
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(64_000_000, ' '))),
  })
  const config = harness.configure('anthropic', { apiKey: 'k' })
  await assert.rejects(
    complete(harness.build(config).chat, false),
    failsWith('upstream_failed', ({ message }) => /33554432/.test(message)),
  )
  assert.equal(harness.upstream.requests[0]?.headers['accept-encoding'], 'identity')
})

test('a completion for another status than 2xx stays an error', async () => {
  await using harness = await openProviderHarness({
    handler: (response) => sendJson(response, 500, completionWith('a')),
  })
  await assert.rejects(complete(harness.createHttpModel(), true), failsWith('upstream_failed'))
})
