import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ChatRequest } from '../../src/openai/chat.ts'

/** A request as the upstream saw it. */
export interface Seen {
  readonly headers: IncomingHttpHeaders
  readonly body: ChatRequest
}

/** An OpenAI-compatible upstream on loopback that answers as the test says, and remembers what it was asked. */
export interface Upstream extends AsyncDisposable {
  readonly baseURL: string
  readonly seen: Seen[]
  /** Resolves when a connection to it was closed by the other side before its answer ended. */
  readonly left: Promise<void>
  /** How the next requests are answered. */
  answer: (response: ServerResponse, seen: Seen) => void
}

export async function startUpstream(): Promise<Upstream> {
  const seen: Seen[] = []
  const left = Promise.withResolvers<void>()
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const asked = { headers: request.headers, body: JSON.parse(text) as ChatRequest }
    seen.push(asked)
    response.on('close', () => {
      if (!response.writableEnded) left.resolve()
    })
    upstream.answer(response, asked)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const upstream: Upstream = {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    seen,
    left: left.promise,
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
  response.end(JSON.stringify({ error: { message: 'the upstream says no', type: 'x', code: null, param: null } }))
}
