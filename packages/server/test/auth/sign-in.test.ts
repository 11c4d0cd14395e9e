import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { openPurser } from 'purser'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import { DECK_POLICY } from '../../src/routes/deck.ts'
import { type Headers, type Method, openServerHarness, type ServerHarness } from '../support/server-harness.ts'

const HOST = 'deck.example'
const ORIGIN = 'https://deck.example'
let harness: ServerHarness

before(async () => {
  harness = await openServerHarness({ config: { server: { publicUrl: ORIGIN } } })
})
// Ends the window of the sign-in limiter.
beforeEach(() => harness.clock.advance(60_000))
after(() => harness[Symbol.asyncDispose]())

/** A request from a browser: without a key, and with the public host unless `headers` name another. */
const request = (method: Method, url: string, headers: Headers = {}, body?: object) =>
  harness.fastify.inject({
    method,
    url,
    headers: { host: HOST, ...headers },
    ...(body === undefined ? {} : { payload: body }),
  })

const createLink = (): Promise<string> => harness.context.sessions.createLink()
const follow = (link: string, headers?: Headers) => request('GET', `/deck/sign-in?token=${link}`, headers)

/** Signs in and returns the `Cookie` header of the session. */
async function signIn(): Promise<string> {
  const response = await follow(await createLink())
  return String(response.headers['set-cookie']).split(';')[0] as string
}

