import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import fc from 'fast-check'
import { PurserError, type Turn } from 'purser'
import { purserModel } from 'purser/ai-sdk'
import { fuzzParts, printSeed } from '../../../../purser/test/support/fuzz-options.ts'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'
import { type ExpectedAnswer, type UpstreamAnswer, upstreamAnswer } from '../../support/upstream-answers.ts'

printSeed('answers of upstreams')

const answers = new Map<string, UpstreamAnswer>()
let harness: ServerHarness
let nextCase = 0

const upstream = createServer(async (request, response) => {
  let text = ''
  for await (const part of request) text += part
  const { messages } = JSON.parse(text) as { messages: { role: string; content: string }[] }
  const answer = answers.get(messages.at(-1)?.content ?? '')
  if (answer === undefined) response.destroy()
  else await send(answer, response).catch(() => undefined)
})

async function send({ headers, pieces, isCut }: UpstreamAnswer, response: ServerResponse): Promise<void> {
  response.writeHead(200, headers)
  response.flushHeaders()
  for (const piece of pieces) {
    response.write(piece)
    await new Promise(setImmediate)
  }
  if (isCut) response.destroy()
  else response.end()
}

before(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const baseURL = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  harness = await openServerHarness({
    role: 'service',
    config: {
      providers: { local: { kind: 'openai-compatible', baseURL, apiKey: 'operator-key', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
    },
  })
})
after(async () => {
  await harness[Symbol.asyncDispose]()
  upstream.closeAllConnections()
  upstream.close()
})

type Fields = Record<string, unknown>
interface Message {
  readonly content?: unknown
  readonly reasoning_content?: unknown
  readonly reasoning?: unknown
  readonly tool_calls?: readonly {
    readonly index?: number
    readonly id?: string
    readonly function?: { readonly name?: string; readonly arguments?: string }
  }[]
}
interface Answer {
  readonly choices: readonly { readonly message?: Message; readonly delta?: Message }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
}

const FAILED = { outcome: 'failed' } as const
type Observed = ExpectedAnswer | typeof FAILED

/** Text as OpenAI's clients read it: anything else than text would break them. */
function textOf(value: unknown): string {
  assert.ok(value === undefined || value === null || typeof value === 'string', `not text: ${JSON.stringify(value)}`)
  return value ?? ''
}

function reasoningOf({ reasoning_content, reasoning }: Message): string {
  return textOf(reasoning_content) || textOf(reasoning)
}

function tokensOf(usage: Answer['usage']): ExpectedAnswer['tokens'] {
  return usage ? [usage.prompt_tokens, usage.completion_tokens] : undefined
}

function ofCompletion({ choices, usage }: Answer): Observed {
  const message = choices[0]?.message ?? assert.fail('no message')
  const calls = (message.tool_calls ?? []).map((call) => ({
    id: textOf(call.id),
    name: textOf(call.function?.name),
    arguments: textOf(call.function?.arguments),
  }))
  return {
    outcome: 'completed',
    text: textOf(message.content),
    reasoning: reasoningOf(message),
    calls,
    tokens: tokensOf(usage),
  }
}

/** Merges chunks as OpenAI's clients do: text fields of a call are appended, by its index. */
function ofChunks(chunks: readonly Answer[]): Observed {
  const calls: { id: string; name: string; arguments: string }[] = []
  let text = ''
  let reasoning = ''
  let tokens: ExpectedAnswer['tokens']
  for (const { choices, usage } of chunks) {
    tokens = tokensOf(usage) ?? tokens
    const delta = choices[0]?.delta ?? {}
    text += textOf(delta.content)
    reasoning += reasoningOf(delta)
    for (const { index, id, function: definition } of delta.tool_calls ?? []) {
      const position = index ?? assert.fail('a call without an index')
      const call = calls[position] ?? { id: '', name: '', arguments: '' }
      calls[position] = call
      call.id += textOf(id)
      call.name += textOf(definition?.name)
      call.arguments += textOf(definition?.arguments)
    }
  }
  return { outcome: 'completed', text, reasoning, calls, tokens }
}

function failedWith(error: { readonly code: string }): Observed {
  assert.match(error.code, /^upstream_|^rate_limit/, JSON.stringify(error))
  return FAILED
}

const messagesOf = (name: string) => [{ role: 'user' as const, content: name }]

async function readGatewayJson(name: string): Promise<Observed> {
  const { statusCode, body } = await chat(name, { stream: false })
  const value = JSON.parse(body) as Answer & { error: { code: string } }
  return statusCode === 200 ? ofCompletion(value) : failedWith(value.error)
}

async function readGatewayStream(name: string): Promise<Observed> {
  const { statusCode, body } = await chat(name, { stream: true, stream_options: { include_usage: true } })
  if (statusCode !== 200) return failedWith((JSON.parse(body) as { error: { code: string } }).error)
  const events = body
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length))
  if (events.at(-1) === '[DONE]') return ofChunks(events.slice(0, -1).map((event) => JSON.parse(event) as Answer))
  assert.ok(!events.includes('[DONE]'))
  return failedWith((JSON.parse(events.at(-1) ?? '{}') as { error: { code: string } }).error)
}

