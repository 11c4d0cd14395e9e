import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { handleRequest } from './api.ts'
import { createMockStore, type MockStore } from './store.ts'

export interface MockApi {
  readonly store: MockStore
  /** Answers a request to `path`, an absolute path that begins with `/api/`. */
  handle(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>
  /** Sends a server-sent event to all open pages. */
  send(event: 'ledger' | 'activity' | 'gap', data: unknown, id?: string): void
}

/** `isSignedInByDefault`: only a browser that has signed out is signed out. */
export function createMockApi(options: { users: number; isSignedInByDefault?: boolean }): MockApi {
  const store = createMockStore(Date.now, options.users)
  const streams = new Set<ServerResponse>()

  function isSignedIn(request: IncomingMessage): boolean {
    const cookie = /\bmock=(in|out)\b/.exec(request.headers.cookie ?? '')?.[1]
    return cookie === undefined ? options.isSignedInByDefault === true : cookie === 'in'
  }

  function openEventStream(request: IncomingMessage, response: ServerResponse): void {
    if (!isSignedIn(request)) return void response.writeHead(401).end()
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': connected\n\n')
    streams.add(response)
    response.on('close', () => streams.delete(response))
  }

  function send(event: string, data: unknown, id?: string): void {
    const frame = `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
    for (const stream of streams) stream.write(frame)
  }

  return {
    store,
    send,
    async handle(request, response, path) {
      const { pathname, searchParams } = new URL(path, 'http://mock')
      if (pathname === '/api/events') return openEventStream(request, response)
      const reply = handleRequest(store, {
        method: request.method ?? 'GET',
        segments: pathname.split('/').slice(2).map(decodeURIComponent),
        search: searchParams,
        body: await readJson(request),
        isSignedIn: isSignedIn(request),
      })
      if (reply.cookie !== undefined) {
        response.setHeader('set-cookie', `mock=${reply.cookie}; HttpOnly; SameSite=Strict; Path=/`)
      }
      response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body))
      for (const event of reply.events ?? []) send('ledger', event, event.id)
    },
  }
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

/** The built page and the mock API, served as the real server does. */
export interface MockServer extends Pick<MockApi, 'store' | 'send'> {
  /** Address of the page. */
  readonly url: string
  close(): Promise<void>
}

/** The content security policy of the real server. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"

const DIST = join(import.meta.dirname, '../../dist')
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

export async function openMockServer(options: { users: number; prefix?: string }): Promise<MockServer> {
  const prefix = options.prefix ?? ''
  const api = createMockApi(options)

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/'
    if (!url.startsWith(`${prefix}/`)) return void response.writeHead(404).end()
    const path = url.slice(prefix.length)
    return path.startsWith('/api/') ? api.handle(request, response, path) : serveFile(path, response)
  }

  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${prefix}/deck/`,
    store: api.store,
    send: api.send,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serveFile(path: string, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(path, 'http://mock')
  const name = pathname === '/deck/' ? 'index.html' : normalize(pathname.replace(/^\/deck\//, ''))
  const headers = {
    'content-type': CONTENT_TYPES[extname(name)] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
  }
  try {
    const bytes = await readFile(join(DIST, name))
    response.writeHead(200, headers).end(bytes)
  } catch {
    response.writeHead(404, headers).end()
  }
}