test('a link signs in once: the cookie is HttpOnly, SameSite=Strict, and the response redirects to the Deck', async () => {
  const link = await createLink()
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

test('a link expires after 10 minutes', async () => {
  const [early, late] = [await createLink(), await createLink()]
  harness.clock.advance(600_000 - 1)
  assert.ok((await follow(early)).headers['set-cookie'])
  harness.clock.advance(1)
  assert.equal((await follow(late)).headers['set-cookie'], undefined)
})

test('a session may read, and may change data only from a page of the same origin', async () => {
  const cookie = await signIn()
  assert.deepEqual((await request('GET', '/api/session', { cookie })).json().role, 'admin')
  const change = (headers: Headers) => request('PUT', '/api/users/ada/cap', { cookie, ...headers }, { cap: 3 })
  assert.equal((await change({})).json().error.code, 'origin_mismatch')
  assert.equal((await change({ origin: 'https://evil.example' })).statusCode, 403)
  assert.equal((await change({ origin: ORIGIN, 'sec-fetch-site': 'cross-site' })).statusCode, 403)
  assert.equal((await change({ origin: 'null' })).statusCode, 403)
  assert.equal((await change({ origin: ORIGIN })).statusCode, 200)
})

test('behind an https publicUrl the cookie is Secure whatever Host the proxy sends, and only that origin may change data', async () => {
  const host = '127.0.0.1:7117'
  for (const headers of [{ host }, { host, 'x-forwarded-proto': 'http' }, { host: HOST }]) {
    assert.match(String((await follow(await createLink(), headers)).headers['set-cookie']), /; Secure;/)
  }
  const cookie = await signIn()
  const change = (origin: string) => request('PUT', '/api/users/ada/cap', { cookie, host, origin }, { cap: 3 })
  assert.equal((await change(ORIGIN)).statusCode, 200)
  assert.equal((await change(`http://${host}`)).statusCode, 200)
  assert.equal((await change('http://127.0.0.1:7118')).statusCode, 403)
})

test('a foreign host name that resolves to this machine can neither use a session nor sign in', async () => {
  const cookie = await signIn()
  const rebound = { cookie, host: 'evil.example:7117', origin: 'http://evil.example:7117' }
  assert.equal((await request('GET', '/api/users', rebound)).json().error.code, 'host_mismatch')
  assert.equal((await request('PUT', '/api/users/ada/cap', rebound, { cap: 3 })).json().error.code, 'host_mismatch')
  assert.equal((await follow(await createLink(), rebound)).statusCode, 403)
})

test('GET /api/session returns the caller by session or key, null without credentials, and 401 for a wrong key', async () => {
  const getSession = (headers: Headers) => request('GET', '/api/session', headers)
  for (const headers of [{}, { cookie: 'purser_session=purser_session_none' }]) {
    const anonymous = await getSession(headers)
    assert.deepEqual([anonymous.statusCode, anonymous.body], [200, 'null'])
    assert.match(String(anonymous.headers['content-type']), /^application\/json/)
  }
  assert.equal((await getSession({ authorization: 'Bearer wrong' })).statusCode, 401)
  const { key } = await harness.context.keys.create({ role: 'viewer', name: 'watch', createdBy: 'test' })
  assert.deepEqual((await getSession({ authorization: `Bearer ${key}` })).json().name, 'watch')
})

test('a session ends on sign-out and after 12 hours', async () => {
  const cookie = await signIn()
  const signOut = await request('DELETE', '/api/session', { cookie, origin: ORIGIN })
  assert.equal(signOut.statusCode, 204)
  assert.match(String(signOut.headers['set-cookie']), /Max-Age=0/)
  assert.equal((await request('GET', '/api/users', { cookie })).statusCode, 401)
  const other = await signIn()
  harness.clock.advance(12 * 3_600_000)
  assert.equal((await request('GET', '/api/users', { cookie: other })).statusCode, 401)
})

test('a viewer, operator or admin key signs in under its own name, and the session ends when the key is revoked', async () => {
  const key = await harness.context.keys.create({ role: 'viewer', name: 'night watch', createdBy: 'test' })
  const response = await request('POST', '/api/session', { origin: ORIGIN }, { key: key.key })
  assert.deepEqual([response.json().name, response.json().role], ['night watch', 'viewer'])
  const cookie = String(response.headers['set-cookie']).split(';')[0] as string
  assert.equal((await request('GET', '/api/users', { cookie })).statusCode, 200)
  await harness.context.keys.revoke(key.id)
  assert.equal((await request('GET', '/api/users', { cookie })).statusCode, 401)
})

test('a service key cannot sign in to the Deck', async () => {
  const key = await harness.createKey('service')
  assert.equal((await request('POST', '/api/session', {}, { key })).statusCode, 403)
})

/** One attempt from `remoteAddress`; an answer that is delayed is waited for. */
async function attempt(server: ServerHarness, key: string, remoteAddress: string, headers: Headers = {}) {
  const payload = { key }
  const answer = server.fastify.inject({
    method: 'POST',
    url: '/api/session',
    remoteAddress,
    headers: { host: HOST, ...headers },
    payload,
  })
  let isAnswered = false
  const response = answer.then((result) => {
    isAnswered = true
    return result
  })
  await nextTurn()
  if (isAnswered) return { response: await response, isDelayed: false }
  server.clock.advance(1_000)
  return { response: await response, isDelayed: true }
}

const nextTurn = async (): Promise<void> => {
  for (let count = 0; count < 10; count++) await new Promise((resolve) => setImmediate(resolve))
}

test('after 10 failed sign-ins of an address its failures are delayed and refused; those of others are not', async () => {
  for (let count = 0; count < 10; count++) {
    const { response, isDelayed } = await attempt(harness, 'x', '10.0.0.1')
    assert.deepEqual([response.statusCode, isDelayed], [401, false])
  }
  const { response, isDelayed } = await attempt(harness, 'x', '10.0.0.1')
  assert.deepEqual([response.statusCode, isDelayed], [429, true])
  assert.equal(response.headers['retry-after'], '60')
  assert.equal((await attempt(harness, 'x', '10.0.0.2')).response.statusCode, 401)
  harness.clock.advance(60_000)
  assert.equal((await attempt(harness, 'x', '10.0.0.1')).response.statusCode, 401)
})

test('a right key and a sign-in link are let in during wrong attempts from the same address', async () => {
  const key = await harness.createKey('operator')
  for (let count = 0; count < 15; count++) await attempt(harness, 'guess', '127.0.0.1')
  const { response, isDelayed } = await attempt(harness, key, '127.0.0.1')
  assert.deepEqual([response.statusCode, isDelayed], [200, false])
  assert.ok((await follow(await createLink())).headers['set-cookie'])
})

test('failures count by the forwarded address of a trusted proxy, and by that of the peer otherwise', async () => {
  for (const [trustProxy, expected] of [
    [false, 429],
    ['10.9.9.9', 429],
    [true, 401],
    ['loopback, 10.0.0.0/8', 401],
    [['10.0.0.1'], 401],
  ] as const) {
    await using proxied = await openServerHarness({ config: { server: { trustProxy } } })
    const from = (address: string) => attempt(proxied, 'x', '10.0.0.1', { 'x-forwarded-for': address })
    for (let count = 0; count < 10; count++) await from('203.0.113.66')
    assert.equal((await from('198.51.100.7')).response.statusCode, expected, String(trustProxy))
    assert.equal((await from('203.0.113.66')).response.statusCode, 429, String(trustProxy))
  }
})

test('one key cannot end the sessions of another, and has at most 100 of its own', async () => {
  const cookie = await signIn()
  const [viewer, other] = [await harness.createKey('viewer'), await harness.createKey('viewer')]
  const signInWith = async (key: string): Promise<string> => {
    const response = await request('POST', '/api/session', {}, { key })
    assert.equal(response.statusCode, 200)
    return String(response.headers['set-cookie']).split(';')[0] as string
  }
  const ofOther = await signInWith(other)
  const first = await signInWith(viewer)
  const second = await signInWith(viewer)
  for (let count = 2; count < 101; count++) await signInWith(viewer)
  const statuses = []
  for (const session of [cookie, ofOther, first, second])
    statuses.push((await request('GET', '/api/users', { cookie: session })).statusCode)
  assert.deepEqual(statuses, [200, 200, 401, 200])
})

test('60 sign-ins at the same time all succeed', async () => {
  const key = await harness.createKey('admin')
  const responses = await Promise.all(Array.from({ length: 60 }, () => request('POST', '/api/session', {}, { key })))
  for (const { statusCode } of responses) assert.equal(statusCode, 200)
})

test('an admin ends all sessions, and unused links with them', async () => {
  const [cookie, link] = [await signIn(), await createLink()]
  const operator = await harness.createKey('operator')
  const signOut = (authorization: string) => request('DELETE', '/api/sessions', { authorization })
  assert.equal((await signOut(`Bearer ${operator}`)).statusCode, 403)
  const response = await signOut(`Bearer ${harness.key}`)
  assert.equal(response.statusCode, 200)
  assert.ok(response.json().ended >= 1)
  assert.equal((await request('GET', '/api/users', { cookie })).statusCode, 401)
  assert.equal((await follow(link)).headers['set-cookie'], undefined)
})

test('a session of a key of the environment ends for good when another key is set', async () => {
  const purser = await openPurser({ effects: harness.clock })
  const admin = 'the-first-admin-key-0123456789abcdef'
  const open = (key: string) => openServer({ purser, keys: { admin: key }, effects: harness.clock })
  const before = await open(admin)
  const signedIn = await before.fastify.inject({ method: 'POST', url: '/api/session', payload: { key: admin } })
  const cookie = String(signedIn.headers['set-cookie']).split(';')[0] as string
  const read = async (server: OpenServer) =>
    (await server.fastify.inject({ url: '/api/keys', headers: { cookie, host: 'localhost' } })).statusCode
  assert.equal(await read(before), 200)
  await before.close()
  for (const [key, status] of [
    [admin, 200],
    ['the-second-admin-key-0123456789abcdef', 401],
    [admin, 401],
    [admin, 401],
  ] as const) {
    const after = await open(key)
    assert.equal(await read(after), status)
    const again = await after.fastify.inject({ method: 'POST', url: '/api/session', payload: { key } })
    assert.equal(again.statusCode, 200)
    await after.close()
  }
  await purser.close()
})

test('the policy of the Deck allows no inline code and no other origins, that of the API allows nothing', async () => {
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
  const { headers } = await request('GET', '/livez')
  assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
})

test('over plain HTTP the cookie is not Secure, and its path is the prefix', async () => {
  await using plain = await openServerHarness({ config: { server: { prefix: '/purser' } } })
  const url = `/purser/deck/sign-in?token=${await plain.context.sessions.createLink()}`
  const response = await plain.fastify.inject({ url, headers: { host: 'localhost:7117' } })
  assert.match(String(response.headers['set-cookie']), /; Path=\/purser\/; HttpOnly; SameSite=Strict; Max-Age/)
})
