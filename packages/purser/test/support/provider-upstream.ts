import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface UpstreamRequest {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type UpstreamHandler = (response: ServerResponse, request: UpstreamRequest) => void

/** A fake provider on the loopback: it records its requests and answers with the test's handler. */
export interface Upstream extends AsyncDisposable {
  readonly url: string
  readonly requests: UpstreamRequest[]
  /** All sockets that were ever opened. */
  readonly sockets: Set<Socket>
  handler: UpstreamHandler
  /** Resolves to the response of the next request, which the test writes itself. */
  nextResponse(): Promise<ServerResponse>
}

export async function openUpstream(handler: UpstreamHandler = answerWith('hello')): Promise<Upstream> {
  const sockets = new Set<Socket>()
  const server = createServer(async (incoming: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const { method = '', url: path = '', headers } = incoming
    const request = { method, path, host: headers.host ?? '', headers, body: Buffer.concat(pieces).toString() }
    upstream.requests.push(request)
    upstream.handler(response, request)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const upstream: Upstream = {
    url: `http://127.0.0.1:${port}`,
    requests: [],
    sockets,
    handler,
    nextResponse: () =>
      new Promise((resolve) => {
        upstream.handler = resolve
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return upstream
}

export function completionWith(content: string, model = 'm'): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  })
}

export function chunkWith(delta: Record<string, unknown>, finish: string | null = null): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
  })
}

export const usageChunk: string = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
})

/** Answers like OpenAI's chat completions: with a stream if the request asks for one, otherwise with JSON. */
export function answerWith(content: string): UpstreamHandler {
  return (response, request) => {
    if (JSON.parse(request.body).stream === true) {
      sendEvents(response, [chunkWith({ role: 'assistant', content }), chunkWith({}, 'stop'), usageChunk, '[DONE]'])
      response.end()
    } else sendJson(response, 200, completionWith(content))
  }
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Starts an event stream, or continues it; does not end it. */
export function sendEvents(response: ServerResponse, events: readonly string[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) response.write(`data: ${event}\n\n`)
}
