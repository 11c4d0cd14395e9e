import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import { purserModel } from '../../src/ai-sdk/index.ts'
import { getCount, openAiSdkHarness } from '../support/ai-sdk-harness.ts'
import { failsWith } from '../support/provider-harness.ts'
import {
  answerWith,
  chunkWith,
  sendEvents,
  sendJson,
  type UpstreamHandler,
  usageChunk,
} from '../support/provider-upstream.ts'
import { anthropicMessages, anthropicToolUse } from '../support/provider-wire-formats.ts'

const prompt: LanguageModelV4CallOptions['prompt'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]

test('purserModel: a call carries context, parameters and pseudonym, and is counted with its tokens', async () => {
  await using harness = await openAiSdkHarness({ dailyCap: 5 })
  const user = harness.user('ann@example.com')
  await user.profile.put({ name: 'Ann' })
  const { text } = await generateText({ model: purserModel(user), instructions: 'Be kind.', prompt: 'Hi' })
  assert.equal(text, 'hello')
  const { textStream, usage } = streamText({ model: purserModel(user), instructions: 'Be kind.', prompt: 'Hi' })
  assert.equal((await Array.fromAsync(textStream)).join(''), 'hello')
  assert.equal((await usage).totalTokens, 5)
  for (const { body } of harness.upstream.requests) {
    const { messages, temperature, safety_identifier } = JSON.parse(body)
    assert.match(messages[0].content, /^Be kind\.\n\n[\s\S]*Ann/)
    assert.deepEqual(messages[1], { role: 'user', content: 'Hi' })
    assert.equal(temperature, 0.25)
    assert.match(safety_identifier, /^[0-9a-f]{64}$/)
    assert.doesNotMatch(body, /ann@example/)
  }
  assert.equal(await getCount(user), 2)
})

test('purserModel: a call over the cap rejects with cap_reached, is not retried by the AI SDK and reaches no provider', async () => {
  await using harness = await openAiSdkHarness({ dailyCap: 1 })
  const user = harness.user('u')
  await generateText({ model: purserModel(user), prompt: 'Hi' })
  await assert.rejects(generateText({ model: purserModel(user), prompt: 'Hi' }), failsWith('cap_reached'))
  await user.ledger.block({ actor: 'test', reason: 'test' })
  await assert.rejects(generateText({ model: purserModel(user), prompt: 'Hi' }), failsWith('user_blocked'))
  assert.equal(harness.upstream.requests.length, 1)
  assert.equal(await getCount(user), 1)
})

const weather = tool({
  description: 'The weather',
  inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
  execute: async ({ city }) => `sunny in ${city}`,
})

/** Calls the tool after a user message, and repeats the tool's result after a tool message. */
const callTool: UpstreamHandler = (response, request) => {
  const { messages, stream } = JSON.parse(request.body)
  if (messages.at(-1).role === 'tool') return answerWith(messages.at(-1).content)(response, request)
  const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Pune"}' } }
  if (stream) {
    const delta = { role: 'assistant', tool_calls: [{ index: 0, ...call }] }
    sendEvents(response, [chunkWith(delta), chunkWith({}, 'tool_calls'), usageChunk, '[DONE]'])
    return response.end()
  }
  const message = { role: 'assistant', content: null, tool_calls: [call] }
  return sendJson(response, 200, {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
  })
}

