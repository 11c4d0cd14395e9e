import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { type ErrorCode, PurserError } from '../../../src/errors.ts'
import { chatModelOver } from '../../../src/providers/ai-sdk/chat-model.ts'
import { lazyLanguageModel } from '../../../src/providers/ai-sdk/lazy-language-model.ts'
import { optionalPackage } from '../../../src/providers/optional-package.ts'
import { handClock } from '../../../src/testing/hand-clock.ts'

type Part = LanguageModelV4StreamPart

const usage = {
  inputTokens: { total: 3, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: undefined, reasoning: undefined },
}
const finish: Part = { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage }
const say = (delta: string): Part => ({ type: 'text-delta', id: '0', delta })
const never = new Promise<never>(() => undefined)

/** A model that says what the test enqueues, and is deaf to its abort signal. */
function scripted() {
  const clock = handClock()
  let parts: ReadableStreamDefaultController<Part> | undefined
  let cancelled: unknown
  let signal: AbortSignal | undefined
  const stream = new ReadableStream<Part>({
    start(controller) {
      parts = controller
    },
    cancel(reason) {
      cancelled = reason
    },
  })
  const language: LanguageModelV4 = {
    specificationVersion: 'v4',
    provider: 'own',
    modelId: 'm',
    supportedUrls: {},
    doGenerate: () => never,
    async doStream({ abortSignal }) {
      signal = abortSignal
      return { stream }
    },
  }
  return {
    clock,
    chat: chatModelOver({ effects: clock, provider: 'p', language }),
    say(...said: Part[]) {
      for (const part of said) parts?.enqueue(part)
    },
    close: () => parts?.close(),
    cancelled: () => cancelled,
    signal: () => signal,
  }
}

const request = { messages: [{ role: 'user', content: 'Hi' }], stream: true }
const callWith = (signal: AbortSignal = new AbortController().signal) => ({
  signal,
  firstChunkTimeoutMs: 1000,
  idleTimeoutMs: 500,
})
const failsWith = (code: ErrorCode) => (error: unknown) => PurserError.is(error, code)

async function begun(model: ReturnType<typeof scripted>, signal?: AbortSignal) {
  const pending = model.chat.chat(request, callWith(signal))
  model.say({ type: 'stream-start', warnings: [] }, say('a'))
  const answer = await pending
  if (answer.kind !== 'stream') assert.fail()
  const chunks = answer.chunks[Symbol.asyncIterator]()
  assert.match(String((await chunks.next()).value), /"content":"a"/)
  return chunks
}

test('a model that never begins is given up in time, whole or streamed, though it is deaf to its signal', async () => {
  for (const stream of [true, false]) {
    const model = scripted()
    const answer = model.chat.chat({ ...request, stream }, callWith())
    if (stream) model.say({ type: 'stream-start', warnings: [] })
    await Promise.resolve()
    model.clock.advance(1000)
    await assert.rejects(answer, failsWith('upstream_timeout'))
    assert.equal(model.clock.timers, 0)
  }
})

test('a pause is given up while the reader waits, and the stream is cancelled', async () => {
  const model = scripted()
  const chunks = await begun(model)
  const late = Promise.resolve(chunks.next())
  model.clock.advance(500)
  await assert.rejects(late, failsWith('upstream_timeout'))
  assert.ok(PurserError.is(model.cancelled(), 'upstream_timeout'))
  assert.ok(model.signal()?.aborted)
})

test('a stream that ends without its finish was cut', async () => {
  const model = scripted()
  const chunks = await begun(model)
  model.close()
  await assert.rejects(Promise.resolve(chunks.next()), failsWith('upstream_failed'))
})

test('an error part fails the call before the first chunk, and the iterator after it', async () => {
  const broken = Object.assign(new Error('quota for sk-secret'), {
    name: 'AI_APICallError',
    statusCode: 429,
    responseHeaders: { 'retry-after': '2' },
  })
  const early = scripted()
  const answer = early.chat.chat(request, callWith())
  early.say({ type: 'error', error: broken })
  await assert.rejects(
    answer,
    (error: unknown) => PurserError.is(error, 'upstream_rate_limited') && error.details?.retryAfterMs === 2000,
  )
  const later = scripted()
  const chunks = await begun(later)
  later.say({ type: 'error', error: new Error('sk-secret') })
  await assert.rejects(
    Promise.resolve(chunks.next()),
    (error: unknown) => PurserError.is(error, 'upstream_failed') && !error.message.includes('sk-secret'),
  )
})

test('an abort is told with its reason, and a reader that leaves cancels the stream', async () => {
  const abort = new AbortController()
  const aborted = scripted()
  const chunks = await begun(aborted, abort.signal)
  const waiting = Promise.resolve(chunks.next())
  const reason = new Error('gone')
  abort.abort(reason)
  await assert.rejects(waiting, reason)
  assert.ok(aborted.signal()?.aborted)

  const left = scripted()
  const other = await begun(left)
  await other.return?.()
  assert.ok(left.signal()?.aborted)
  assert.notEqual(left.cancelled(), undefined)
  assert.equal(left.clock.timers, 0)
})

test('a whole answer is told to its end with finish and usage', async () => {
  const model = scripted()
  const chunks = await begun(model)
  model.say(finish)
  model.close()
  const rest = [await chunks.next(), await chunks.next(), await chunks.next()]
  assert.deepEqual(
    rest.map(({ done }) => done ?? false),
    [false, false, true],
  )
  assert.match(String(rest[1]?.value), /"prompt_tokens":3/)
})

test('a model that is made by its first call is made once, and again only when making it failed', async () => {
  let made = 0
  const model = lazyLanguageModel('p', 'm', async () => {
    made += 1
    if (made === 1) throw new PurserError('package_missing', 'Not there.')
    return { ...scriptedModel, modelId: 'm' }
  })
  await assert.rejects(Promise.resolve(model.doGenerate({ prompt: [] })), failsWith('package_missing'))
  await Promise.all([model.doGenerate({ prompt: [] }), model.doGenerate({ prompt: [] })])
  assert.equal(made, 2)
})

const scriptedModel: LanguageModelV4 = {
  specificationVersion: 'v4',
  provider: 'own',
  modelId: 'm',
  supportedUrls: {},
  doGenerate: async () => ({ content: [], finishReason: finish.finishReason, usage, warnings: [] }),
  doStream: () => never,
}

test('a package that is not installed is named, with what to do', async () => {
  const load = () => import(`@ai-sdk/${'not-there'}`)
  await assert.rejects(optionalPackage('@ai-sdk/not-there', load), (error: unknown) => {
    assert.ok(PurserError.is(error, 'package_missing'))
    assert.equal(error.hint, 'npm install @ai-sdk/not-there')
    return true
  })
})
