import assert from 'node:assert/strict'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { printSeed, rounds, seed } from '../../../../purser/test/support/fuzz-options.ts'
import { openGatewayHarness, startFakeProvider, type UpstreamRequest } from '../../support/gateway-harness.ts'

/*
 * Clients that leave in every phase of an answer, on every endpoint that streams. What was sent to them is counted, and
 * nothing stays: no lease, no hold, no call of a provider, no socket.
 */

const CLIENTS = rounds(1_000, 150)
const CONCURRENCY = 40

const MESSAGES = [{ role: 'user', content: 'Hi' }]
const ENDPOINTS = [
  { path: 'chat/completions', model: 'chat/m', body: { messages: MESSAGES } },
  { path: 'responses', model: 'chat/m', body: { input: 'Hi' } },
  { path: 'responses', model: 'openai/r', body: { input: 'Hi' } },
  { path: 'messages', model: 'chat/m', body: { messages: MESSAGES, max_tokens: 500 } },
  { path: 'messages', model: 'claude/c', body: { messages: MESSAGES, max_tokens: 500 } },
  { path: 'completions', model: 'chat/m', body: { prompt: 'Hi' } },
] as const

type Phase = 'before the answer' | 'at its head' | 'in it' | 'at its end'
const PHASES: readonly Phase[] = ['before the answer', 'at its head', 'in it', 'at its end']

interface Plan {
  readonly endpoint: (typeof ENDPOINTS)[number]
  readonly phase: Phase
  /** Deltas that the provider sends before it waits. */
  readonly deltas: number
  /** Deltas that the provider writes at once. */
  readonly burst: number
}

const plan: fc.Arbitrary<Plan> = fc.record({
  endpoint: fc.constantFrom(...ENDPOINTS),
  phase: fc.constantFrom(...PHASES),
  deltas: fc.integer({ min: 1, max: 120 }),
  burst: fc.integer({ min: 1, max: 4 }),
})

/** What the provider has to do for a request, by the text in it; what it did, and what arrived. */
const plans = new Map<string, Plan>()
const arrived = new Map<string, number>()
let sentDeltas = 0
let openCalls = 0

const upstream = await startFakeProvider(async (request, response) => {
  openCalls++
  response.on('close', () => openCalls--)
  const [name = ''] = /client \d+/.exec(request.text) ?? []
  const mine = plans.get(name)
  assert.ok(mine)
  if (mine.phase === 'before the answer') return
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(headOf(request))
  if (mine.phase === 'at its head') return
  for (let sent = 0; sent < mine.deltas && !response.destroyed; sent += mine.burst) {
    const count = Math.min(mine.burst, mine.deltas - sent)
    response.write(deltaOf(request).repeat(count))
    sentDeltas += count
    // A model writes no faster than its words arrive.
    await until(() => response.destroyed || (arrived.get(name) ?? 0) >= sent + count)
  }
})
const gateway = await openGatewayHarness({
  providers: {
    chat: { kind: 'openai-compatible', baseURL: upstream.baseURL, apiKey: 'k' },
    openai: { kind: 'openai', baseURL: upstream.baseURL, apiKey: 'k' },
    claude: { kind: 'anthropic', baseURL: upstream.baseURL, apiKey: 'k' },
  },
  runtime: { defaults: { provider: 'chat', model: 'm', allowedModels: ['chat/m', 'openai/r', 'claude/c'] } },
  ledger: {
    limits: [
      { name: 'output', measure: 'outputTokens', max: 1_000_000_000, window: 'total' },
      { name: 'at-once', measure: 'concurrent', max: 1_000 },
    ],
  },
  server: { keepResponses: {} },
})

function frame(event: object): string {
  const name = 'type' in event ? `event: ${event.type}\n` : ''
  return `${name}data: ${JSON.stringify(event)}\n\n`
}

function headOf({ path }: UpstreamRequest): string {
  if (path === 'responses')
    return frame({ type: 'response.created', response: { id: 'r', object: 'response', output: [] } })
  if (path === 'messages') {
    const usage = { input_tokens: 1, output_tokens: 1 }
    return frame({ type: 'message_start', message: { id: 'm', type: 'message', content: [], usage } })
  }
  return frame(chunk({ role: 'assistant', content: '' }))
}

