import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openPurser, type Purser, PurserError } from 'purser'
import { createServer, type PurserServer } from '../../src/index.ts'
import { DECK_POLICY, getDeckDirectory } from '../../src/routes/deck.ts'

/* A server mounted in another program: as a web handler, as a Node handler beside other routes, under a prefix. */

let purser: Purser
let server: PurserServer

before(async () => {
  purser = await openPurser({
    store: 'memory:',
    providers: { demo: { kind: 'demo', models: ['demo'] } },
    runtime: { defaults: { provider: 'demo', model: 'demo' } },
  })
  server = await createServer({
    purser,
    prefix: '/purser',
    authorize: (request) => {
      const name = request.headers.get('x-host-user')
      return name === null
        ? null
        : { actor: name, role: name === 'root' ? 'admin' : 'user', user: name === 'root' ? undefined : name }
    },
  })
})
after(async () => {
  await server.close()
  await purser.close()
})

const chat = (user: string, more: object = {}) =>
  new Request('http://host.example/purser/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-host-user': user },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hello' }], ...more }),
  })

test('the web handler answers with JSON and with a stream', async () => {
  const whole = await server.fetch(chat('ada'))
  assert.equal(whole.status, 200)
  assert.equal(((await whole.json()) as { object: string }).object, 'chat.completion')
  const stream = await server.fetch(chat('ada', { stream: true }))
  assert.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.ok((await stream.text()).endsWith('data: [DONE]\n\n'))
})

test('the authorize function of the host authenticates requests; null falls back to keys', async () => {
  assert.equal(
    (await server.fetch(new Request('http://h/purser/api/users', { headers: { 'x-host-user': 'root' } }))).status,
    200,
  )
  assert.equal(
    (await server.fetch(new Request('http://h/purser/api/users', { headers: { 'x-host-user': 'ada' } }))).status,
    403,
  )
  assert.equal((await server.fetch(new Request('http://h/purser/api/users'))).status, 401)
  const other = await server.fetch(chat('ada', { user: 'ben' }))
  assert.equal(((await other.json()) as { error: { code: string } }).error.code, 'user_mismatch')
})

test('invalid options are rejected with a hint', async () => {
  const config = { store: 'memory:' }
  for (const [options, code, text] of [
    [undefined, 'option_invalid', /must be an object[\s\S]*purser, config/],
    [{}, 'option_invalid', /either 'purser' or 'config'/],
    [{ purser, config }, 'option_invalid', /either 'purser' or 'config'/],
    [{ config, prefx: '/x' }, 'option_unknown', /'prefx'[\s\S]*Did you mean 'prefix'/],
    [{ store: 'memory:' }, 'option_unknown', /'store'[\s\S]*config/],
    [{ config, prefix: 'x/' }, 'option_invalid', /'prefix' must be '' or like '\/purser'/],
    [{ config, authorize: 'me' }, 'option_invalid', /'authorize' must be a function/],
    [{ purser: 'sqlite:x' }, 'option_invalid', /'purser' must be the result of openPurser/],
  ] as const) {
    await assert.rejects(createServer(options as never), (error) => {
      assert.ok(PurserError.is(error, code), String(error))
      assert.match(`${error.message} ${error.hint}`, text)
      return true
    })
  }
})

test('an authorize function that returns an invalid role, or a role that does not match its user, is a server error', async () => {
  for (const result of [
    { actor: 'x', role: 'root' },
    { actor: 'x', role: 'user' },
    { actor: 'x', role: 'admin', user: 'zoe' },
  ]) {
    const faulty = await createServer({ purser, authorize: () => result as never })
    faulty.fastify.log.level = 'silent'
    const response = await faulty.fetch(new Request('http://h/v1/me', { headers: { 'x-purser-user': 'zoe' } }))
    assert.equal(response.status, 500)
    // A request id is hexadecimal, so it cannot contain this name by chance.
    assert.ok(!(await response.text()).includes('zoe'))
    await faulty.close()
  }
})

