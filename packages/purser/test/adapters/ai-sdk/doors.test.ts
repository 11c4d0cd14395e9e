import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { generateText, jsonSchema, stepCountIs, streamText, type ToolSet, tool, wrapLanguageModel } from 'ai'
import { type AiSdkUser, purserMiddleware, purserModel, purserTools } from '../../../src/adapters/ai-sdk/index.ts'
import { PurserError } from '../../../src/errors.ts'
import { openPurser, type Purser } from '../../../src/index.ts'
import type { ProviderConfig } from '../../../src/options.ts'
import { answerWith, chunkWith, openUpstream, sendEvents, sendJson, type Upstream, usageChunk } from '../upstream.ts'
import { anthropicMessages, anthropicToolUse } from '../wire-formats.ts'

const open: Purser[] = []
after(() => Promise.all(open.map((purser) => purser.close())))

async function purserOn(
  upstream: Upstream,
  more: { kind?: ProviderConfig['kind']; dailyCap?: number; answers?: boolean } = {},
): Promise<Purser> {
  const purser = await openPurser({
    store: 'memory:',
    providers: { p: { kind: more.kind ?? 'openai-compatible', baseURL: `${upstream.url}/v1`, apiKey: 'operator-key' } },
    runtime: { defaults: { provider: 'p', model: 'm', parameters: { temperature: 0.25 } } },
    ledger: { dailyCap: more.dailyCap ?? 0 },
    answers: { enabled: more.answers ?? false },
  })
  open.push(purser)
  return purser
}

const refusedWith = (code: 'cap_reached' | 'user_blocked') => (error: unknown) => PurserError.is(error, code)
const counted = async (user: AiSdkUser & { ledger: { quota(): Promise<{ count: number }> } }) =>
  (await user.ledger.quota()).count

test('purserModel: a call carries the context, the parameters and the pseudonym, and is counted with its tokens', async () => {
  await using upstream = await openUpstream(answerWith('hello'))
  const purser = await purserOn(upstream, { dailyCap: 5 })
  const user = purser.user('ann@example.com')
  await user.profile.put({ name: 'Ann' })
  const { text } = await generateText({ model: purserModel(user), instructions: 'Be kind.', prompt: 'Hi' })
  assert.equal(text, 'hello')
  const { textStream, usage } = streamText({ model: purserModel(user), instructions: 'Be kind.', prompt: 'Hi' })
  assert.equal((await Array.fromAsync(textStream)).join(''), 'hello')
  assert.equal((await usage).totalTokens, 5)
  for (const { body } of upstream.seen) {
    const { messages, temperature, safety_identifier } = JSON.parse(body)
    assert.match(messages[0].content, /^Be kind\.\n\n[\s\S]*Ann/)
    assert.deepEqual(messages[1], { role: 'user', content: 'Hi' })
    assert.equal(temperature, 0.25)
    assert.match(safety_identifier, /^[0-9a-f]{64}$/)
    assert.doesNotMatch(body, /ann@example/)
  }
  assert.equal(await counted(user), 2)
})

test('purserModel: over the cap a call is a PurserError that the AI SDK does not try again, and reaches no model', async () => {
  await using upstream = await openUpstream(answerWith('hello'))
  const purser = await purserOn(upstream, { dailyCap: 1 })
  const user = purser.user('u')
  await generateText({ model: purserModel(user), prompt: 'Hi' })
  await assert.rejects(generateText({ model: purserModel(user), prompt: 'Hi' }), refusedWith('cap_reached'))
  await user.ledger.block({ actor: 'test', reason: 'test' })
  await assert.rejects(generateText({ model: purserModel(user), prompt: 'Hi' }), refusedWith('user_blocked'))
  assert.equal(upstream.seen.length, 1)
  assert.equal(await counted(user), 1)
})

const weather = tool({
  description: 'The weather',
  inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
  execute: async ({ city }) => `sunny in ${city}`,
})

