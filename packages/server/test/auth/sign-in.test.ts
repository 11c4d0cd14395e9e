import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type HandClock, handClock } from 'purser/testing'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import { DECK_POLICY } from '../../src/routes/deck.ts'

const HOST = 'deck.example'
let clock: HandClock
let server: OpenServer

before(async () => {
  clock = handClock()
  server = await openServer({
    config: { store: 'memory:', server: { logLevel: 'silent', publicUrl: 'https://deck.example' } },
    effects: clock,
  })
})
beforeEach(() => clock.advance(60_000))
after(() => server.close())

type Headers = Record<string, string>
const inject = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, headers: Headers = {}, body?: object) =>
  server.fastify.inject({
    method,
    url,
    headers: { host: HOST, ...headers },
    ...(body === undefined ? {} : { payload: body }),
  })

const follow = (token: string, headers?: Headers) => inject('GET', `/deck/sign-in?token=${token}`, headers)

async function signedIn(): Promise<string> {
  const answer = await follow(server.house.sessions.createLink())
  return String(answer.headers['set-cookie']).split(';')[0] as string
}

test('a link signs in once: the cookie is HttpOnly, SameSite=Strict and leads to the Deck', async () => {
  const link = server.house.sessions.createLink()
  const first = await follow(link)
  assert.equal(first.statusCode, 303)
  assert.equal(first.headers.location, './')
  assert.match(
    String(first.headers['set-cookie']),
    /^purser_session=\S{40,}; Path=\/; HttpOnly; SameSite=Strict; Secure; Max-Age=\d+$/,
  )
  const second = await follow(link)
  assert.equal(second.headers['set-cookie'], undefined)
  assert.match(String(second.headers.location), /expired/)
})

test('a link is worth nothing after ten minutes', async () => {
  const [early, late] = [server.house.sessions.createLink(), server.house.sessions.createLink()]
  clock.advance(600_000 - 1)
  assert.ok((await follow(early)).headers['set-cookie'])
  clock.advance(1)
  assert.equal((await follow(late)).headers['set-cookie'], undefined)
})

test('a session reads, and changes only from a page of this very origin', async () => {
  const cookie = await signedIn()
  assert.deepEqual((await inject('GET', '/api/session', { cookie })).json().role, 'admin')
  const change = (headers: Headers) => inject('PUT', '/api/users/ada/cap', { cookie, ...headers }, { cap: 3 })
  assert.equal((await change({})).json().error.code, 'origin_mismatch')
  assert.equal((await change({ origin: 'https://evil.example' })).statusCode, 403)
  assert.equal((await change({ origin: 'https://deck.example', 'sec-fetch-site': 'cross-site' })).statusCode, 403)
  assert.equal((await change({ origin: 'null' })).statusCode, 403)
  assert.equal((await change({ origin: 'https://deck.example' })).statusCode, 200)
})

test('the same server is also reached in digits on this machine, without encryption', async () => {
  const host = '127.0.0.1:7117'
  const answer = await follow(server.house.sessions.createLink(), { host })
  const [cookie = ''] = String(answer.headers['set-cookie']).split(';')
  assert.doesNotMatch(String(answer.headers['set-cookie']), /Secure/)
  const change = (origin: string) => inject('PUT', '/api/users/ada/cap', { cookie, host, origin }, { cap: 3 })
  assert.equal((await change(`http://${host}`)).statusCode, 200)
  assert.equal((await change('http://127.0.0.1:7118')).statusCode, 403)
})

test('a name that only resolves to this machine cannot use the session, nor sign in', async () => {
  const cookie = await signedIn()
  const rebound = { cookie, host: 'evil.example:7117', origin: 'http://evil.example:7117' }
  assert.equal((await inject('GET', '/api/users', rebound)).json().error.code, 'host_mismatch')
  assert.equal((await inject('PUT', '/api/users/ada/cap', rebound, { cap: 3 })).json().error.code, 'host_mismatch')
  assert.equal((await follow(server.house.sessions.createLink(), rebound)).statusCode, 403)
})

