import type { IncomingMessage, Server } from 'node:http'
import { Readable } from 'node:stream'
import type { Effects } from 'purser'
import { http } from '../http/node-http.ts'
import { MemorySocket } from './memory-socket.ts'
import { restorePrefix } from './own-url.ts'

/** Headers that belong to one connection and not to its messages. */
const CONNECTION_HEADERS = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer']
const STATUSES_WITHOUT_BODY = [204, 205, 304]

/**
 * Answers web requests with an HTTP server, over connections inside this process. So a reader that cancels, aborts or
 * stops reading has the same effect as the client of a socket: the server sees its connection close, or not drain.
 */
export class WebHandler {
  readonly #server: Server
  readonly #effects: Effects
  readonly #sockets = new Set<MemorySocket>()

  constructor(server: Server, effects: Effects) {
    this.#server = server
    this.#effects = effects
  }

  /** Rejects with the reason of the request's signal. A host may have removed `prefix` from the path. */
  async fetch(request: Request, prefix: string): Promise<Response> {
    const { signal } = request
    signal.throwIfAborted()
    const message = await this.#send(request, prefix)
    const onAbort = (): void => void message.destroy(signal.reason)
    signal.addEventListener('abort', onAbort)
    message.once('close', () => signal.removeEventListener('abort', onAbort))
    return createResponse(message, request.method)
  }

  /** Resolves when all responses have been read, or their readers have left. */
  async drain(): Promise<void> {
    await Promise.all(Array.from(this.#sockets, (socket) => new Promise((resolve) => socket.once('close', resolve))))
  }

  /** Cuts the responses that are still read. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #connect(): MemorySocket {
    const { client, server } = MemorySocket.createPair(this.#effects)
    this.#sockets.add(server)
    server.once('close', () => this.#sockets.delete(server))
    this.#server.emit('connection', server)
    return client
  }

  #send(request: Request, prefix: string): Promise<IncomingMessage> {
    const { method, signal, body } = request
    const url = new URL(request.url)
    return new Promise((resolve, reject) => {
      const call = http.request({
        method,
        path: restorePrefix(`${url.pathname}${url.search}`, prefix),
        headers: { host: url.host, ...forwardHeaders(request.headers), ...framingOf(request) },
        createConnection: () => this.#connect(),
      })
      const onAbort = (): void => void call.destroy(signal.reason)
      signal.addEventListener('abort', onAbort)
      call.once('close', () => signal.removeEventListener('abort', onAbort))
      // After the response began, an error of the request is one of the response as well.
      call.on('error', reject).once('response', resolve)
      if (body === null) call.end()
      else sendBody(body, call)
    })
  }
}

/** A body that cannot be read cuts the request; a request that has ended cancels the rest of the body. */
function sendBody(body: NonNullable<Request['body']>, call: ReturnType<typeof http.request>): void {
  const source = Readable.fromWeb(body as never)
  source.on('error', (error) => call.destroy(error))
  call.once('close', () => source.destroy())
  source.pipe(call)
}

function forwardHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !CONNECTION_HEADERS.includes(name)))
}

/** Node.js frames the body of some methods, such as DELETE, only when it is told to. */
function framingOf({ body, headers }: Request): Record<string, string> {
  return body === null || headers.has('content-length') ? {} : { 'transfer-encoding': 'chunked' }
}

function createResponse(message: IncomingMessage, method: string): Response {
  const { statusCode: status = 500, rawHeaders } = message
  const headers = new Headers()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2)
    if (!CONNECTION_HEADERS.includes(name.toLowerCase())) headers.append(name, value)
  }
  if (STATUSES_WITHOUT_BODY.includes(status) || method === 'HEAD') {
    message.resume()
    return new Response(null, { status, headers })
  }
  return new Response(Readable.toWeb(message) as unknown as ReadableStream, { status, headers })
}
