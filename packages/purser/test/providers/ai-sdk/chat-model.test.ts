import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { PurserError } from '../../../src/errors.ts'
import type { ChatRequest } from '../../../src/openai/chat.ts'
import { injectContext } from '../../../src/openai/inject-context.ts'
import { mergeChunks } from '../../../src/openai/merge-chunks.ts'
import { createAiSdkChatModel } from '../../../src/providers/ai-sdk/chat-model.ts'
import { convertToPrompt } from '../../../src/providers/ai-sdk/convert-to-prompt.ts'
import { createLazyModel, importPackage } from '../../../src/providers/ai-sdk/packages.ts'
import { handClock } from '../../../src/testing/hand-clock.ts'
import { chunksOf, createCall, failsWith, messages } from '../../support/provider-harness.ts'

type Part = LanguageModelV4StreamPart

const usage = {
  inputTokens: { total: 3, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: undefined, reasoning: undefined },
}
const finish: Part = { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage }
const textDelta = (delta: string): Part => ({ type: 'text-delta', id: '0', delta })
const streamRequest = { messages, stream: true }

const model: LanguageModelV4 = {
  specificationVersion: 'v4',
  provider: 'own',
  modelId: 'm',
  supportedUrls: {},
  doGenerate: async () => ({ content: [], finishReason: finish.finishReason, usage, warnings: [] }),
  doStream: () => new Promise<never>(() => undefined),
}

/** A chat model over a language model that streams the test's parts and ignores its abort signal. */
function openDeafModel() {
  const clock = handClock()
  let controller: ReadableStreamDefaultController<Part> | undefined
  let cancelReason: unknown
  let signal: AbortSignal | undefined
  const stream = new ReadableStream<Part>({
    start(streamController) {
      controller = streamController
    },
    cancel(reason) {
      cancelReason = reason
    },
  })
  const languageModel: LanguageModelV4 = {
    ...model,
    doGenerate: () => new Promise<never>(() => undefined),
    async doStream({ abortSignal }) {
      signal = abortSignal
      return { stream }
    },
  }
  return {
    clock,
    chat: createAiSdkChatModel({ effects: clock, provider: 'p', languageModel }),
    send(...parts: Part[]) {
      for (const part of parts) controller?.enqueue(part)
    },
    close: () => controller?.close(),
    cancelReason: () => cancelReason,
    signal: () => signal,
  }
}

/** Starts a stream and reads its first chunk. */
async function startStream(deaf: ReturnType<typeof openDeafModel>, signal?: AbortSignal) {
  const pending = deaf.chat.chat(streamRequest, createCall(signal))
  deaf.send({ type: 'stream-start', warnings: [] }, textDelta('a'))
  const chunks = chunksOf(await pending)
  assert.match(String((await chunks.next()).value), /"content":"a"/)
  return chunks
}

test('a model that never starts to answer is upstream_timeout, streamed or not, though it ignores its signal', async () => {
  for (const stream of [true, false]) {
    const deaf = openDeafModel()
    const answer = deaf.chat.chat({ messages, stream }, createCall())
    if (stream) deaf.send({ type: 'stream-start', warnings: [] })
    await Promise.resolve()
    deaf.clock.advance(1000)
    await assert.rejects(answer, failsWith('upstream_timeout'))
    assert.equal(deaf.clock.timers, 0)
  }
})

test('a pause while the reader waits is upstream_timeout, and the stream is cancelled', async () => {
  const deaf = openDeafModel()
  const chunks = await startStream(deaf)
  const next = chunks.next()
  deaf.clock.advance(500)
  await assert.rejects(next, failsWith('upstream_timeout'))
  assert.ok(PurserError.is(deaf.cancelReason(), 'upstream_timeout'))
  assert.ok(deaf.signal()?.aborted)
})

test('a stream that ends without a finish part was cut', async () => {
  const deaf = openDeafModel()
  const chunks = await startStream(deaf)
  deaf.close()
  await assert.rejects(chunks.next(), failsWith('upstream_failed'))
})

test('an error part fails the call before the first chunk, and the iterator after it', async () => {
  const rateLimit = Object.assign(new Error('quota for sk-secret'), {
    name: 'AI_APICallError',
    statusCode: 429,
    responseHeaders: { 'retry-after': '2' },
  })
  const first = openDeafModel()
  const answer = first.chat.chat(streamRequest, createCall())
  first.send({ type: 'error', error: rateLimit })
  await assert.rejects(
    answer,
    failsWith('upstream_rate_limited', ({ details }) => details?.retryAfterMs === 2000),
  )
  const second = openDeafModel()
  const chunks = await startStream(second)
  second.send({ type: 'error', error: new Error('sk-secret') })
  await assert.rejects(
    chunks.next(),
    failsWith('upstream_failed', ({ message }) => !message.includes('sk-secret')),
  )
})

test('an abort rejects with its reason, and a reader that stops early cancels the stream', async () => {
  const abort = new AbortController()
  const aborted = openDeafModel()
  const next = (await startStream(aborted, abort.signal)).next()
  const reason = new Error('aborted')
  abort.abort(reason)
  await assert.rejects(next, reason)
  assert.ok(aborted.signal()?.aborted)

  const stopped = openDeafModel()
  const chunks = await startStream(stopped)
  await chunks.return?.()
  assert.ok(stopped.signal()?.aborted)
  assert.notEqual(stopped.cancelReason(), undefined)
  assert.equal(stopped.clock.timers, 0)
})

