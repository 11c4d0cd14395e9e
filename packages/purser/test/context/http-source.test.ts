import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { systemEffects } from '../../src/core/effects.ts'
import { PurserError } from '../../src/errors.ts'
import { openContextHarness } from '../support/context-harness.ts'

interface ReceivedRequest {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

async function startServer(
  t: TestContext,
  respond: RequestListener,
): Promise<{ origin: string; received: ReceivedRequest[]; server: Server }> {
  const received: ReceivedRequest[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    received.push({ method: request.method, url: request.url, headers: request.headers, body })
    respond(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received, server }
}

const json =
  (value: unknown, status = 200): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))

async function resolveFrom(source: object, user = 'asha'): Promise<{ status: string; text: string }> {
  await using harness = await openContextHarness(
    { sections: { memories: { source: source as { url: string } } } },
    { effects: systemEffects },
  )
  const { sections } = await harness.user(user).context.resolve({ sections: ['memories'], budgetMs: 5_000 })
  return { status: sections[0]?.status ?? '', text: sections[0]?.text ?? '' }
}

test('UC-21, UC-22 loads the profile by POST and the actions by GET', async (t) => {
  const { origin, received } = await startServer(t, (request, response) =>
    json(request.method === 'POST' ? { name: 'Asha' } : [{ action: 'Sang', created_date: '2026-01-01T10:00:00' }])(
      request,
      response,
    ),
  )
  await using harness = await openContextHarness(
    {
      sources: {
        profile: { url: `${origin}/profile`, method: 'POST', body: { user_id: '{user}' } },
        actions: { url: `${origin}/actions?user_id={user}`, headers: { authorization: 'Bearer k' } },
      },
    },
    { effects: systemEffects },
  )
  const context = await harness.user('asha').context.resolve({ budgetMs: 5_000, mode: 'create' })
  assert.equal(context.status, 'fresh')
  assert.match(context.details, /user_name: Asha/)
  assert.equal(context.actions, 'Sang on 2026-01-01T10:00:00')
  const post = received.find(({ method }) => method === 'POST')
  assert.deepEqual(
    [post?.url, post?.body, post?.headers['content-type']],
    ['/profile', '{"user_id":"asha"}', 'application/json'],
  )
  const get = received.find(({ method }) => method === 'GET')
  assert.deepEqual([get?.url, get?.headers.authorization], ['/actions?user_id=asha', 'Bearer k'])
})

test('UC-D12 a user id is encoded wherever it is inserted and cannot change the request', async (t) => {
  const { origin, received } = await startServer(t, json({ a: 1 }))
  const ids = [
    '1&x=2',
    'a/../b',
    '#',
    '?',
    '%2e%2e',
    'a b',
    'ü€😀',
    '"}',
    '{user}',
    "$&$'",
    'a+b',
    '\\',
    ';',
    'zz7purseruser7zz',
  ]
  for (const id of ids) {
    await resolveFrom(
      {
        url: `${origin}/of/{user}/x?id={user}&k=v#part`,
        body: { user: '{user}', deep: [{ id: 'u:{user}' }] },
        headers: { 'x-user': 'is {user}' },
      },
      id,
    )
    const request = received.at(-1) as ReceivedRequest
    const url = new URL(request.url ?? '', origin)
    assert.equal(url.pathname.split('/').length, 4, id)
    assert.equal(decodeURIComponent(url.pathname.split('/')[2] ?? ''), id)
    assert.deepEqual(
      [...url.searchParams],
      [
        ['id', id],
        ['k', 'v'],
      ],
    )
    assert.deepEqual(JSON.parse(request.body), { user: id, deep: [{ id: `u:${id}` }] })
    assert.equal(decodeURIComponent(String(request.headers['x-user'])), `is ${id}`)
  }
})