function deltaOf({ path }: UpstreamRequest): string {
  if (path === 'responses') return frame({ type: 'response.output_text.delta', item_id: 'i', delta: 'word ' })
  if (path === 'messages')
    return frame({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'word ' } })
  if (path === 'completions')
    return frame({ id: 'c', object: 'text_completion', choices: [{ index: 0, text: 'word ' }] })
  return frame(chunk({ content: 'word ' }))
}

function chunk(delta: object): object {
  const choices = [{ index: 0, delta, finish_reason: null }]
  return { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices }
}

/** Sends a request and leaves in its phase. Resolves once the connection is closed. */
async function leave({ endpoint, phase, deltas }: Plan, name: string): Promise<void> {
  const body = JSON.stringify({ model: endpoint.model, stream: true, ...withName(endpoint.body, name) })
  const request = httpRequest(`${gateway.url}/v1/${endpoint.path}`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${gateway.key}`,
      'content-type': 'application/json',
      'x-purser-user': 'ada',
    },
  })
  const closed = new Promise<void>((resolve) => request.on('close', resolve))
  request.on('error', () => undefined)
  request.end(body)
  if (phase === 'before the answer') await until(() => upstream.requests.some(({ text }) => text.includes(`${name}"`)))
  else {
    const needed = { 'at its head': 0, 'in it': Math.ceil(deltas / 2), 'at its end': deltas }[phase]
    await readUntil(request, (count) => {
      arrived.set(name, count)
      return count >= needed
    })
  }
  request.destroy()
  await closed
}

function withName(body: (typeof ENDPOINTS)[number]['body'], name: string): object {
  return JSON.parse(JSON.stringify(body).replace('"Hi"', JSON.stringify(name)))
}

/** Reads an answer until the number of its deltas is enough. */
function readUntil(request: ClientRequest, isEnough: (deltas: number) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      let text = ''
      response.on('error', () => undefined)
      response.on('data', (bytes: Buffer) => {
        text += bytes.toString()
        if (isEnough(text.split('word ').length - 1)) resolve()
      })
      response.on('end', () => reject(new Error(`The answer has ended: ${text}`)))
    })
  })
}

/** Resolves when a condition holds; the test runner's time-out ends a wait that is in vain. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}

test(`${CLIENTS} clients that leave: what was sent is counted within 2 %, and nothing is left behind`, async () => {
  printSeed('leaving clients')
  const all = fc.sample(plan, { numRuns: CLIENTS, seed })
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const number = next++
      const mine = all[number]
      assert.ok(mine)
      plans.set(`client ${number}`, mine)
      await leave(mine, `client ${number}`)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  await until(() => openCalls === 0)
  const { purser } = gateway.context
  await until(() => purser.runtime.active().every(({ inUse }) => inUse === 0))
  const limits = await gateway.user('ada').ledger.limits()
  const output = limits.find(({ name }) => name === 'output')
  const atOnce = limits.find(({ name }) => name === 'at-once')
  assert.equal(await gateway.count('ada'), CLIENTS)
  assert.deepEqual([output?.held, atOnce?.used, atOnce?.held], [0, 0, 0])
  const used = Number(output?.used)
  assert.ok(Math.abs(used - sentDeltas) <= sentDeltas * 0.02, `${used} tokens of ${sentDeltas} deltas`)
  await until(async () => (await connections()) === 0)
})

test('a client that leaves while its large request is parsed leaves no call of a provider behind', async () => {
  const text = 'x'.repeat(200)
  const messages = Array.from({ length: 5_000 }, () => ({ role: 'user', content: text }))
  plans.set('client 0', { endpoint: ENDPOINTS[0], phase: 'before the answer', deltas: 1, burst: 1 })
  messages.push({ role: 'user', content: 'client 0' })
  const body = JSON.stringify({ model: 'chat/m', stream: true, messages })
  for (let wait = 0; wait < 8; wait++) {
    const request = httpRequest(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json', 'x-purser-user': 'bob' },
    })
    request.on('error', () => undefined)
    await new Promise<void>((resolve) => request.end(body, resolve))
    await turnsOfLoop(wait * 5)
    request.destroy()
  }
  await until(async () => (await connections()) === 0)
  await turnsOfLoop(500)
  assert.equal(openCalls, 0)
  assert.ok(gateway.context.purser.runtime.active().every(({ inUse }) => inUse === 0))
})

async function turnsOfLoop(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function connections(): Promise<number> {
  return new Promise((resolve, reject) => {
    gateway.fastify.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
