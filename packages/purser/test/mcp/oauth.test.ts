import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'
import type { Client } from '@modelcontextprotocol/client'
import { systemEffects } from '../../src/core/effects.ts'
import { PurserError } from '../../src/errors.ts'
import type { McpOAuthOption } from '../../src/options.ts'
import type { Purser } from '../../src/purser/api.ts'
import { openPurser } from '../../src/purser/open-purser.ts'
import type { User } from '../../src/user.ts'
import {
  type AuthorizationServer,
  createDefaultBehavior,
  openAuthorizationServer,
  sendJson,
} from '../support/authorization-server.ts'
import { type GuardedServer, openGuardedServer } from '../support/guarded-server.ts'

/* A real MCP server and a strict authorization server, on real sockets, with a wall clock that the tests advance. */

const HOUR_MS = 3_600_000
let authorization: AuthorizationServer
let server: GuardedServer
let purser: Purser
let aheadMs = 0
const effects = { ...systemEffects, now: () => systemEffects.now() + aheadMs }
const open = (oauth: Partial<McpOAuthOption> = {}, namespace = 'default'): Promise<Purser> =>
  openPurser({
    store: 'memory:',
    effects,
    namespace,
    mcpServers: {
      wiki: {
        url: server.url,
        oauth: { redirectUrl: 'https://app.example/back', issuer: authorization.issuer, ...oauth },
      },
      plain: { url: server.url },
    },
  })

before(async () => {
  authorization = await openAuthorizationServer()
  server = await openGuardedServer(authorization)
})
after(async () => {
  await purser.close()
  await server[Symbol.asyncDispose]()
  await authorization[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await purser?.close()
  aheadMs = 0
  Object.assign(authorization.behavior, createDefaultBehavior())
  purser = await open()
})

async function authorize(user: User): Promise<void> {
  const { url } = await user.runtime.authorizeMcp('wiki')
  await user.runtime.completeMcp('wiki', await authorization.approve(url))
}

async function echo(client: Client, message: string): Promise<string> {
  const { content } = (await client.callTool({ name: 'echo', arguments: { message } })) as {
    content: { text: string }[]
  }
  return content[0]?.text ?? ''
}

/** An error with this code and reason that contains no token, however it is printed. */
function fails(code: string, reason?: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(PurserError.is(error), inspect(error))
    assert.equal(error.code, code, inspect(error))
    if (reason !== undefined) assert.equal(error.details?.reason, reason, inspect(error))
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /canary/)
    return true
  }
}
const unauthorized = fails('mcp_unavailable', 'authorization_required')

test("a server that requires OAuth is authorization_required first; after authorization the user's calls carry a token", async () => {
  const user = purser.user('ada')
  const lease = await user.runtime.acquire()
  await assert.rejects(lease.mcp('wiki'), unauthorized)
  await assert.rejects(lease.mcp('wiki'), unauthorized)
  const { url, expiresAt } = await user.runtime.authorizeMcp('wiki')
  assert.equal(Date.parse(expiresAt) - effects.now() > 590_000, true)
  const query = new URL(url).searchParams
  assert.equal(query.get('scope'), 'tools')
  assert.equal(query.get('resource'), server.url)
  const completed = await user.runtime.completeMcp('wiki', await authorization.approve(url), { actor: 'ada herself' })
  const expected = { name: 'wiki', issuer: authorization.issuer, scopes: ['tools'], isUsable: true }
  assert.deepEqual({ ...completed, authorizedAt: '' }, { ...expected, authorizedAt: '' })
  assert.deepEqual(await user.runtime.mcpAuthorizations(), [completed])
  assert.equal(await echo(await lease.mcp('wiki'), 'hello'), 'Echo: hello')
  const [event] = await user.ledger.events()
  assert.deepEqual([event?.actor, event?.data.action], ['ada herself', 'mcp_authorized'])
  const other = await purser.user('bob').runtime.acquire()
  await assert.rejects(other.mcp('wiki'), unauthorized)
  other.release()
  lease.release()
})

