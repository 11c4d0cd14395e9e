import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import type { TurnRecord } from 'purser'
import { createJitter } from 'purser/internal'
import { printSeed, rounds, seed } from '../../../../purser/test/support/fuzz-options.ts'
import {
  openGatewayHarness,
  sendChat,
  sendEvents,
  sendJson,
  startFakeProvider,
  type UpstreamRequest,
} from '../../support/gateway-harness.ts'

/* On every endpoint that reports tokens, records and sums of usage have what the provider has reported. */

const REQUESTS = rounds(5_000, 150)
const CONCURRENCY = 16

interface Reported {
  readonly input: number
  readonly output: number
  readonly cached: number
  /** Written to the provider's cache, which only messages report. */
  readonly written: number
  readonly isFailing: boolean
}

/** By the number of the request, which is in its text. */
const reported = new Map<number, Reported>()
const upstream = await startFakeProvider(answer)
const { baseURL } = upstream
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL, apiKey: 'k' },
    openai: { kind: 'openai', baseURL, apiKey: 'k' },
    claude: { kind: 'anthropic', baseURL, apiKey: 'k' },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r', 'claude/c'] } },
  prices: { '*': { input: '1000', output: '2000', cachedInput: '100', cacheWrite: '1250' } },
  ledger: { keepTurns: { maxPerUser: null } },
})

function answer(request: UpstreamRequest, response: ServerResponse): void {
  const number = Number(/number (\d+)/.exec(request.text)?.[1])
  const random = createJitter(`${seed} ${number}`)
  const pick = (limit: number): number => Math.floor(random() * limit)
  const input = 1 + pick(900)
  const cached = pick(input)
  const written = request.path === 'messages' ? pick(input - cached) : 0
  const tokens = { input, output: 1 + pick(500), cached, written, isFailing: pick(6) === 0 }
  reported.set(number, tokens)
  const isStream = request.body?.stream === true
  if (tokens.isFailing) sendJson(response, { error: { message: 'no' } }, 400)
  else if (request.path === 'chat/completions')
    sendChat(request, response, { content: 'Hello' }, { usage: usageOf(tokens) })
  else if (request.path === 'responses') sendResponse(response, tokens, isStream)
  else if (request.path === 'messages') sendMessage(response, tokens, isStream)
  else sendJson(response, { object: 'list', data: [], choices: [{ index: 0, text: 'Hello' }], usage: usageOf(tokens) })
}

function usageOf({ input, output, cached }: Reported): object {
  return {
    ...{ prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
    prompt_tokens_details: { cached_tokens: cached },
  }
}

function sendResponse(response: ServerResponse, { input, output, cached }: Reported, isStream: boolean): void {
  const usage = {
    ...{ input_tokens: input, output_tokens: output, total_tokens: input + output },
    input_tokens_details: { cached_tokens: cached },
  }
  const whole = { id: 'resp_1', object: 'response', status: 'completed', output: [], usage }
  if (isStream)
    sendEvents(response, [
      { type: 'response.created', response: { ...whole, status: 'in_progress', usage: null } },
      { type: 'response.output_text.delta', delta: 'Hello' },
      { type: 'response.completed', response: whole },
    ])
  else sendJson(response, whole)
}

/** This format counts cached input apart from the rest. */
function sendMessage(response: ServerResponse, tokens: Reported, isStream: boolean): void {
  const { input, output, cached, written } = tokens
  const cache = { cache_read_input_tokens: cached, cache_creation_input_tokens: written }
  const first = { input_tokens: input - cached - written, ...cache, output_tokens: 1 }
  const message = { id: 'msg_1', type: 'message', role: 'assistant', content: [{ type: 'text', text: 'Hello' }] }
  if (isStream)
    sendEvents(response, [
      { type: 'message_start', message: { ...message, content: [], usage: first } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: output } },
      { type: 'message_stop' },
    ])
  else sendJson(response, { ...message, usage: { ...first, output_tokens: output } })
}

/** Requests by endpoint, relayed and translated. */
const BODIES: readonly (readonly [path: string, body: (text: string) => object])[] = [
  ['chat/completions', (content) => ({ messages: [{ role: 'user', content }] })],
  ['responses', (input) => ({ input })],
  ['responses', (input) => ({ model: 'openai/r', input })],
  ['messages', (content) => ({ max_tokens: 9, messages: [{ role: 'user', content }] })],
  ['messages', (content) => ({ model: 'claude/c', max_tokens: 9, messages: [{ role: 'user', content }] })],
]
const WITHOUT_STREAM: typeof BODIES = [
  ['embeddings', (input) => ({ input })],
  ['completions', (prompt) => ({ prompt })],
]

async function ask(number: number): Promise<void> {
  const random = createJitter(`request ${seed} ${number}`)
  const all = [...BODIES, ...WITHOUT_STREAM]
  const [path, bodyOf] = all[Math.floor(random() * all.length)] as (typeof BODIES)[number]
  const stream = BODIES.some(([streamed]) => streamed === path) && random() < 0.5 ? { stream: true } : {}
  const response = await gateway.fetch(
    `/v1/${path}`,
    { ...bodyOf(`number ${number}`), ...stream },
    { 'x-purser-user': `user-${number % 7}`, 'x-request-id': String(number) },
  )
  await response.text()
}

test(`records and sums have the tokens of ${REQUESTS} requests to all endpoints`, async () => {
  printSeed('endpoint usage')
  let next = 0
  const work = async (): Promise<void> => {
    while (next < REQUESTS) await ask(next++)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  const { purser } = gateway.context
  const records: TurnRecord[] = await Array.fromAsync(purser.turns())
  assert.equal(records.length, REQUESTS)
  const sum = { input: 0, output: 0, cached: 0 }
  for (const { requestId, endpoint, provider, outcome, inputTokens, outputTokens, cachedTokens, cost } of records) {
    const sent = reported.get(Number(requestId))
    const what = `${requestId} ${endpoint} ${provider}`
    assert.ok(sent, what)
    const { isFailing, input, output, cached, written } = sent
    assert.equal(outcome, isFailing ? 'failed' : 'completed', what)
    const expected = isFailing ? [0, 0, 0] : [input, output, cached]
    assert.deepEqual([inputTokens, outputTokens, cachedTokens], expected, what)
    assert.equal(
      Number(cost).toFixed(6),
      (isFailing ? 0 : (input - cached + cached / 10 + written / 4 + 2 * output) / 1_000).toFixed(6),
      what,
    )
    sum.input += inputTokens
    sum.output += outputTokens
    sum.cached += cachedTokens
  }
  const all = await purser.usage({ by: 'provider' })
  const total = (field: 'inputTokens' | 'outputTokens' | 'cachedTokens'): number =>
    all.reduce((tokens, row) => tokens + row[field], 0)
  assert.deepEqual(
    [total('inputTokens'), total('outputTokens'), total('cachedTokens')],
    [sum.input, sum.output, sum.cached],
  )
})