test('whoever asks who they are is told: a session, a key, nobody; a wrong key is refused', async () => {
  const who = (headers: Headers) => inject('GET', '/api/session', headers)
  for (const headers of [{}, { cookie: 'purser_session=purser_session_none' }]) {
    const nobody = await who(headers)
    assert.deepEqual([nobody.statusCode, nobody.body], [200, 'null'])
    assert.match(String(nobody.headers['content-type']), /^application\/json/)
  }
  assert.equal((await who({ authorization: 'Bearer wrong' })).statusCode, 401)
  const { key } = await server.house.keys.create({ role: 'viewer', name: 'watch', createdBy: 'test' })
  assert.deepEqual((await who({ authorization: `Bearer ${key}` })).json().name, 'watch')
})

test('a session ends by signing out, and after twelve hours', async () => {
  const cookie = await signedIn()
  const out = await inject('DELETE', '/api/session', { cookie, origin: 'https://deck.example' })
  assert.equal(out.statusCode, 204)
  assert.match(String(out.headers['set-cookie']), /Max-Age=0/)
  assert.equal((await inject('GET', '/api/users', { cookie })).statusCode, 401)
  const other = await signedIn()
  clock.advance(12 * 3_600_000)
  assert.equal((await inject('GET', '/api/users', { cookie: other })).statusCode, 401)
})

test('a key of the Deck’s roles signs in under its own name, and its session ends with it', async () => {
  const key = await server.house.keys.create({ role: 'viewer', name: 'night watch', createdBy: 'test' })
  const answer = await inject('POST', '/api/session', { origin: 'https://deck.example' }, { key: key.key })
  assert.deepEqual([answer.json().name, answer.json().role], ['night watch', 'viewer'])
  const cookie = String(answer.headers['set-cookie']).split(';')[0] as string
  assert.equal((await inject('GET', '/api/users', { cookie })).statusCode, 200)
  await server.house.keys.revoke(key.id)
  assert.equal((await inject('GET', '/api/users', { cookie })).statusCode, 401)
})

test('a service key does not open the Deck', async () => {
  const { key } = await server.house.keys.create({ role: 'service', createdBy: 'test' })
  assert.equal((await inject('POST', '/api/session', {}, { key })).statusCode, 403)
})

test('whoever tries keys has to wait after ten failures, and only they', async () => {
  const attempt = (remoteAddress: string) =>
    server.fastify.inject({
      method: 'POST',
      url: '/api/session',
      remoteAddress,
      headers: { host: HOST },
      payload: { key: 'x' },
    })
  for (let count = 0; count < 10; count++) assert.equal((await attempt('10.0.0.1')).statusCode, 401)
  const refused = await attempt('10.0.0.1')
  assert.equal(refused.statusCode, 429)
  assert.equal(refused.headers['retry-after'], '60')
  assert.equal((await attempt('10.0.0.2')).statusCode, 401)
  clock.advance(60_000)
  assert.equal((await attempt('10.0.0.1')).statusCode, 401)
})

test('the Deck’s policy allows nothing inline and nothing from elsewhere, and the API’s allows nothing at all', async () => {
  for (const rule of [
    "default-src 'none'",
    "script-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]) {
    assert.ok(DECK_POLICY.split('; ').includes(rule), rule)
  }
  assert.doesNotMatch(DECK_POLICY, /unsafe|\*|http/)
  const { headers } = await inject('GET', '/livez')
  assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
})

test('on a way that is not encrypted the cookie is not Secure, and the prefix is its path', async () => {
  const plain = await openServer({ config: { store: 'memory:', server: { prefix: '/purser', logLevel: 'silent' } } })
  try {
    const url = `/purser/deck/sign-in?token=${plain.house.sessions.createLink()}`
    const answer = await plain.fastify.inject({ url, headers: { host: 'localhost:7117' } })
    assert.match(String(answer.headers['set-cookie']), /; Path=\/purser\/; HttpOnly; SameSite=Strict; Max-Age/)
  } finally {
    await plain.close()
  }
})
