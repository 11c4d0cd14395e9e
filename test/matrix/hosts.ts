import { createServer as createHttpServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { openPurser } from 'purser'
import { type ConfigFile, createServer, type PurserServer, purserPlugin } from '../../packages/server/src/index.ts'
import { ADMIN_KEY, SERVICE_KEY, startPurser } from '../../packages/server/test/support/processes.ts'
import type { HostName } from './cells.ts'

const KEYS = { service: SERVICE_KEY, admin: ADMIN_KEY }
const PREFIX = '/purser'

/** A running server, below a host or with a port of its own. */
export interface Host extends AsyncDisposable {
  /** With the prefix, without `/v1`. */
  readonly url: string
}

type Open = (config: ConfigFile) => Promise<Host>

async function listen(listener: RequestListener, server: Pick<PurserServer, 'close'>): Promise<Host> {
  const host = createHttpServer(listener)
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(host.address() as AddressInfo).port}${PREFIX}`,
    async [Symbol.asyncDispose]() {
      host.closeAllConnections()
      await new Promise((resolve) => host.close(resolve))
      await server.close()
    },
  }
}

/** Serves a function from Request to Response, as the adapters of frameworks do. */
function toListener(handle: (request: Request) => Response | Promise<Response>): RequestListener {
  return async (request, response) => {
    const parts = await Array.fromAsync(request as AsyncIterable<Buffer>)
    const { method = 'GET', headers, url = '/' } = request
    const body = parts.length === 0 ? {} : { body: Buffer.concat(parts) }
    const init = { method, headers: headers as Record<string, string>, ...body }
    const answer = await handle(new Request(`http://${headers.host}${url}`, init))
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    for await (const part of answer.body ?? []) response.write(part)
    response.end()
  }
}

const mount = (config: ConfigFile): Promise<PurserServer> => createServer({ config, keys: KEYS, prefix: PREFIX })

export const OPEN: Readonly<Record<HostName, Open>> = {
  async Fastify(config) {
    const app = Fastify()
    await app.register(purserPlugin, { config, keys: KEYS, prefix: PREFIX })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return { url: `${url}${PREFIX}`, [Symbol.asyncDispose]: () => app.close() }
  },
  async Express(config) {
    const server = await mount(config)
    const app = express()
    app.use(express.json())
    app.use(PREFIX, server.node)
    return listen(app, server)
  },
  async Hono(config) {
    const server = await mount(config)
    const app = new Hono()
    app.all(`${PREFIX}/*`, (c) => server.fetch(c.req.raw))
    return listen(
      toListener((request) => app.fetch(request)),
      server,
    )
  },
  async '`node:http`'(config) {
    const server = await mount(config)
    return listen((request, response) => void server.node(request, response), server)
  },
  async 'route of Next.js'(config) {
    const server = await mount(config)
    const GET = (request: Request): Promise<Response> => server.fetch(request)
    const POST = GET
    return listen(
      toListener((request) => (request.method === 'POST' ? POST : GET)(request)),
      server,
    )
  },
  // The other form of `createServer`: a Purser that the application opened.
  async '`createServer`'({ server: _, ...options }) {
    const purser = await openPurser(options as Parameters<typeof openPurser>[0])
    const server = await createServer({ purser, keys: KEYS, server: { logLevel: 'silent' } })
    return {
      url: await server.listen({ port: 0 }),
      async [Symbol.asyncDispose]() {
        await server.close()
        await purser.close()
      },
    }
  },
  async '`purser serve`'(config) {
    const purser = await startPurser(config)
    return { url: purser.url, [Symbol.asyncDispose]: async () => void (await purser.stop()) }
  },
}