async function chat(name: string, fields: Fields): Promise<{ statusCode: number; body: string }> {
  const request = { messages: messagesOf(name), ...fields }
  return harness.call('POST', '/v1/chat/completions', request, { 'x-purser-user': 'ada' })
}

async function readTurn(name: string, read: (turn: Turn & { allowed: true }) => Promise<Observed>): Promise<Observed> {
  try {
    const request = { messages: messagesOf(name), stream: true, stream_options: { include_usage: true } }
    const turn = await harness.user('ada').turn(request)
    assert.ok(turn.allowed)
    return await read(turn)
  } catch (error) {
    if (PurserError.is(error)) return failedWith(error)
    throw error
  }
}

const readChunks = (name: string): Promise<Observed> =>
  readTurn(name, async (turn) => ofChunks((await Array.fromAsync(turn.chunks)) as unknown as Answer[]))

const readCompletion = (name: string): Promise<Observed> =>
  readTurn(name, async (turn) => ofCompletion((await turn.completion()) as unknown as Answer))

async function readAiSdk(name: string): Promise<Observed> {
  const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: name }] }]
  try {
    const { stream } = await purserModel(harness.user('ada')).doStream({ prompt })
    return ofParts(await Array.fromAsync(stream))
  } catch (error) {
    if (PurserError.is(error)) return failedWith(error)
    throw error
  }
}

function ofParts(parts: readonly LanguageModelV4StreamPart[]): Observed {
  let tokens: ExpectedAnswer['tokens']
  const join = (type: 'text-delta' | 'reasoning-delta') =>
    parts.map((part) => (part.type === type ? part.delta : '')).join('')
  const calls = parts.flatMap((part) =>
    part.type === 'tool-call' ? [{ id: part.toolCallId, name: part.toolName, arguments: part.input }] : [],
  )
  for (const part of parts) {
    if (part.type === 'response-metadata') assert.ok(!Number.isNaN(part.timestamp?.getTime()))
    if (part.type !== 'finish') continue
    const { inputTokens, outputTokens } = part.usage
    if (inputTokens.total !== undefined && outputTokens.total !== undefined) {
      tokens = [inputTokens.total, outputTokens.total]
    }
  }
  return { outcome: 'completed', text: join('text-delta'), reasoning: join('reasoning-delta'), calls, tokens }
}

const SURFACES = { readGatewayJson, readGatewayStream, readChunks, readCompletion, readAiSdk }

const GOOD = '{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}'
const BREAKER_MS = 120_000

/** Failures in a row keep the provider from being called, until it answers again. */
async function closeBreaker(): Promise<void> {
  harness.clock.advance(BREAKER_MS)
  const headers = { 'content-type': 'application/json' }
  answers.set('probe', {
    headers,
    pieces: [Buffer.from(GOOD)],
    isCut: false,
    expected: FAILED,
  } as unknown as UpstreamAnswer)
  await readGatewayJson('probe')
}

async function check(answer: UpstreamAnswer): Promise<void> {
  const name = `case ${nextCase++}`
  answers.set(name, answer)
  try {
    const expected = answer.expected.outcome === 'failed' ? FAILED : answer.expected
    await Promise.all(
      Object.entries(SURFACES).map(async ([surface, read]) => {
        assert.deepEqual({ surface, ...(await read(name)) }, { surface, ...expected })
      }),
    )
  } finally {
    answers.delete(name)
    if (answer.expected.outcome === 'failed') await closeBreaker()
  }
}

for (const { number, seed, numRuns } of fuzzParts({ parts: 20, rounds: 100_000 }, 300)) {
  test(`the gateway, the library and the AI SDK report the same answer, however the upstream writes it: part ${number}`, async () => {
    await fc.assert(fc.asyncProperty(upstreamAnswer, check), { seed, numRuns })
  })
}