test('a complete answer ends with finish reason and usage', async () => {
  const deaf = openDeafModel()
  const chunks = await startStream(deaf)
  deaf.send(finish)
  deaf.close()
  const rest = [await chunks.next(), await chunks.next(), await chunks.next()]
  assert.deepEqual(
    rest.map(({ done }) => done ?? false),
    [false, false, true],
  )
  assert.match(String(rest[1]?.value), /"prompt_tokens":3/)
})

test('a lazy model is created once, and again only after its creation failed', async () => {
  let created = 0
  const lazy = createLazyModel({ provider: 'p', modelId: 'm' }, async () => {
    created += 1
    if (created === 1) throw new PurserError('package_missing', 'Not installed.')
    return model
  })
  await assert.rejects(Promise.resolve(lazy.doGenerate({ prompt: [] })), failsWith('package_missing'))
  await Promise.all([lazy.doGenerate({ prompt: [] }), lazy.doGenerate({ prompt: [] })])
  assert.equal(created, 2)
})

test('a package that is not installed is package_missing, with the command that installs it', async () => {
  const load = () => import(`@ai-sdk/${'not-there'}`)
  await assert.rejects(
    importPackage('@ai-sdk/not-there', load),
    failsWith('package_missing', ({ hint }) => hint === 'npm install @ai-sdk/not-there'),
  )
})

test('the cache breakpoints of instructions stay where they are, and the context of the user stands behind the last one', () => {
  const cache_control = { type: 'ephemeral' }
  const cached = { anthropic: { cacheControl: cache_control }, bedrock: { cachePoint: { type: 'default' } } }
  const request = {
    messages: [
      {
        role: 'system',
        content: [
          { type: 'text', text: 'Rules.' },
          { type: 'text', text: 'Manual.', cache_control },
        ],
      },
      { role: 'user', content: 'Hi' },
    ],
  }
  assert.deepEqual(convertToPrompt(injectContext(request as ChatRequest, 'name: Ann').messages).slice(0, 4), [
    { role: 'system', content: 'Rules.' },
    { role: 'system', content: 'Manual.', providerOptions: cached },
    { role: 'system', content: 'name: Ann' },
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
  ])
})

test('what a provider has signed comes back to it, streamed or whole', async () => {
  const signature = { anthropic: { signature: 'sig' } }
  const redacted = { anthropic: { redactedData: 'data' } }
  const parts: Part[] = [
    { type: 'reasoning-start', id: '1' },
    { type: 'reasoning-delta', id: '1', delta: 'Let me ' },
    { type: 'reasoning-delta', id: '1', delta: 'see.' },
    { type: 'reasoning-delta', id: '1', delta: '', providerMetadata: signature },
    { type: 'reasoning-end', id: '1' },
    { type: 'reasoning-start', id: '2', providerMetadata: redacted },
    { type: 'reasoning-end', id: '2' },
    textDelta('Yes.'),
    finish,
  ]
  const details = [
    { type: 'reasoning.text', text: 'Let me see.', signature: 'sig' },
    { type: 'reasoning.encrypted', data: 'data' },
  ]
  const languageModel: LanguageModelV4 = {
    ...model,
    doStream: async () => ({ stream: ReadableStream.from(parts) as ReadableStream<Part> }),
    doGenerate: async () => ({
      content: [
        { type: 'reasoning', text: 'Let me see.', providerMetadata: signature },
        { type: 'reasoning', text: '', providerMetadata: redacted },
        { type: 'text', text: 'Yes.' },
      ],
      finishReason: finish.finishReason,
      usage,
      warnings: [],
    }),
  }
  const chat = createAiSdkChatModel({ effects: handClock(), provider: 'p', languageModel })
  const texts = await Array.fromAsync(chunksOf(await chat.chat(streamRequest, createCall())))
  const streamed = mergeChunks(texts.map((text) => JSON.parse(text)))
  const whole = await chat.chat({ messages }, createCall())
  assert.equal(whole.kind, 'completion')
  for (const { choices } of [streamed, JSON.parse(whole.text) as typeof streamed]) {
    const message = choices[0]?.message
    assert.deepEqual(message, {
      role: 'assistant',
      content: 'Yes.',
      reasoning_content: 'Let me see.',
      reasoning_details: details,
    })
    const [, said] = convertToPrompt([...messages, message as ChatRequest['messages'][number]])
    const named = (fields: object, encrypted = fields): object => ({
      anthropic: fields,
      amazonBedrock: encrypted,
      bedrock: encrypted,
    })
    assert.deepEqual(said?.content, [
      { type: 'reasoning', text: 'Let me see.', providerOptions: named({ signature: 'sig' }) },
      {
        type: 'reasoning',
        text: '',
        providerOptions: named({ redactedData: 'data' }, { redactedContent: 'data' }),
      },
      { type: 'text', text: 'Yes.' },
    ])
  }
})
