import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChatAnthropic } from '@langchain/anthropic'
import { tool as langchainTool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner, tool } from '@openai/agents'
import { z } from 'zod'
import {
  type FakeProvider,
  openGatewayHarness,
  sendChat,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../../support/gateway-harness.ts'

/* Frameworks as they come from npm, against a provider that has chat completions only. */

const CALLS = [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Pune"}' } }]
const HEADERS = { 'x-purser-user': 'ada' }

const upstream = await startFakeProvider((request, response) => sendChat(request, response, { content: 'Hello there' }))
const gateway = await openGatewayHarness({
  providers: { chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'upstream-key' } },
  runtime: { defaults: { provider: 'chat', model: 'm' } },
})

/** Asks for a tool first, and answers when it has the result. */
function answerWithTool(request: UpstreamRequest, response: Parameters<FakeProvider['handle']>[1]): void {
  const messages = (request.body?.messages ?? []) as { role: string; content: string }[]
  const result = messages.find(({ role }) => role === 'tool')
  if (result === undefined) sendChat(request, response, { tool_calls: CALLS }, { finish: 'tool_calls' })
  else sendChat(request, response, { content: `It is ${result.content}.` })
}

const schema = z.object({ city: z.string() })

for (const useResponsesApi of [false, true]) {
  test(`LangChain's model of OpenAI works with ${useResponsesApi ? 'responses' : 'chat completions'}`, async () => {
    const model = new ChatOpenAI({
      model: 'm',
      apiKey: gateway.key,
      maxRetries: 0,
      useResponsesApi,
      configuration: { baseURL: `${gateway.url}/v1`, defaultHeaders: HEADERS },
    })
    const message = await model.invoke('Hi')
    assert.equal(message.text, 'Hello there')
    assert.equal((message.usage_metadata as { input_tokens: number } | undefined)?.input_tokens, 11)
    let text = ''
    for await (const chunk of await model.stream('Hi')) text += chunk.text
    assert.equal(text, 'Hello there')
    upstream.handle = answerWithTool
    const weather = langchainTool(({ city }) => `sun in ${city}`, { name: 'weather', description: 'Weather.', schema })
    const asked = await model.bindTools([weather]).invoke('Weather?')
    assert.deepEqual(
      asked.tool_calls?.map(({ name, args }) => ({ name, args })),
      [{ name: 'weather', args: { city: 'Pune' } }],
    )
    upstream.handle = (request, response) => sendChat(request, response, { content: '{"city":"Pune"}' })
    const structured = await model.withStructuredOutput(schema, { method: 'jsonSchema' }).invoke('Where?')
    assert.deepEqual(structured, { city: 'Pune' })
  })
}

test("LangChain's embeddings work", async () => {
  upstream.handle = (_, response) =>
    sendJson(response, {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, 1] }],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    })
  const embeddings = new OpenAIEmbeddings({
    model: 'm',
    apiKey: gateway.key,
    maxRetries: 0,
    encodingFormat: 'float',
    configuration: { baseURL: `${gateway.url}/v1`, defaultHeaders: HEADERS },
  })
  assert.deepEqual(await embeddings.embedQuery('hi'), [0.5, 1])
})

test("LangChain's model of Anthropic works", async () => {
  const model = new ChatAnthropic({
    model: 'm',
    apiKey: gateway.key,
    anthropicApiUrl: gateway.url,
    maxRetries: 0,
    maxTokens: 50,
    clientOptions: { defaultHeaders: HEADERS },
  })
  assert.equal((await model.invoke('Hi')).text, 'Hello there')
  let text = ''
  for await (const chunk of await model.stream('Hi')) text += chunk.text
  assert.equal(text, 'Hello there')
  upstream.handle = answerWithTool
  const weather = langchainTool(({ city }) => `sun in ${city}`, { name: 'weather', description: 'Weather.', schema })
  const asked = await model.bindTools([weather]).invoke('Weather?')
  assert.deepEqual(asked.tool_calls?.[0]?.args, { city: 'Pune' })
})

for (const useResponses of [true, false]) {
  test(`an agent of OpenAI works with ${useResponses ? 'responses' : 'chat completions'}`, async () => {
    upstream.handle = answerWithTool
    const { default: OpenAI } = await import('openai')
    const openAIClient = new OpenAI({
      baseURL: `${gateway.url}/v1`,
      apiKey: gateway.key,
      maxRetries: 0,
      defaultHeaders: HEADERS,
    })
    const modelProvider = new OpenAIProvider({ openAIClient, useResponses } as ConstructorParameters<
      typeof OpenAIProvider
    >[0])
    const runner = new Runner({ modelProvider, tracingDisabled: true })
    const weather = tool({
      name: 'weather',
      description: 'Weather.',
      parameters: schema,
      execute: async ({ city }) => `sun in ${city}`,
    })
    const agent = new Agent({
      name: 'Assistant',
      instructions: 'You are the application.',
      model: 'm',
      tools: [weather],
    })
    const result = await runner.run(agent, 'Weather?')
    assert.equal(result.finalOutput, 'It is sun in Pune.')
    const streamed = await runner.run(agent, 'Weather?', { stream: true })
    let text = ''
    for await (const piece of streamed.toTextStream()) text += piece
    await streamed.completed
    assert.equal(text, 'It is sun in Pune.')
  })
}
