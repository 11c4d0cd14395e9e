import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { answer } from './answers.ts'
import { createWorld, type World } from './world.ts'

/** A stand-in for the server: the built page and the part of the management API that the page reads, from memory. */
export interface Mock {
  readonly url: string
  readonly world: World
  /** Tells every open page of a change. */
  tell(event: 'ledger' | 'activity' | 'gap', data: unknown, id?: string): void
  /** Cuts every live connection and refuses new ones until `live(true)`. */
  live(on: boolean): void
  close(): Promise<void>
}

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"

const DIST = join(import.meta.dirname, '../../dist')
const KINDS: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

export async function openMock(options: { users?: number; prefix?: string; port?: number } = {}): Promise<Mock> {
  const prefix = options.prefix ?? ''
  const world = createWorld(Date.now, options.users ?? 120)
  const lines = new Set<ServerResponse>()
  let refusing = false

  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://mock')
    if (!url.pathname.startsWith(`${prefix}/`)) return void response.writeHead(404).end()
    const path = url.pathname.slice(prefix.length)
    if (path === '/api/events') return openLine(request, response)
    if (path.startsWith('/api/')) return answerApi(request, response, { path, url })
    return page(path, response)
  }

  function openLine(request: IncomingMessage, response: ServerResponse): void {
    if (refusing) return void response.writeHead(503).end()
    if (!signedIn(request)) return void response.writeHead(401).end()
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n')
    lines.add(response)
    response.on('close', () => lines.delete(response))
  }

  async function answerApi(
    request: IncomingMessage,
    response: ServerResponse,
    { path, url }: { path: string; url: URL },
  ): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    const reply = answer(world, {
      method: request.method ?? 'GET',
      segments: path.split('/').slice(2).map(decodeURIComponent),
      search: url.searchParams,
      body,
      signedIn: signedIn(request),
    })
    if (reply.cookie !== undefined)
      response.setHeader('set-cookie', `mock=${reply.cookie}; HttpOnly; SameSite=Strict; Path=/`)
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body))
    for (const event of reply.events ?? []) tell('ledger', event, event.id)
  }

  function tell(event: string, data: unknown, id?: string): void {
    for (const line of lines)
      line.write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`)
  }

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${prefix}/deck/`,
    world,
    tell,
    live(on) {
      refusing = !on
      if (!on) for (const line of lines) line.destroy()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function signedIn(request: IncomingMessage): boolean {
  return /mock=in/.test(request.headers.cookie ?? '')
}

async function page(path: string, response: ServerResponse): Promise<void> {
  const name = path === '/deck/' ? 'index.html' : normalize(path.replace(/^\/deck\//, ''))
  const headers = {
    'content-type': KINDS[extname(name)] ?? 'application/octet-stream',
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