/** Asks for the tool when the last word is the user's, and answers when it is the tool's. */
function toolUsing(upstream: Upstream): void {
  upstream.script = (response, { body }) => {
    const { messages, stream } = JSON.parse(body)
    if (messages.at(-1).role !== 'tool') {
      const called = {
        index: 0,
        id: 'call_1',
        type: 'function',
        function: { name: 'weather', arguments: '{"city":"Pune"}' },
      }
      if (stream) {
        sendEvents(response, [
          chunkWith({ role: 'assistant', tool_calls: [called] }),
          chunkWith({}, 'tool_calls'),
          usageChunk,
          '[DONE]',
        ])
        return response.end()
      }
      const { index: _, ...call } = called
      const message = { role: 'assistant', content: null, tool_calls: [call] }
      return sendJson(response, 200, {
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
      })
    }
    answerWith(messages.at(-1).content)(response, upstream.seen.at(-1) as never)
  }
}

test('purserModel: the steps after a tool are not counted, but carry the same context; the next message is counted', async () => {
  await using upstream = await openUpstream()
  toolUsing(upstream)
  const purser = await purserOn(upstream, { dailyCap: 2 })
  const user = purser.user('u')
  await user.profile.put({ name: 'Ann' })
  const model = purserModel(user)
  const { text } = await generateText({ model, tools: { weather }, stopWhen: stepCountIs(5), prompt: 'Weather?' })
  assert.equal(text, 'sunny in Pune')
  assert.equal(await counted(user), 1)
  const stream = streamText({ model, tools: { weather }, stopWhen: stepCountIs(5), prompt: 'Again?' })
  assert.equal((await Array.fromAsync(stream.textStream)).join(''), 'sunny in Pune')
  assert.equal(await counted(user), 2)
  assert.equal(upstream.seen.length, 4)
  for (const { body } of upstream.seen) {
    assert.match(JSON.parse(body).messages[0].content, /Ann/)
    assert.equal(JSON.parse(body).temperature, 0.25)
  }
  assert.deepEqual(
    purser.runtime.active().map(({ inUse }) => inUse),
    [0],
    'every lease has gone back',
  )
  await assert.rejects(generateText({ model, prompt: 'Third?' }), refusedWith('cap_reached'))
})

test('purserModel: a step after a tool is counted when the message before it was refused or failed', async () => {
  await using upstream = await openUpstream((response) => sendJson(response, 500, {}))
  const purser = await purserOn(upstream, { dailyCap: 1 })
  const user = purser.user('u')
  const model = purserModel(user)
  await assert.rejects(generateText({ model, prompt: 'Hi', maxRetries: 0 }), (error: unknown) =>
    PurserError.is(error, 'upstream_failed'),
  )
  assert.equal(await counted(user), 0)
  const afterTool: LanguageModelV4CallOptions['prompt'] = [
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'a', toolName: 'f', input: {} }] },
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: 'a', toolName: 'f', output: { type: 'text', value: 'x' } }],
    },
  ]
  upstream.script = answerWith('hello')
  await model.doGenerate({ prompt: afterTool })
  assert.equal(await counted(user), 1)
  await model.doGenerate({ prompt: afterTool })
  assert.equal(await counted(user), 1)
  await assert.rejects(Promise.resolve(purserModel(user).doGenerate({ prompt: afterTool })), refusedWith('cap_reached'))
})

test('purserModel: an equal question is answered from what was kept, streamed or not', async () => {
  await using upstream = await openUpstream(answerWith('hello'))
  const purser = await purserOn(upstream, { answers: true })
  const user = purser.user('u')
  for (let round = 0; round < 3; round++) {
    const { textStream } = streamText({ model: purserModel(user), prompt: 'Hi' })
    assert.equal((await Array.fromAsync(textStream)).join(''), 'hello')
  }
  assert.equal(upstream.seen.length, 1)
  assert.equal(await counted(user), 3)
})

test('purserModel on Anthropic: tools are asked for and answered in its own format, with reasoning', async () => {
  await using upstream = await openUpstream()
  const script = anthropicToolUse('weather', ['{"city":', '"Pune"}'])
  upstream.script = (response, seen) => {
    const { messages } = JSON.parse(seen.body)
    const answered = JSON.stringify(messages.at(-1)).includes('tool_result')
    return answered ? anthropicMessages('done')(response, seen) : script(response, seen)
  }
  const purser = await purserOn(upstream, { kind: 'anthropic', dailyCap: 5 })
  const user = purser.user('u')
  const stream = streamText({
    model: purserModel(user),
    tools: { weather },
    stopWhen: stepCountIs(5),
    prompt: 'Weather?',
  })
  assert.equal((await Array.fromAsync(stream.textStream)).join(''), 'done')
  const steps = await stream.steps
  assert.deepEqual(
    steps[0]?.toolCalls.map(({ input }) => input),
    [{ city: 'Pune' }],
  )
  assert.equal(steps[0]?.reasoningText, 'hm')
  const [first, second] = upstream.seen.map(({ body }) => JSON.parse(body))
  assert.match(first.metadata.user_id, /^[0-9a-f]{64}$/)
  assert.equal(first.tools[0].name, 'weather')
  assert.equal(second.messages.at(-1).content[0].type, 'tool_result')
  assert.equal(await counted(user), 1)
})