test('100 concurrent calls with an expired token cause one refresh', async () => {
  const user = purser.user('ada')
  await authorize(user)
  const lease = await user.runtime.acquire()
  const client = await lease.mcp('wiki')
  const before = authorization.refreshes
  aheadMs = HOUR_MS
  authorization.expireAll()
  const replies = await Promise.all(Array.from({ length: 100 }, (_, call) => echo(client, `${call}`)))
  assert.deepEqual(
    replies,
    Array.from({ length: 100 }, (_, call) => `Echo: ${call}`),
  )
  assert.equal(authorization.refreshes - before, 1)
  assert.equal(authorization.reuses, 0)
  lease.release()
})

test('a token that is rejected before it expires is refreshed once, and the calls are repeated', async () => {
  const user = purser.user('ada')
  await authorize(user)
  const lease = await user.runtime.acquire()
  const client = await lease.mcp('wiki')
  for (let round = 0; round < 3; round++) {
    const before = authorization.refreshes
    authorization.expireAll()
    await Promise.all(Array.from({ length: 20 }, (_, call) => echo(client, `${call}`)))
    assert.equal(authorization.refreshes - before, 1)
  }
  assert.equal(await lease.mcp('wiki'), client)
  assert.equal(authorization.reuses, 0)
  lease.release()
})

test('a server that rejects the new token too is token_refused after one refresh', async () => {
  const user = purser.user('ada')
  await authorize(user)
  const lease = await user.runtime.acquire()
  const client = await lease.mcp('wiki')
  const before = authorization.refreshes
  authorization.behavior.onRefresh = () => authorization.expireAll()
  authorization.expireAll()
  await assert.rejects(echo(client, 'no'), fails('mcp_unavailable', 'token_refused'))
  assert.equal(authorization.refreshes - before, 1)
  lease.release()
})

test('an authorization completes only for the user, server and incarnation that started it, and only once', async () => {
  const [ada, bob] = [purser.user('ada').runtime, purser.user('bob').runtime]
  const callback = await authorization.approve((await ada.authorizeMcp('wiki')).url)
  const unknown = fails('authorization_invalid', 'state_unknown')
  await bob.authorizeMcp('wiki')
  await assert.rejects(bob.completeMcp('wiki', callback), unknown)
  await assert.rejects(ada.completeMcp('wiki', { ...callback, state: 'made up' }), unknown)
  await assert.rejects(ada.completeMcp('wiki', { ...callback, state: `${callback.state}x` }), unknown)
  await assert.rejects(ada.completeMcp('plain', callback), fails('argument_invalid'))
  await assert.rejects(ada.completeMcp('nothing', callback), fails('mcp_unknown'))
  await assert.rejects(ada.completeMcp('wiki', { ...callback, code: '' }), fails('argument_invalid'))
  await ada.completeMcp('wiki', callback)
  await assert.rejects(ada.completeMcp('wiki', callback), unknown)
  assert.equal((await bob.mcpAuthorizations()).length, 0)
  await purser.user('ada').erase({ actor: 'test', reason: 'test' })
  await assert.rejects(ada.completeMcp('wiki', callback), unknown)
})

test('a state expires after 10 minutes, and when 4 more authorizations were started after it', async () => {
  const { runtime } = purser.user('ada')
  const first = await authorization.approve((await runtime.authorizeMcp('wiki')).url)
  aheadMs = 600_001
  await assert.rejects(runtime.completeMcp('wiki', first), fails('authorization_invalid', 'state_expired'))
  await assert.rejects(runtime.completeMcp('wiki', first), fails('authorization_invalid', 'state_unknown'))
  const second = await authorization.approve((await runtime.authorizeMcp('wiki')).url)
  const later = [0, 1, 2, 3].map(async () => authorization.approve((await runtime.authorizeMcp('wiki')).url))
  const [third] = await Promise.all(later)
  await assert.rejects(runtime.completeMcp('wiki', second), fails('authorization_invalid', 'state_unknown'))
  assert.ok(third !== undefined)
  await runtime.completeMcp('wiki', third)
})