test('purserModel: steps after a tool are not counted, but carry the same context; the next message is counted', async () => {
  await using harness = await openAiSdkHarness({ handler: callTool, dailyCap: 2 })
  const user = harness.user('u')
  await user.profile.put({ name: 'Ann' })
  const model = purserModel(user)
  const { text } = await generateText({ model, tools: { weather }, stopWhen: stepCountIs(5), prompt: 'Weather?' })
  assert.equal(text, 'sunny in Pune')
  assert.equal(await getCount(user), 1)
  const stream = streamText({ model, tools: { weather }, stopWhen: stepCountIs(5), prompt: 'Again?' })
  assert.equal((await Array.fromAsync(stream.textStream)).join(''), 'sunny in Pune')
  assert.equal(await getCount(user), 2)
  assert.equal(harness.upstream.requests.length, 4)
  for (const { body } of harness.upstream.requests) {
    assert.match(JSON.parse(body).messages[0].content, /Ann/)
    assert.equal(JSON.parse(body).temperature, 0.25)
  }
  assert.deepEqual(
    harness.purser.runtime.active().map(({ inUse }) => inUse),
    [0],
    'every lease is released',
  )
  await assert.rejects(generateText({ model, prompt: 'Third?' }), failsWith('cap_reached'))
})

test('purserModel: a step after a tool is counted if the message before it was refused or failed', async () => {
  await using harness = await openAiSdkHarness({ handler: (response) => sendJson(response, 500, {}), dailyCap: 1 })
  const user = harness.user('u')
  const model = purserModel(user)
  await assert.rejects(generateText({ model, prompt: 'Hi', maxRetries: 0 }), failsWith('upstream_failed'))
  assert.equal(await getCount(user), 0)
  const promptAfterTool: LanguageModelV4CallOptions['prompt'] = [
    ...prompt,
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'a', toolName: 'f', input: {} }] },
    {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId: 'a', toolName: 'f', output: { type: 'text', value: 'x' } }],
    },
  ]
  harness.upstream.handler = answerWith('hello')
  await model.doGenerate({ prompt: promptAfterTool })
  assert.equal(await getCount(user), 1)
  await model.doGenerate({ prompt: promptAfterTool })
  assert.equal(await getCount(user), 1)
  await assert.rejects(
    Promise.resolve(purserModel(user).doGenerate({ prompt: promptAfterTool })),
    failsWith('cap_reached'),
  )
})

test('purserModel: a cancelled stream stops a silent upstream at once, and the call stays counted', async () => {
  await using harness = await openAiSdkHarness({ dailyCap: 5 })
  const user = harness.user('u')
  const response = harness.upstream.nextResponse()
  const pending = purserModel(user).doStream({ prompt })
  sendEvents(await response, [chunkWith({ role: 'assistant', content: 'a' })])
  const reader = (await pending).stream.getReader()
  for (let part = await reader.read(); part.value?.type !== 'text-delta'; ) part = await reader.read()
  const closed = once(await response, 'close')
  await reader.cancel()
  await closed
  assert.equal(await getCount(user), 1)
})

test('purserModel: an equal request is answered from the cache and counted', async () => {
  await using harness = await openAiSdkHarness({ answers: true })
  const user = harness.user('u')
  for (let round = 0; round < 3; round++) {
    const { textStream } = streamText({ model: purserModel(user), prompt: 'Hi' })
    assert.equal((await Array.fromAsync(textStream)).join(''), 'hello')
  }
  assert.equal(harness.upstream.requests.length, 1)
  assert.equal(await getCount(user), 3)
})

test('purserModel on Anthropic: tools are called and answered in its own format, with reasoning', async () => {
  const callAnthropicTool = anthropicToolUse('weather', ['{"city":', '"Pune"}'])
  await using harness = await openAiSdkHarness({
    handler(response, request) {
      const isAfterTool = JSON.stringify(JSON.parse(request.body).messages.at(-1)).includes('tool_result')
      return isAfterTool ? anthropicMessages('done')(response, request) : callAnthropicTool(response, request)
    },
    kind: 'anthropic',
    dailyCap: 5,
  })
  const user = harness.user('u')
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
  const [first, second] = harness.upstream.requests.map(({ body }) => JSON.parse(body))
  assert.match(first.metadata.user_id, /^[0-9a-f]{64}$/)
  assert.equal(first.tools[0].name, 'weather')
  assert.equal(second.messages.at(-1).content[0].type, 'tool_result')
  assert.equal(await getCount(user), 1)
})
