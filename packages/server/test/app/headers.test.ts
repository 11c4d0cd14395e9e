import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

let harness: ServerHarness
let serviceKey: string
let url: URL

before(async () => {
  harness = await openServerHarness({ realTime: true })
  serviceKey = await harness.createKey('service')
  url = new URL(await harness.server.listen({ port: 0, host: '127.0.0.1' }))
})
after(() => harness[Symbol.asyncDispose]())

interface RawResponse {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Sends lines as they are and reads up to the end of the connection, or to the first body byte of an open stream. */
function send(lines: readonly string[], { isStream = false } = {}): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname)
    let text = ''
    const finish = (): void => {
      socket.destroy()
      const [head = '', ...body] = text.split('\r\n\r\n')
      resolve({ status: Number(head.split(' ')[1]), head: head.toLowerCase(), body: body.join('\r\n\r\n') })
    }
    socket.setEncoding('latin1')
    socket.on('error', reject).on('close', finish)
    socket.on('data', (part) => {
      text += part
      if (isStream && /\r\n\r\n./s.test(text)) finish()
    })
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  })
}

const body = '{"messages":[{"role":"user","content":"Hello"}],"stream":true}'
const chat = (...headers: readonly string[]) => {
  const lines = [
    'POST /v1/chat/completions HTTP/1.1',
    'connection: close',
    'content-type: application/json',
    ...headers,
  ]
  return send([...lines, `content-length: ${body.length}`, '', body])
}

test('a header that says who calls, or what for, is 400 when it is repeated, even with the same value', async () => {
  const service = `authorization: Bearer ${serviceKey}`
  const once = ['host: localhost', service, 'x-purser-user: ada']
  assert.equal((await chat(...once)).status, 200)
  for (const repeated of [
    'x-purser-user: ada',
    'X-Purser-User: eve',
    service,
    'Authorization: Bearer other',
    'host: localhost',
  ]) {
    const response = await chat(...once, repeated)
    assert.equal(response.status, 400, repeated)
    assert.match(response.body, /must be sent only once/)
  }
  for (const name of [
    'x-openwebui-user-id',
    'x-litellm-end-user-id',
    'x-api-key',
    'idempotency-key',
    'x-purser-session',
    'x-purser-preset',
    'x-purser-time-zone',
    'x-purser-reason',
  ]) {
    const response = await chat(...once, `${name}: a`, `${name}: b`)
    assert.equal(response.status, 400, name)
  }
  assert.equal((await harness.user('ada, eve').ledger.bond()).exists, false)
  assert.equal((await harness.user('eve').ledger.bond()).exists, false)
  // Different headers that name users have an order of precedence.
  assert.equal((await chat(...once, 'x-openwebui-user-id: eve')).status, 200)
})

test('streams, errors and answers to bytes that are not HTTP carry the security headers of every other response', async () => {
  const admin = `authorization: Bearer ${harness.key}`
  const service = `authorization: Bearer ${serviceKey}`
  const get = (path: string, ...headers: string[]) => [
    `GET ${path} HTTP/1.1`,
    'host: localhost',
    'connection: close',
    ...headers,
  ]
  const responses: Readonly<Record<string, Promise<RawResponse>>> = {
    'chat stream': chat('host: localhost', service, 'x-purser-user: ada'),
    'chat error': chat('host: localhost', service),
    'event stream': send(get('/api/events', admin), { isStream: true }),
    json: send(get('/api/overview', admin)),
    export: send(get('/api/users/ada/export', admin)),
    unauthorized: send(get('/api/users')),
    unknown: send(get('/nothing')),
    malformed: send(['NONSENSE']),
  }
  for (const [name, response] of Object.entries(responses)) {
    const { head } = await response
    for (const header of [
      'x-content-type-options: nosniff',
      'referrer-policy: no-referrer',
      'x-frame-options: deny',
      'cache-control: private, no-store',
      "content-security-policy: default-src 'none'",
      'vary: authorization',
    ]) {
      assert.ok(head.includes(header), `${name}: ${header} in ${head}`)
    }
  }
})

test('the hint of a missing or wrong key names a role that may use what was asked for', async () => {
  const paths = {
    '/v1/models': 'service',
    '/v1/unknown': undefined,
    '/api/users': 'admin',
    '/api/users/v1/bond': 'admin',
  }
  for (const [path, role] of Object.entries(paths)) {
    const response = await harness.fastify.inject({ url: path, headers: { authorization: 'Bearer wrong' } })
    const { code, hint } = response.json().error
    if (role === undefined) assert.equal(code, 'unknown_url')
    else assert.ok(hint.endsWith(`--role ${role}`), hint)
  }
})

test('a name of a property of all objects is no provider, and a compressed file of the Deck is no file of its own', async () => {
  const allowedModels = ['constructor/x', 'toString/y', '__proto__/z']
  await harness.call('PATCH', '/api/users/eve/runtime', { allowedModels })
  const response = await harness.fastify.inject({
    url: '/v1/models',
    headers: { authorization: `Bearer ${serviceKey}`, 'x-purser-user': 'eve' },
  })
  assert.equal(response.statusCode, 200)
  assert.doesNotMatch(response.body, /constructor|toString|proto/)
  for (const path of ['index.html.br', 'index.html.gz', 'assets/x.js.BR']) {
    assert.equal((await harness.fastify.inject(`/deck/${path}`)).statusCode, 404, path)
  }
})
