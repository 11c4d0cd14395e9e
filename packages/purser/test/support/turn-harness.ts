import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openPurser, type Purser, type PurserOptions, type User } from '../../src/index.ts'
import type { ChatRequest } from '../../src/openai/chat.ts'
import { TEST_SECRET_KEY, testStoreUrl } from './test-store.ts'

export interface TurnHarness extends AsyncDisposable {
  readonly purser: Purser
  readonly upstream: Upstream
  user(id: string): User
}

/**
 * A Purser on a store of `testStoreUrl` whose users run on the provider `local`, an upstream with the models `m` (default) and `n`. The
 * provider `open` is the same upstream without a key of the operator.
 */
export async function openTurnHarness(options: PurserOptions = {}): Promise<TurnHarness> {
  const upstream = await startUpstream()
  const { baseURL } = upstream
  const purser = await openPurser({
    store: testStoreUrl(),
    secretKey: TEST_SECRET_KEY,
    providers: {
      local: { kind: 'openai-compatible', baseURL, apiKey: 'operator-key', models: ['m', 'n'], defaultModel: 'm' },
      open: { kind: 'openai-compatible', baseURL },
    },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    ...options,
  })
  return {
    purser,
    upstream,
    user: (id) => purser.user(id),
    async [Symbol.asyncDispose]() {
      await purser.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

export interface UpstreamRequest {
  readonly headers: IncomingHttpHeaders
  readonly body: ChatRequest
}

/** An OpenAI-compatible upstream on loopback that answers as the test determines, and records its requests. */
export interface Upstream extends AsyncDisposable {
  readonly baseURL: string
  readonly requests: UpstreamRequest[]
  /** Resolves when the other side closes a connection before its answer has ended. */
  readonly disconnected: Promise<void>
  /** Answers the next requests. */
  answer: (response: ServerResponse, request: UpstreamRequest) => void
}

async function startUpstream(): Promise<Upstream> {
  const requests: UpstreamRequest[] = []
  const disconnected = Promise.withResolvers<void>()
  const server = createServer(async (incoming, response) => {
    let text = ''
    for await (const part of incoming) text += part
    const request = { headers: incoming.headers, body: JSON.parse(text) as ChatRequest }
    requests.push(request)
    response.on('close', () => {
      if (!response.writableEnded) disconnected.resolve()
    })
    upstream.answer(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const upstream: Upstream = {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    disconnected: disconnected.promise,
    answer: (response, { body }) =>
      body.stream ? stream(response, ['Hello', ' there']) : completion(response, 'Hello there'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return upstream
}

const USAGE = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 }
const HEAD = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'upstream-model' }

export function completion(response: ServerResponse, content: string): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(
    JSON.stringify({
      ...HEAD,
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: USAGE,
    }),
  )
}

export function chunk(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }]
  return `data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices, usage: null })}\n\n`
}

export function begin(response: ServerResponse, word: string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(chunk({ role: 'assistant', content: word }))
}

export function stream(response: ServerResponse, words: readonly string[]): void {
  begin(response, words[0] ?? '')
  for (const word of words.slice(1)) response.write(chunk({ content: word }))
  response.write(chunk({}, 'stop'))
  response.write(`data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices: [], usage: USAGE })}\n\n`)
  response.end('data: [DONE]\n\n')
}

export function fail(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { message: 'rejected by the upstream', type: 'x', code: null, param: null } }))
}
