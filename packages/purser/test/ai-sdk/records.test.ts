import assert from 'node:assert/strict'
import { test } from 'node:test'
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider'
import { purserMiddleware } from '../../src/ai-sdk/purser-middleware.ts'
import { purserModel } from '../../src/ai-sdk/purser-model.ts'
import { type Limit, openPurser, type Purser, type PurserOptions, type TurnRecord } from '../../src/index.ts'

/* Calls of the AI SDK have records like turns: context, tools, tokens, cost, and why they failed. */

const USAGE = {
  inputTokens: { total: 100, noCache: 60, cacheRead: 40, cacheWrite: undefined },
  outputTokens: { total: 50, text: 50, reasoning: undefined },
}
const TOOL: NonNullable<LanguageModelV4CallOptions['tools']>[number] = {
  type: 'function',
  name: 'find',
  inputSchema: { type: 'object' },
}
const toolCall = (toolName: string) => ({ type: 'tool-call' as const, toolCallId: toolName, toolName, input: '{}' })
const first: LanguageModelV4CallOptions = {
  prompt: [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(40) }] }],
  tools: [TOOL],
}
const step: LanguageModelV4CallOptions = { ...first, prompt: [...first.prompt, { role: 'tool', content: [] }] }

const PARTS: readonly LanguageModelV4StreamPart[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Hello' },
  { type: 'text-delta', id: 't', delta: ' there' },
  toolCall('find'),
  { type: 'finish', finishReason: { unified: 'stop', raw: undefined }, usage: USAGE },
]

function modelOf(modelId: string): LanguageModelV4 {
  const model: LanguageModelV4 = {
    specificationVersion: 'v4',
    provider: 'local',
    modelId,
    supportedUrls: {},
    doGenerate: async (): Promise<LanguageModelV4GenerateResult> => ({
      content: [toolCall('find'), toolCall('find'), toolCall('a word of ada')],
      finishReason: { unified: 'tool-calls', raw: undefined },
      usage: USAGE,
      warnings: [],
    }),
    doStream: async () => ({ stream: ReadableStream.from(PARTS) }),
  }
  return model
}

async function open(options: PurserOptions = {}): Promise<Purser> {
  const purser = await openPurser({
    store: 'memory:',
    providers: { local: () => ({ languageModel: modelOf }) },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    prices: { 'local/m': { input: '10', output: '20', cachedInput: '1' } },
    ...options,
  })
  await purser.user('ada').profile.put({ name: 'Ada' })
  return purser
}

type Middleware = ReturnType<typeof purserMiddleware>

async function generate(middleware: Middleware, params: LanguageModelV4CallOptions): Promise<void> {
  const model = modelOf('m')
  await middleware.wrapGenerate?.({
    model,
    params,
    doGenerate: async () => assert.fail(),
    doStream: async () => assert.fail(),
  })
}

async function stream(
  middleware: Middleware,
  { model = modelOf('m'), params = first }: { model?: LanguageModelV4; params?: LanguageModelV4CallOptions } = {},
): Promise<ReadableStream<LanguageModelV4StreamPart>> {
  const doNothing = async () => assert.fail()
  const result = await middleware.wrapStream?.({ model, params, doGenerate: doNothing, doStream: doNothing })
  assert.ok(result)
  return result.stream
}

function sectionsOf({ context }: TurnRecord): readonly (readonly [string, string, boolean])[] {
  return context.map(({ section, status, tokens }) => [section, status, tokens > 0])
}

const SECTIONS = [
  ['profile', 'fresh', true],
  ['actions', 'empty', false],
]

test('a call and its step after a tool have a record each, with context, tools, tokens and cost', async () => {
  await using purser = await open()
  const ada = purser.user('ada')
  const middleware = purserMiddleware(ada)
  await generate(middleware, first)
  await generate(middleware, step)
  const records = (await ada.turns()).toReversed()
  assert.deepEqual(
    records.map(({ endpoint, outcome, weight }) => [endpoint, outcome, weight]),
    [
      ['ai-sdk', 'completed', 1],
      ['ai-sdk', 'completed', 0],
    ],
  )
  for (const record of records) {
    const { provider, model, inputTokens, outputTokens, cachedTokens, cost, tools } = record
    assert.deepEqual([provider, model, inputTokens, outputTokens, cachedTokens], ['local', 'm', 100, 50, 40])
    assert.equal(cost, '0.00164')
    assert.deepEqual(tools, [
      { name: 'find', calls: 2 },
      { name: 'other', calls: 1 },
    ])
    assert.deepEqual(sectionsOf(record), SECTIONS)
  }
  const [sum] = await ada.usage()
  assert.deepEqual([sum?.turns, sum?.inputTokens, sum?.outputTokens, sum?.cost], [1, 200, 100, '0.00328'])
})

