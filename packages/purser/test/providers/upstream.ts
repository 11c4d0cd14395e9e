import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface Seen {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type Script = (response: ServerResponse, seen: Seen) => void

/** A provider on the loopback: it notes what it is asked, and answers as the test says. */
export interface Upstream extends AsyncDisposable {
  readonly url: string
  readonly seen: Seen[]
  /** Sockets that were ever opened to it. */
  readonly sockets: Set<Socket>
  script: Script
  /** Resolves when a socket to it has closed. */
  socketClosed(): Promise<void>
}

export async function openUpstream(script: Script = answerWith('hello')): Promise<Upstream> {
  const sockets = new Set<Socket>()
  const closing = Promise.withResolvers<void>()
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const { method = '', url: path = '', headers } = request
    const seen = { method, path, host: headers.host ?? '', headers, body: Buffer.concat(pieces).toString() }
    upstream.seen.push(seen)
    upstream.script(response, seen)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => closing.resolve())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const upstream: Upstream = {
    url: `http://127.0.0.1:${port}`,
    seen: [],
    sockets,
    script,
    socketClosed: () => closing.promise,
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

/** Answers like OpenAI's chat completions: a stream if it was asked for, else JSON. */
export function answerWith(content: string): Script {
  return (response, seen) => {
    if (JSON.parse(seen.body).stream === true) {
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

/** Begins a stream of events, or goes on with it; does not end it. */
export function sendEvents(response: ServerResponse, events: readonly string[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) response.write(`data: ${event}\n\n`)
}
