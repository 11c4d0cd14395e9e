import assert from 'node:assert/strict'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import express, { Router } from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { openPurser } from 'purser'
import { createServer, purserPlugin } from '../../src/index.ts'

/*
 * The server in the applications of others: the same requests get the same answers below every host, and the pages of the
 * host stay its own.
 */

const purser = await openPurser({
  store: 'memory:',
  providers: { demo: { kind: 'demo' } },
  runtime: { defaults: { provider: 'demo' } },
  ledger: { phases: ['new', 'known'] },
})
after(() => purser.close())

const authorize = () => ({ actor: 'host', role: 'service' }) as const
const options = { purser, authorize, prefix: '/purser', server: { bodyLimitBytes: 2_000, logLevel: 'silent' } }
const HOST_PAGE = 'page of the host'

/** A host that answers `/` itself, and its address. */
interface Host extends AsyncDisposable {
  readonly url: string
}

async function listen(listener: RequestListener, close: () => Promise<unknown>): Promise<Host> {
  const host: Server = createHttpServer(listener)
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(host.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      host.closeAllConnections()
      await new Promise((resolve) => host.close(resolve))
      await close()
    },
  }
}

/** An application of Express with Purser below `/purser`, after what `prepare` adds. */
async function openExpress(prepare: (app: express.Express) => void, mount: string | undefined): Promise<Host> {
  const server = await createServer(options)
  const app = express()
  prepare(app)
  if (mount === undefined) app.use(server.node)
  else app.use(mount, server.node)
  app.get('/', (_request, response) => void response.end(HOST_PAGE))
  return listen(app, () => server.close())
}

async function openFastify(register: (app: ReturnType<typeof Fastify>) => Promise<void>): Promise<Host> {
  const app = Fastify()
  app.get('/', async () => HOST_PAGE)
  await register(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return { url, [Symbol.asyncDispose]: () => app.close() }
}

/** Serves a handler of web requests, as the adapters of frameworks do. */
async function serveWeb(handler: (request: Request) => Response | Promise<Response>, close: () => Promise<unknown>) {
  return listen(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = parts.length === 0 ? undefined : Buffer.concat(parts)
    const { method = 'GET', headers, url = '/' } = request
    const init = { method, headers: headers as Record<string, string>, ...(body === undefined ? {} : { body }) }
    const answer = await handler(new Request(`http://${headers.host}${url}`, init))
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    for await (const part of answer.body ?? []) response.write(part)
    response.end()
  }, close)
}

const { prefix: _, ...withoutPrefix } = options

const HOSTS: Readonly<Record<string, () => Promise<Host>>> = {
  'node:http': async () => {
    const server = await createServer(options)
    const listener: RequestListener = (request, response) =>
      void server.node(request, response, () => response.end(HOST_PAGE))
    return listen(listener, () => server.close())
  },
  'the Fastify plugin': () =>
    openFastify(async (app) => void (await app.register(purserPlugin, { ...withoutPrefix, prefix: '/purser' }))),
  'the Fastify plugin in a nested plugin': () =>
    openFastify(async (app) => {
      const nest = async (inner: typeof app) =>
        void (await inner.register(purserPlugin, { ...withoutPrefix, prefix: '/purser' }))
      await app.register(nest)
    }),
  Express: () => openExpress(() => {}, undefined),
  'Express with a JSON parser': () => openExpress((app) => app.use(express.json()), undefined),
  'Express with a mount path': () => openExpress(() => {}, '/purser'),
  'Express with a JSON parser and a mount path': () => openExpress((app) => app.use(express.json()), '/purser'),
  'a router of Express': async () => {
    const server = await createServer(options)
    const app = express()
    const router = Router()
    router.use('/purser', server.node)
    app.use(router)
    app.get('/', (_request, response) => void response.end(HOST_PAGE))
    return listen(app, () => server.close())
  },
  Hono: async () => {
    const server = await createServer(options)
    const app = new Hono()
    app.get('/', (c) => c.text(HOST_PAGE))
    app.all('/purser/*', (c) => server.fetch(c.req.raw))
    return serveWeb(app.fetch, () => server.close())
  },
  'Hono with a mount path': async () => {
    const server = await createServer(options)
    const app = new Hono()
    app.get('/', (c) => c.text(HOST_PAGE))
    app.mount('/purser', server.fetch)
    return serveWeb(app.fetch, () => server.close())
  },
  'a route from Request to Response': async () => {
    const server = await createServer(options)
    const route = async (request: Request): Promise<Response> =>
      new URL(request.url).pathname === '/' ? new Response(HOST_PAGE) : server.fetch(request)
    return serveWeb(route, () => server.close())
  },
}

for (const [name, open] of Object.entries(HOSTS)) {
  test(`${name} has the gateway, the management API and the Deck below its prefix, and its own pages`, async () => {
    await using host = await open()
    const post = (path: string, body: object): Promise<Response> =>
      fetch(`${host.url}/purser${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-purser-user': 'ada' },
        body: JSON.stringify(body),
      })
    const messages = [{ role: 'user', content: `Hello from ${name}` }]
    const whole = await post('/v1/chat/completions', { messages })
    assert.equal(whole.status, 200)
    assert.match(await whole.text(), /Hello from/)
    const stream = await post('/v1/chat/completions', { messages, stream: true })
    assert.match(String(stream.headers.get('content-type')), /^text\/event-stream/)
    assert.match(await stream.text(), /data: \[DONE\]\s*$/)
    // The options of the server and those of Purser hold below a host, too.
    assert.equal((await post('/v1/chat/completions', { messages, user: 'x'.repeat(2_001) })).status, 413)
    const unknownPhase = await post('/api/users/ada/detections', { phase: 'know' })
    assert.deepEqual([unknownPhase.status, /Did you mean 'known'/.test(await unknownPhase.text())], [400, true])
    assert.equal((await fetch(`${host.url}/purser/livez`)).status, 200)
    assert.equal((await fetch(`${host.url}/purser/deck`, { redirect: 'manual' })).headers.get('location'), './deck/')
    assert.equal(await (await fetch(`${host.url}/`)).text(), HOST_PAGE)
    const unknown = await fetch(`${host.url}/purser/v1/nothing`, { headers: { 'x-purser-user': 'ada' } })
    assert.deepEqual(
      [unknown.status, ((await unknown.json()) as { error: { code: string } }).error.code],
      [404, 'unknown_url'],
    )
  })
}

test('a server that cannot be created fails when the application becomes ready', async () => {
  const app = Fastify()
  app.register(purserPlugin, { config: { store: 'memory:', leger: {} } as never, prefix: '/purser' })
  await assert.rejects(async () => app.ready(), { code: 'option_unknown' })
  await assert.rejects(createServer({ config: { store: 'memory:' }, server: { port: 0 } }), { code: 'option_invalid' })
  await assert.rejects(createServer({ purser, server: { prot: 0 } as never }), { code: 'option_unknown' })
})