test('streams: read to the end, left, broken and failed before their first part', async () => {
  await using purser = await open()
  const ada = purser.user('ada')
  await Array.fromAsync(await stream(purserMiddleware(ada)))
  const left = (await stream(purserMiddleware(ada))).getReader()
  for (let part = 0; part < 5; part++) await left.read()
  await left.cancel()
  const broken: LanguageModelV4 = {
    ...modelOf('m'),
    doStream: async () => ({
      stream: ReadableStream.from([...PARTS.slice(0, 4), { type: 'error' as const, error: new Error('cut') }]),
    }),
  }
  await Array.fromAsync(await stream(purserMiddleware(ada), { model: broken }))
  const down = { ...modelOf('m'), doStream: async () => Promise.reject(new Error('down')) }
  await assert.rejects(stream(purserMiddleware(ada), { model: down }), /down/)
  const [failed, cut, cancelled, completed] = await ada.turns()
  const figures = ({ outcome, code, weight, inputTokens, outputTokens, tools }: TurnRecord) =>
    [outcome, code, weight, inputTokens, outputTokens, tools.length] as const
  assert.ok(failed && cut && cancelled && completed)
  assert.deepEqual(figures(completed), ['completed', null, 1, 100, 50, 1])
  assert.deepEqual(figures(cancelled), ['cancelled', null, 1, cancelled.inputTokens, 2, 1])
  assert.deepEqual(figures(cut), ['failed', 'upstream_failed', 1, cut.inputTokens, 2, 0])
  assert.deepEqual(figures(failed), ['failed', 'upstream_failed', 0, 0, 0, 0])
  for (const record of [failed, cut, cancelled, completed]) assert.deepEqual(sectionsOf(record), SECTIONS)
  // The prompt of 40 bytes, and the context.
  assert.ok(cancelled.inputTokens >= 10 && cancelled.inputTokens < 100, String(cancelled.inputTokens))
  assert.deepEqual([(await ada.usage())[0]?.turns, (await ada.ledger.quota()).count], [3, 3])
})

test('a refused call says which limit refused it, and a model that a limit excludes says so', async () => {
  const limits = [{ name: 'few', measure: 'turns', max: 1, window: 'day' }] as const
  await using purser = await open({ ledger: { limits: [...limits] } })
  const ada = purser.user('ada')
  await generate(purserMiddleware(ada), first)
  await assert.rejects(generate(purserMiddleware(ada), first), { code: 'cap_reached' })
  const [refused] = await ada.turns()
  assert.deepEqual(
    [refused?.outcome, refused?.code, refused?.limit, refused?.weight],
    ['refused', 'cap_reached', 'few', 1],
  )
  assert.deepEqual((await ada.usage({ by: 'limit' }))[0]?.refused, 1)

  const down = [{ ...limits[0], onLimit: { model: 'small' } }]
  await using other = await open({ ledger: { limits: down } })
  const bob = other.user('bob')
  await generate(purserMiddleware(bob), first)
  await assert.rejects(generate(purserMiddleware(bob), first), { code: 'cap_reached' })
  const [excluded] = await bob.turns()
  assert.deepEqual([excluded?.outcome, excluded?.code, excluded?.weight], ['failed', 'cap_reached', 0])
})

test('a step of purserModel that a limit sends to another model is recorded and priced for that one', async () => {
  const limits: Limit[] = [
    { name: 'big', measure: 'tokens', max: 100, window: 'day', models: ['local/m'], onLimit: { model: 'n' } },
  ]
  await using purser = await open({ ledger: { limits } })
  const ada = purser.user('ada')
  const model = purserModel(ada)
  await model.doGenerate({ ...first, maxOutputTokens: 10 })
  await model.doGenerate({ ...step, maxOutputTokens: 10 })
  const [record, turn] = await ada.turns()
  assert.ok(record && turn)
  assert.deepEqual([turn.model, turn.weight, turn.downgradedBy, turn.cost], ['m', 1, null, '0.00164'])
  assert.deepEqual([record.model, record.weight, record.downgradedBy, record.cost], ['n', 0, 'big', null])
  assert.deepEqual(sectionsOf(record), SECTIONS)
  assert.deepEqual(sectionsOf(turn), SECTIONS)
})