test('a callback from another issuer, or without the announced issuer, ends the authorization (RFC 9207)', async () => {
  const { runtime } = purser.user('ada')
  for (const iss of ['https://evil.example', `${authorization.issuer}/`, undefined]) {
    const callback = await authorization.approve((await runtime.authorizeMcp('wiki')).url)
    const before = authorization.tokens.length
    await assert.rejects(
      runtime.completeMcp('wiki', { ...callback, iss }),
      fails('authorization_invalid', 'issuer_mismatch'),
    )
    await assert.rejects(runtime.completeMcp('wiki', callback), fails('authorization_invalid', 'state_unknown'))
    assert.equal(authorization.tokens.length, before)
  }
})

test('a code that the server rejects is code_refused with the OAuth code, without the code that was sent', async () => {
  const { runtime } = purser.user('ada')
  const callback = await authorization.approve((await runtime.authorizeMcp('wiki')).url)
  await assert.rejects(runtime.completeMcp('wiki', { ...callback, code: 'canary-made-up' }), (error) => {
    assert.equal((error as PurserError).details?.code, 'invalid_grant')
    return fails('authorization_invalid', 'code_refused')(error)
  })
})

test('the application registers once for all users, and again when the server no longer knows it', async () => {
  const before = authorization.registrations
  await Promise.all(['ada', 'bob', 'cyd'].map((id) => purser.user(id).runtime.authorizeMcp('wiki')))
  await purser.user('dan').runtime.authorizeMcp('wiki')
  assert.equal(authorization.registrations - before, 1)
  const { url } = await purser.user('ada').runtime.authorizeMcp('wiki')
  const callback = await authorization.approve(url)
  authorization.behavior.intercept = (request, response) => {
    if (request.url !== '/token') return false
    sendJson(response, 401, { error: 'invalid_client' })
    return true
  }
  await assert.rejects(
    purser.user('ada').runtime.completeMcp('wiki', callback),
    fails('authorization_invalid', 'code_refused'),
  )
  authorization.behavior.intercept = () => false
  await authorize(purser.user('ada'))
  assert.equal(authorization.registrations - before, 2)
})

for (const [fault, isLost] of [
  ['status 400', true],
  ['status 500', true],
  ['a closed connection', true],
  ['status 307', true],
  ['an unreachable server', false],
  ['status 503', false],
  ['status 429', false],
] as const) {
  const consequence = isLost ? 'is not sent again' : 'is kept for a later refresh'
  test(`after a refresh that ends with ${fault} the refresh token ${consequence}`, async () => {
    await using ownAuthorization = await openAuthorizationServer()
    await using guarded = await openGuardedServer(ownAuthorization)
    const oauth = { redirectUrl: 'https://app.example/back', issuer: ownAuthorization.issuer }
    await using own = await openPurser({ store: 'memory:', effects, mcpServers: { wiki: { url: guarded.url, oauth } } })
    const { runtime, ledger } = own.user('ada')
    await runtime.completeMcp('wiki', await ownAuthorization.approve((await runtime.authorizeMcp('wiki')).url))
    const lease = await runtime.acquire()
    let refreshes = 0
    aheadMs = HOUR_MS
    ownAuthorization.behavior.intercept = (request, response) => {
      if (request.url !== '/token') return false
      refreshes++
      if (fault === 'a closed connection') request.socket.destroy()
      else {
        const status = Number(fault.replace('status ', ''))
        sendJson(response, status, { error: 'invalid_grant' }, { location: `${ownAuthorization.issuer}/token` })
      }
      return true
    }
    const isUnreachable = fault === 'an unreachable server'
    if (isUnreachable) await ownAuthorization[Symbol.asyncDispose]()
    for (let call = 0; call < 3; call++) {
      const reason = isLost ? 'authorization_required' : 'authorization_server'
      await assert.rejects(lease.mcp('wiki'), (error) => {
        // After two failures no request is made for a moment.
        const isPaused = !isLost && call === 2 && (error as PurserError).details?.retryAfterMs !== undefined
        return isPaused || fails('mcp_unavailable', reason)(error)
      })
    }
    assert.equal(refreshes, isUnreachable ? 0 : 1)
    assert.equal((await runtime.mcpAuthorizations())[0]?.isUsable, !isLost)
    const events = await ledger.events()
    assert.equal(events[0]?.data.action, isLost ? 'mcp_authorization_lost' : 'mcp_authorized')
    lease.release()
  })
}