/** A model of the application's own, which notes what it is asked. */
function ownModel(
  answers: readonly (readonly LanguageModelV4StreamPart[] | Error)[],
): LanguageModelV4 & { prompts: LanguageModelV4CallOptions['prompt'][] } {
  const left = [...answers]
  const prompts: LanguageModelV4CallOptions['prompt'][] = []
  const next = (call: LanguageModelV4CallOptions) => {
    prompts.push(call.prompt)
    const answer = left.length > 1 ? left.shift() : left[0]
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer')
    return answer
  }
  return {
    specificationVersion: 'v4',
    provider: 'own',
    modelId: 'own',
    supportedUrls: {},
    prompts,
    async doGenerate(call) {
      next(call)
      return {
        content: [{ type: 'text', text: 'own' }],
        finishReason: { unified: 'stop', raw: 'stop' },
        usage,
        warnings: [],
      }
    },
    async doStream(call) {
      return { stream: ReadableStream.from(next(call)) as ReadableStream<LanguageModelV4StreamPart> }
    },
  }
}

const usage = {
  inputTokens: { total: 3, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: undefined, reasoning: undefined },
}
const parts: LanguageModelV4StreamPart[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: 'own' },
  { type: 'text-end', id: '0' },
  { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
]

test('purserMiddleware: a model of your own is admitted, told the context and counted once a message', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream, { dailyCap: 2 })
  const user = purser.user('u')
  await user.profile.put({ name: 'Ann' })
  const own = ownModel([parts])
  const model = wrapLanguageModel({ model: own, middleware: purserMiddleware(user) })
  assert.equal((await generateText({ model, instructions: 'Be kind.', prompt: 'Hi' })).text, 'own')
  assert.equal(await streamText({ model, prompt: 'Hi' }).text, 'own')
  assert.match(String(own.prompts[0]?.[0]?.content), /^Be kind\.\n\n[\s\S]*Ann/)
  assert.equal(own.prompts[1]?.[0]?.role, 'system')
  assert.equal(await counted(user), 2)
  await assert.rejects(generateText({ model, prompt: 'Hi' }), refusedWith('cap_reached'))
  assert.equal(own.prompts.length, 2)
})

test('purserMiddleware: what fails before it answers is given back; what fails later, or is left, is not', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream, { dailyCap: 9 })
  const failing: LanguageModelV4StreamPart[] = [
    { type: 'stream-start', warnings: [] },
    { type: 'error', error: new Error('no') },
  ]
  const later: LanguageModelV4StreamPart[] = [...parts.slice(0, 3), { type: 'error', error: new Error('no') }]
  const cases: [string, readonly LanguageModelV4StreamPart[] | Error, number][] = [
    ['rejected', new Error('no'), 0],
    ['failed at once', failing, 0],
    ['failed later', later, 1],
    ['left', parts, 1],
  ]
  for (const [name, answer, count] of cases) {
    const user = purser.user(name)
    const model = wrapLanguageModel({ model: ownModel([answer]), middleware: purserMiddleware(user) })
    const prompt: LanguageModelV4CallOptions['prompt'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]
    try {
      const { stream } = await model.doStream({ prompt })
      const reader = stream.getReader()
      if (name === 'left') await reader.cancel()
      else while (!(await reader.read()).done);
    } catch (error) {
      assert.equal((error as Error).message, 'no')
    }
    assert.equal(await counted(user), count, name)
  }
})

test('the handle of a user, and the tools made from it, are what the AI SDK and Purser say they are', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream)
  const user: AiSdkUser = purser.user('u')
  const tools: ToolSet = await purserTools(user)
  assert.deepEqual(tools, {})
})