test('the Node handler answers its own paths and passes other requests on', async () => {
  const host = createHttpServer((request, response) => {
    void server.node(request, response, () => response.end('page of the host'))
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
  assert.equal((await fetch(`${url}/purser/livez`)).status, 200)
  assert.equal(await (await fetch(`${url}/livez`)).text(), 'page of the host')
  assert.equal(await (await fetch(`${url}/purser/other`)).text(), 'page of the host')
  await new Promise((resolve) => host.close(resolve))
})

type HostRequest = IncomingMessage & { body?: unknown; originalUrl?: string }

/** Calls the Node handler of the server behind other code of a host. */
async function callBehindHost(before: (request: HostRequest) => Promise<void>): Promise<[number, string]> {
  const host = createHttpServer(async (request, response) => {
    await before(request)
    await server.node(request, response, () => response.writeHead(418).end('page of the host'))
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const { url, ...init } = { url: chat('ada').url, method: 'POST', headers: chat('ada').headers }
  const address = `http://127.0.0.1:${(host.address() as AddressInfo).port}${new URL(url).pathname}`
  const response = await fetch(address, { ...init, body: await chat('ada').text() })
  const text = await response.text()
  host.closeAllConnections()
  await new Promise((resolve) => host.close(resolve))
  return [response.status, (JSON.parse(text) as { error?: { code: string } }).error?.code ?? 'answered']
}

async function readAll(request: HostRequest): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

test('the Node handler works behind body parsers and under a mount path of the host', async () => {
  for (const [name, before, expected] of [
    ['nothing', async () => {}, [200, 'answered']],
    [
      'a JSON parser',
      async (request) => {
        request.body = JSON.parse(String(await readAll(request)))
      },
      [200, 'answered'],
    ],
    [
      'a text parser',
      async (request) => {
        request.body = String(await readAll(request))
      },
      [200, 'answered'],
    ],
    [
      'a raw parser',
      async (request) => {
        request.body = await readAll(request)
      },
      [200, 'answered'],
    ],
    ['a reader that keeps the body', async (request) => void (await readAll(request)), [500, 'body_consumed']],
    [
      'a parser that left the body of another type',
      async (request) => {
        request.body = {}
      },
      [200, 'answered'],
    ],
    [
      'a mount path',
      async (request) => {
        request.originalUrl = request.url ?? ''
        request.url = request.originalUrl.replace('/purser', '')
      },
      [200, 'answered'],
    ],
  ] as const satisfies readonly (readonly [string, (request: HostRequest) => Promise<void>, unknown])[]) {
    assert.deepEqual(await callBehindHost(before), expected, name)
  }
})

test('the Deck is served under the prefix with its policy; hashed files are immutable, the page is revalidated', async () => {
  assert.equal((await server.fetch(new Request('http://h/purser/deck'))).headers.get('location'), './deck/')
  const page = await server.fetch(new Request('http://h/purser/deck/'))
  if (getDeckDirectory() === undefined) {
    assert.equal(((await page.json()) as { error: { code: string } }).error.code, 'deck_missing')
    return
  }
  assert.equal(page.status, 200)
  // The redirect of an expired sign-in link.
  assert.equal((await server.fetch(new Request('http://h/purser/deck/?sign-in=expired'))).status, 200)
  assert.equal(page.headers.get('content-security-policy'), DECK_POLICY)
  assert.equal(page.headers.get('cache-control'), 'no-cache')
  const script = /src="\.\/(assets\/[^"]+)"/.exec(await page.text())?.[1]
  const asset = await server.fetch(
    new Request(`http://h/purser/deck/${script}`, { headers: { 'accept-encoding': 'br' } }),
  )
  assert.equal(asset.status, 200)
  assert.match(String(asset.headers.get('cache-control')), /immutable/)
  assert.match(String(asset.headers.get('content-type')), /javascript/)
  for (const path of ['../package.json', '%2e%2e/package.json', '..%2fpackage.json', 'assets/none.js', '.env']) {
    const response = await server.fetch(new Request(`http://h/purser/deck/${path}`))
    assert.ok(response.status >= 400, path)
    assert.equal(response.headers.get('cache-control'), 'private, no-store', path)
    assert.equal(typeof ((await response.json()) as { error: { code: string } }).error.code, 'string')
  }
})

test('the page is found where the workspace builds it', () => {
  const built = fileURLToPath(new URL('../../../deck/dist/', import.meta.url))
  assert.equal(getDeckDirectory(), existsSync(`${built}index.html`) ? built : undefined)
})

interface Operation {
  readonly operationId: string
  readonly requestBody?: { readonly required: boolean }
  readonly responses: Record<string, { readonly content: Record<string, unknown> }>
}

test('the API document is served under the prefix and describes the bodies of all statuses', async () => {
  const document = (await (await server.fetch(new Request('http://h/purser/openapi.json'))).json()) as {
    openapi: string
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, unknown> }
  }
  assert.equal(document.openapi, '3.1.0')
  assert.ok(document.components.schemas.Problem)
  for (const methods of Object.values(document.paths)) {
    for (const { responses } of Object.values(methods))
      assert.ok('4XX' in responses, JSON.stringify(Object.keys(responses)))
  }
  const getOperation = (method: string, path: string): Operation =>
    document.paths[`/purser${path}`]?.[method] as Operation
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  )
  assert.ok(ids.every((id) => /^[a-z]\w+$/.test(id)))
  assert.equal(new Set(ids).size, ids.length)
  assert.equal(getOperation('get', '/api/users/{id}/bond').operationId, 'getApiUsersByIdBond')
  for (const [method, path, required] of [
    ['post', '/api/users/{id}/admissions', false],
    ['post', '/api/users/{id}/erase', false],
    ['delete', '/api/users/{id}/block', false],
    ['delete', '/api/keys', false],
    ['put', '/api/users/{id}/cap', true],
    ['post', '/v1/chat/completions', true],
    ['delete', '/api/users/{id}/context', undefined],
  ] as const) {
    assert.equal(getOperation(method, path).requestBody?.required, required, `${method} ${path}`)
  }
  for (const [path, type] of [
    ['/api/events', 'text/event-stream'],
    ['/metrics', 'text/plain'],
    ['/api/users/{id}/export', 'application/x-ndjson'],
  ] as const) {
    assert.deepEqual(Object.keys(getOperation('get', path).responses['2XX']?.content ?? {}), [type], path)
  }
})

test('a server with a short key does not listen where others can reach it', async () => {
  await using server = await createServer({
    config: { store: 'memory:' },
    keys: { admin: 'admin', service: 'service' },
  })
  await assert.rejects(server.listen({ host: '0.0.0.0', port: 0 }), /is shorter than 32 characters/)
})
