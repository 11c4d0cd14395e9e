import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4GenerateResult } from '@ai-sdk/provider'
import { purserMiddleware } from '../../src/ai-sdk/purser-middleware.ts'
import { type Limit, openPurser } from '../../src/index.ts'

const TOKENS: Limit = { name: 'tokens', measure: 'tokens', max: 1_000, window: 'day' }
const result = {
  content: [{ type: 'tool-call', toolCallId: 't', toolName: 'find', input: '{}' }],
  finishReason: { unified: 'tool-calls', raw: undefined },
  usage: { inputTokens: { total: 100, cacheRead: 40 }, outputTokens: { total: 50 } },
  warnings: [],
} as unknown as LanguageModelV4GenerateResult
const model = {
  provider: 'openai.responses',
  modelId: 'gpt-6',
  doGenerate: async () => result,
} as unknown as LanguageModelV4
const first: LanguageModelV4CallOptions = { prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] }
const step: LanguageModelV4CallOptions = {
  prompt: [...first.prompt, { role: 'tool', content: [] }],
  maxOutputTokens: 64,
}

async function call(middleware: ReturnType<typeof purserMiddleware>, params: LanguageModelV4CallOptions) {
  const options = { model, params, doGenerate: async () => result, doStream: () => assert.fail() }
  return middleware.wrapGenerate?.(options as never)
}

test('a step after a tool is no turn, and its tokens, its cost and its tool calls are limited and counted', async () => {
  const calls: Limit = { name: 'calls', measure: 'toolCalls', max: 9, window: 'day' }
  const cost: Limit = { name: 'cost', measure: 'cost', max: '1', window: 'day', models: ['openai/*'] }
  await using purser = await openPurser({
    store: 'memory:',
    prices: { 'openai/gpt-6': { input: '10', output: '20', cachedInput: '1' } },
    ledger: { dailyCap: 1, limits: [TOKENS, calls, cost] },
  })
  const { ledger } = purser.user('ada')
  const middleware = purserMiddleware(purser.user('ada'))
  await call(middleware, first)
  await call(middleware, step)
  const used = Object.fromEntries((await ledger.limits()).map((limit) => [limit.name, limit.used]))
  // Per call: 60 input tokens at 10, 40 cached ones at 1 and 50 output tokens at 20 a million.
  assert.deepEqual(used, { daily: 1, tokens: 300, calls: 2, cost: '0.00328' })
  await ledger.setLimit('tokens', 300, { actor: 'ana' })
  await assert.rejects(call(middleware, step), {
    code: 'cap_reached',
    message: /^Limit 'tokens' of 300 tokens reached/,
  })
})

test('a limit that sends calls to another model refuses the model of the application', async () => {
  const limit: Limit = { ...TOKENS, max: 0, onLimit: { model: 'small' } }
  await using purser = await openPurser({ store: 'memory:', ledger: { limits: [limit] } })
  const ada = purser.user('ada')
  await assert.rejects(call(purserMiddleware(ada), first), (error: { code: string; details: { model: string } }) => {
    assert.deepEqual([error.code, error.details.model], ['cap_reached', 'openai/small'])
    return true
  })
  assert.equal((await ada.ledger.quota()).count, 0)
})