test('UC-D10 each status is data, no data or an outage', async (t) => {
  for (const [status, meaning] of [
    [200, 'fresh'],
    [204, 'empty'],
    [404, 'empty'],
    [410, 'empty'],
    [301, 'unavailable'],
    [302, 'unavailable'],
    [400, 'unavailable'],
    [401, 'unavailable'],
    [403, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ] as const) {
    const { origin, received } = await startServer(t, (_, response) =>
      response
        .writeHead(status, { location: '/elsewhere', 'content-type': 'application/json' })
        .end(status === 204 ? '' : '{"a":1}'),
    )
    assert.equal((await resolveFrom({ url: `${origin}/p` })).status, meaning, String(status))
    assert.equal(received.length, 1, 'a redirect is not followed')
  }
})

test('null and text are data; numbers, invalid JSON, endless and truncated bodies are outages', async (t) => {
  const resolveResponse = async (listener: RequestListener): Promise<{ status: string; text: string }> => {
    const { origin } = await startServer(t, listener)
    return resolveFrom({ url: `${origin}/p` })
  }
  assert.equal((await resolveResponse(json(null))).status, 'empty')
  assert.equal((await resolveResponse(json([]))).status, 'empty')
  assert.equal((await resolveResponse(json(7))).status, 'unavailable')
  assert.equal((await resolveResponse((_, response) => response.end('{"a":'))).status, 'unavailable')
  const text = await resolveResponse((_, response) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end('likes tea'),
  )
  assert.deepEqual([text.status, text.text], ['fresh', 'memories:\nlikes tea'])
  const endless = await resolveResponse((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const sendMore = (): void => {
      if (!response.destroyed) response.write('"x"'.repeat(30_000), () => setImmediate(sendMore))
    }
    sendMore()
  })
  assert.equal(endless.status, 'unavailable')
  const truncated = await resolveResponse((_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{"a":1')
    setImmediate(() => response.destroy())
  })
  assert.equal(truncated.status, 'unavailable')
})

test('a service that refuses connections or never answers is unavailable within the budget', async (t) => {
  assert.equal((await resolveFrom({ url: 'http://127.0.0.1:9/p' })).status, 'unavailable')
  const { origin } = await startServer(t, () => undefined)
  await using harness = await openContextHarness(
    { sources: { profile: { url: `${origin}/p` } } },
    { effects: systemEffects },
  )
  assert.equal((await harness.user('asha').context.resolve({ budgetMs: 60 })).sections[0]?.status, 'unavailable')
})

test('an invalid HTTP source is a configuration error with a hint', async () => {
  const url = 'http://127.0.0.1:9/p'
  for (const [source, code] of [
    [{ url: 'http://{user}.example.com/' }, 'option_invalid'],
    [{ url: 'http://example.com:{user}/' }, 'option_invalid'],
    [{ url: 'http://{user}@example.com/' }, 'option_invalid'],
    [{ url: '{user}://example.com/' }, 'option_invalid'],
    [{ url: 'http://a:b@example.com/' }, 'option_invalid'],
    [{ url: 'file:///etc/passwd' }, 'option_invalid'],
    [{ url: 'not a url' }, 'option_invalid'],
    [{ url: 7 }, 'option_invalid'],
    [{ url, method: 'DELETE' }, 'option_invalid'],
    [{ url, method: 'GET', body: {} }, 'option_invalid'],
    [{ url, body: 'text' }, 'option_invalid'],
    [{ url, headers: { a: 'x\r\ny' } }, 'option_invalid'],
    [{ url, bodi: {} }, 'option_invalid'],
    ['x', 'option_invalid'],
  ] as const) {
    await assert.rejects(
      openContextHarness({ sources: { profile: source as never } }),
      (error: unknown) => PurserError.is(error, code),
      JSON.stringify(source),
    )
  }
  await assert.rejects(openContextHarness({ sources: { profle: async () => null } as never }), (error: unknown) => {
    assert.ok(PurserError.is(error, 'option_unknown'))
    assert.match(error.hint ?? '', /profile/)
    return true
  })
})

test('a source is asked for a plain body, and every content coding is decoded within the limit', async (t) => {
  const codings: [string, (body: Buffer) => Buffer][] = [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['zstd', zstdCompressSync],
    ['br, gzip', (body) => gzipSync(brotliCompressSync(body))],
  ]
  for (const [coding, encode] of codings) {
    const send =
      (body: Buffer): RequestListener =>
      (_, response) =>
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': coding }).end(encode(body))
    const { origin, received } = await startServer(t, send(Buffer.from('["remembers"]')))
    const loaded = await resolveFrom({ url: `${origin}/` })
    assert.deepEqual([loaded.status, loaded.text.includes('remembers')], ['fresh', true], coding)
    assert.equal(received[0]?.headers['accept-encoding'], 'identity')
    const large = await startServer(t, send(Buffer.alloc(100_000_000, ' ')))
    assert.equal((await resolveFrom({ url: `${large.origin}/` })).status, 'unavailable', coding)
  }
  const unknown = await startServer(t, (_, response) => response.writeHead(200, { 'content-encoding': 'x' }).end('[]'))
  assert.equal((await resolveFrom({ url: `${unknown.origin}/` })).status, 'unavailable')
})

test('a byte order mark before the JSON of a source is skipped', async (t) => {
  const { origin } = await startServer(t, (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('\ufeff["remembers"]'),
  )
  const loaded = await resolveFrom({ url: `${origin}/` })
  assert.deepEqual([loaded.status, loaded.text.includes('remembers')], ['fresh', true])
})