test('an authorization server is called at the configured address, or over TLS on the public internet', async () => {
  const paths: string[] = []
  authorization.behavior.intercept = (request) => {
    paths.push(request.url ?? '')
    return false
  }
  await using unconfigured = await open({ issuer: undefined })
  await assert.rejects(unconfigured.user('ada').runtime.authorizeMcp('wiki'), fails('host_not_allowed'))
  const privateIssuers = ['https://127.0.0.1:1', 'https://[::1]:1', 'https://169.254.169.254', 'http://example.com']
  for (const options of [
    ...privateIssuers.map((namedIssuer) => ({ namedIssuer })),
    {
      namedIssuer: 'https://example.com',
      challenge: `Bearer resource_metadata="${authorization.issuer}/metadata"`,
    },
    { namedIssuer: 'https://example.com', challenge: 'Bearer resource_metadata="https://10.0.0.1/metadata"' },
  ]) {
    await using malicious = await openGuardedServer(authorization, options)
    const oauth = { redirectUrl: 'https://app.example/back' }
    await using attacked = await openPurser({ store: 'memory:', mcpServers: { wiki: { url: malicious.url, oauth } } })
    const authorizing = attacked.user('ada').runtime.authorizeMcp('wiki')
    await assert.rejects(authorizing, fails('host_not_allowed'), options.namedIssuer)
  }
  assert.deepEqual(paths, [])
})

test('an authorization server that is not the configured one, or lacks a required feature, is mcp_unavailable', async () => {
  await using misconfigured = await open({ issuer: 'https://other.example' })
  await assert.rejects(
    misconfigured.user('ada').runtime.authorizeMcp('wiki'),
    fails('mcp_unavailable', 'issuer_mismatch'),
  )
  for (const metadata of [
    { issuer: 'https://other.example' },
    { code_challenge_methods_supported: undefined },
    { code_challenge_methods_supported: ['plain'] },
    { token_endpoint: 'http://example.com/token' },
    { authorization_endpoint: 'javascript:alert(1)' },
    { registration_endpoint: undefined },
    { scopes_supported: ['x'.repeat(20_000)] },
    { scopes_supported: ['x'.repeat(200_000)] },
  ]) {
    authorization.behavior.metadata = metadata
    await using own = await open({}, JSON.stringify(Object.keys(metadata)))
    await assert.rejects(own.user('ada').runtime.authorizeMcp('wiki'), fails('mcp_unavailable', 'authorization_server'))
  }
})

test('a configured client is used without registration, and requests the configured scopes', async () => {
  await using own = await open({ clientId: 'client-1', scopes: ['read', 'write'] })
  const before = authorization.registrations
  const { url } = await own.user('ada').runtime.authorizeMcp('wiki')
  const query = new URL(url).searchParams
  assert.deepEqual([query.get('client_id'), query.get('scope')], ['client-1', 'read write'])
  assert.equal(authorization.registrations, before)
})

test('an abort during a request to a silent authorization server rejects at once', async () => {
  const requested = Promise.withResolvers<void>()
  authorization.behavior.intercept = () => {
    requested.resolve()
    return true
  }
  const abort = new AbortController()
  const authorizing = purser.user('ada').runtime.authorizeMcp('wiki', { signal: abort.signal })
  await requested.promise
  abort.abort(new Error('aborted by the test'))
  await assert.rejects(authorizing, /aborted by the test/)
})
