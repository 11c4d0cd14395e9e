import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, beforeEach } from 'node:test'
import type { ConfigFile } from '../../src/index.ts'
import { openServerHarness, type ServerHarness } from './server-harness.ts'

/** A request as a fake provider received it. */
export interface UpstreamRequest {
  /** The path behind the base URL. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The parsed text; undefined if it is no JSON. */
  readonly body: Record<string, unknown> | undefined
}

type Handler = (request: UpstreamRequest, response: ServerResponse) => void | Promise<void>

/** A provider in this process, whose answers a test scripts. */
export interface FakeProvider {
  readonly baseURL: string
  readonly requests: UpstreamRequest[]
  /** Requests whose client left before the answer was complete. */
  readonly aborted: UpstreamRequest[]
  handle: Handler
}

/** Runs for the tests of a file: before each, it forgets its requests and answers with `handle` again. */
export async function startFakeProvider(handle: Handler): Promise<FakeProvider> {
  const requests: UpstreamRequest[] = []
  const aborted: UpstreamRequest[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const text = Buffer.concat(pieces).toString('latin1')
    const received = {
      path: (request.url ?? '').replace(/^\/v1\//, ''),
      headers: request.headers,
      text,
      body: parse(Buffer.concat(pieces).toString()),
    }
    requests.push(received)
    response.on('close', () => {
      if (!response.writableFinished) aborted.push(received)
    })
    await provider.handle(received, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const provider: FakeProvider = {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    aborted,
    handle,
  }
  beforeEach(() => {
    requests.length = 0
    aborted.length = 0
    provider.handle = handle
  })
  after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return provider
}

/** The JSON of the last request. */
export function lastBody({ requests }: FakeProvider): Record<string, unknown> {
  const { body } = requests.at(-1) ?? {}
  assert.ok(body)
  return body
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** Sends events; an event with a `type` is named by it, and a text is sent as it is. */
export function sendEvents(
  response: ServerResponse,
  events: readonly (object | string)[],
  { ends = true }: { readonly ends?: boolean } = {},
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) {
    const name = typeof event === 'object' && 'type' in event ? `event: ${event.type}\n` : ''
    response.write(`${name}data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
  }
  if (ends) response.end()
}

/** A chat completion, or its chunks if the request streams. */
export function sendChat(
  request: UpstreamRequest,
  response: ServerResponse,
  message: Record<string, unknown>,
  { finish = 'stop', usage = CHAT_USAGE }: { finish?: string; usage?: object } = {},
): void {
  const header = { id: 'chatcmpl-1', created: 1_700_000_000, model: request.body?.model }
  if (request.body?.stream !== true) {
    const choices = [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: finish }]
    sendJson(response, { ...header, object: 'chat.completion', choices, usage })
    return
  }
  const chunk = (delta: object, finish_reason: string | null = null): object => ({
    ...header,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason }],
  })
  const deltas = Object.entries(message).flatMap(([name, value]) => splitDelta(name, value))
  sendEvents(response, [
    chunk({ role: 'assistant', content: '' }),
    ...deltas.map((delta) => chunk(delta)),
    chunk({}, finish),
    { ...header, object: 'chat.completion.chunk', choices: [], usage },
    '[DONE]',
  ])
}

export const CHAT_USAGE = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 3 },
}

/** Texts in two pieces; a tool call as its head and its arguments. */
function splitDelta(name: string, value: unknown): object[] {
  if (typeof value === 'string') {
    const middle = Math.ceil(value.length / 2)
    return [{ [name]: value.slice(0, middle) }, { [name]: value.slice(middle) }]
  }
  if (name !== 'tool_calls') return [{ [name]: value }]
  const calls = value as { function: { name: string; arguments: string } }[]
  return calls.flatMap((call, index) => [
    { tool_calls: [{ ...call, index, function: { name: call.function.name, arguments: '' } }] },
    ...(call.function.arguments.match(/.{1,5}/gs)?.map((piece) => ({
      tool_calls: [{ index, function: { arguments: piece } }],
    })) ?? []),
  ])
}

export interface GatewayHarness extends ServerHarness {
  /** Of a server on a socket. */
  readonly url: string
  /** The key of the harness may act for every user. */
  fetch(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  count(user: string): Promise<number>
}

/** Runs for the tests of a file. */
export async function openGatewayHarness(config: ConfigFile): Promise<GatewayHarness> {
  const harness = await openServerHarness({ config, role: 'service', realTime: true })
  after(() => harness[Symbol.asyncDispose]())
  const url = await harness.fastify.listen({ port: 0, host: '127.0.0.1' })
  return {
    ...harness,
    url,
    fetch: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${harness.key}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    count: async (user) => (await harness.user(user).ledger.bond()).dailyCount,
  }
}
