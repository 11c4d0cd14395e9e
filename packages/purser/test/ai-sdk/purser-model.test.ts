import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import { purserModel } from '../../src/ai-sdk/index.ts'
import { PurserError } from '../../src/errors.ts'
import {
  answerWith,
  chunkWith,
  openUpstream,
  sendEvents,
  sendJson,
  type Upstream,
  usageChunk,
} from '../providers/upstream.ts'
import { anthropicMessages, anthropicToolUse } from '../providers/wire-formats.ts'

import { closeAfterTests, counted, purserOn, refusedWith } from '../support/ai-sdk-harness.ts'

closeAfterTests()

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

test('purserModel: a reader that leaves stops a silent upstream at once, and the call stays counted', async () => {
  await using upstream = await openUpstream()
  const purser = await purserOn(upstream, { dailyCap: 5 })
  const user = purser.user('u')
  const { promise: response, resolve } = Promise.withResolvers<ServerResponse>()
  upstream.script = (answer) => {
    sendEvents(answer, [chunkWith({ role: 'assistant', content: 'a' })])
    resolve(answer)
  }
  const prompt: LanguageModelV4CallOptions['prompt'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }]
  const { stream } = await purserModel(user).doStream({ prompt })
  const reader = stream.getReader()
  for (let part = await reader.read(); part.value?.type !== 'text-delta'; ) part = await reader.read()
  const closed = once(await response, 'close')
  await reader.cancel()
  await closed
  assert.equal(await counted(user), 1)
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
