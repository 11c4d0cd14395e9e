import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'
import type { Client } from '@modelcontextprotocol/client'
import { systemEffects } from '../../src/core/effects.ts'
import { PurserError } from '../../src/errors.ts'
import type { McpOAuthOption } from '../../src/options.ts'
import { openPurser, type Purser } from '../../src/purser.ts'
import type { User } from '../../src/user.ts'
import { type AuthorizationServer, answer, startAuthorizationServer } from './authorization-server.ts'
import { type GuardedServer, startGuardedServer } from './guarded-server.ts'

/* R17 against a real MCP server and a strict authorization server: real sockets, and a wall clock moved by hand. */

const HOUR = 3_600_000
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
  authorization = await startAuthorizationServer()
  server = await startGuardedServer(authorization)
})
after(async () => {
  await purser.close()
  await server.close()
  await authorization.close()
})
beforeEach(async () => {
  await purser?.close()
  aheadMs = 0
  Object.assign(authorization.behaviour, {
    lifetimeSeconds: 3_600,
    onRefresh: () => undefined,
    instead: () => false,
    metadata: {},
  })
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

/** An error of this code and reason, that shows no token however it is looked at. */
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

test('R17: without an authorization a server that wants one says so, and afterwards the user’s calls carry their token', async () => {
  const user = purser.user('ada')
  const lease = await user.runtime.acquire()
  await assert.rejects(lease.mcp('wiki'), unauthorized)
  await assert.rejects(lease.mcp('wiki'), unauthorized)
  const { url, expiresAt } = await user.runtime.authorizeMcp('wiki')
  assert.equal(Date.parse(expiresAt) - effects.now() > 590_000, true)
  const asked = new URL(url).searchParams
  assert.equal(asked.get('scope'), 'tools')
  assert.equal(asked.get('resource'), server.url)
  const seen = await user.runtime.completeMcp('wiki', await authorization.approve(url), { actor: 'ada herself' })
  const shown = { name: 'wiki', issuer: authorization.issuer, scopes: ['tools'], isUsable: true }
  assert.deepEqual({ ...seen, authorizedAt: '' }, { ...shown, authorizedAt: '' })
  assert.deepEqual(await user.runtime.mcpAuthorizations(), [seen])
  assert.equal(await echo(await lease.mcp('wiki'), 'hello'), 'Echo: hello')
  const [event] = await user.ledger.events()
  assert.deepEqual([event?.actor, event?.data.action], ['ada herself', 'mcp_authorized'])
  const other = await purser.user('bob').runtime.acquire()
  await assert.rejects(other.mcp('wiki'), unauthorized)
  other.release()
  lease.release()
})

test('R17: a hundred parallel calls with a token that is over are one refresh', async () => {
  const user = purser.user('ada')
  await authorize(user)
  const lease = await user.runtime.acquire()
  const client = await lease.mcp('wiki')
  const before = authorization.refreshes
  aheadMs = HOUR
  authorization.expireAll()
  const said = await Promise.all(Array.from({ length: 100 }, (_, call) => echo(client, `${call}`)))
  assert.deepEqual(
    said,
    Array.from({ length: 100 }, (_, call) => `Echo: ${call}`),
  )
  assert.equal(authorization.refreshes - before, 1)
  assert.equal(authorization.reuses, 0)
  lease.release()
})

test('R17: a token that is refused in mid-life is renewed once, and the calls are repeated', async () => {
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

test('R17: a server that refuses fresh tokens too is left alone after one refresh', async () => {
  const user = purser.user('ada')
  await authorize(user)
  const lease = await user.runtime.acquire()
  const client = await lease.mcp('wiki')
  const before = authorization.refreshes
  authorization.behaviour.onRefresh = () => authorization.expireAll()
  authorization.expireAll()
  await assert.rejects(echo(client, 'no'), fails('mcp_unavailable', 'token_refused'))
  assert.equal(authorization.refreshes - before, 1)
  lease.release()
})

test('R17: an authorization completes only for the user, the server and the life that began it, and only once', async () => {
  const [ada, bob] = [purser.user('ada').runtime, purser.user('bob').runtime]
  const answered = await authorization.approve((await ada.authorizeMcp('wiki')).url)
  const unknown = fails('authorization_invalid', 'state_unknown')
  await bob.authorizeMcp('wiki')
  await assert.rejects(bob.completeMcp('wiki', answered), unknown)
  await assert.rejects(ada.completeMcp('wiki', { ...answered, state: 'made up' }), unknown)
  await assert.rejects(ada.completeMcp('wiki', { ...answered, state: `${answered.state}x` }), unknown)
  await assert.rejects(ada.completeMcp('plain', answered), fails('argument_invalid'))
  await assert.rejects(ada.completeMcp('nothing', answered), fails('mcp_unknown'))
  await assert.rejects(ada.completeMcp('wiki', { ...answered, code: '' }), fails('argument_invalid'))
  await ada.completeMcp('wiki', answered)
  await assert.rejects(ada.completeMcp('wiki', answered), unknown)
  assert.equal((await bob.mcpAuthorizations()).length, 0)
  await purser.user('ada').erase({ actor: 'test', reason: 'test' })
  await assert.rejects(ada.completeMcp('wiki', answered), unknown)
})

test('R17: a state ends after ten minutes, and with the fourth that was begun after it', async () => {
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

test('R17: an answer of another issuer, or of none where one was promised, ends the authorization (RFC 9207)', async () => {
  const { runtime } = purser.user('ada')
  for (const iss of ['https://evil.example', `${authorization.issuer}/`, undefined]) {
    const answered = await authorization.approve((await runtime.authorizeMcp('wiki')).url)
    const before = authorization.tokens.length
    await assert.rejects(
      runtime.completeMcp('wiki', { ...answered, iss }),
      fails('authorization_invalid', 'issuer_mismatch'),
    )
    await assert.rejects(runtime.completeMcp('wiki', answered), fails('authorization_invalid', 'state_unknown'))
    assert.equal(authorization.tokens.length, before)
  }
})

test('R17: a code that the server refuses is told by its code, and shows nothing of what was sent', async () => {
  const { runtime } = purser.user('ada')
  const answered = await authorization.approve((await runtime.authorizeMcp('wiki')).url)
  await assert.rejects(runtime.completeMcp('wiki', { ...answered, code: 'canary-made-up' }), (error) => {
    assert.equal((error as PurserError).details?.code, 'invalid_grant')
    return fails('authorization_invalid', 'code_refused')(error)
  })
})

test('R17: the application registers itself once for all users, and again when it is no longer known', async () => {
  const before = authorization.registrations
  await Promise.all(['ada', 'bob', 'cyd'].map((id) => purser.user(id).runtime.authorizeMcp('wiki')))
  await purser.user('dan').runtime.authorizeMcp('wiki')
  assert.equal(authorization.registrations - before, 1)
  const { url } = await purser.user('ada').runtime.authorizeMcp('wiki')
  const answered = await authorization.approve(url)
  authorization.behaviour.instead = (request, response) => {
    if (request.url !== '/token') return false
    answer(response, 401, { error: 'invalid_client' })
    return true
  }
  await assert.rejects(
    purser.user('ada').runtime.completeMcp('wiki', answered),
    fails('authorization_invalid', 'code_refused'),
  )
  authorization.behaviour.instead = () => false
  await authorize(purser.user('ada'))
  assert.equal(authorization.registrations - before, 2)
})

for (const [what, how, isLost] of [
  ['refuses', 'status 400', true],
  ['answers 500 to', 'status 500', true],
  ['cuts the connection of', 'cut', true],
  ['redirects', 'status 307', true],
  ['is not there for', 'away', false],
  ['answers 503 to', 'status 503', false],
  ['answers 429 to', 'status 429', false],
] as const) {
  test(`R17: when the server ${what} a refresh, the token is ${isLost ? 'never sent again' : 'kept for later'}`, async (t) => {
    const own = await startAuthorizationServer()
    t.after(() => own.close())
    const guarded = await startGuardedServer(own)
    t.after(() => guarded.close())
    const oauth = { redirectUrl: 'https://app.example/back', issuer: own.issuer }
    const house = await openPurser({ store: 'memory:', effects, mcpServers: { wiki: { url: guarded.url, oauth } } })
    const { runtime, ledger } = house.user('ada')
    await runtime.completeMcp('wiki', await own.approve((await runtime.authorizeMcp('wiki')).url))
    const lease = await runtime.acquire()
    let sent = 0
    aheadMs = HOUR
    own.behaviour.instead = (request, response) => {
      if (request.url !== '/token') return false
      sent++
      if (how === 'cut') request.socket.destroy()
      else if (how === 'away') request.socket.destroy()
      else answer(response, Number(how.slice(7)), { error: 'invalid_grant' }, { location: `${own.issuer}/token` })
      return true
    }
    if (how === 'away') await own.close()
    for (let call = 0; call < 3; call++) {
      const reason = isLost ? 'authorization_required' : 'authorization_server'
      await assert.rejects(lease.mcp('wiki'), (error) => {
        // After two failures the server is left alone for a moment.
        const isResting = !isLost && call === 2 && (error as PurserError).details?.retryAfterMs !== undefined
        return isResting || fails('mcp_unavailable', reason)(error)
      })
    }
    assert.equal(sent, how === 'away' ? 0 : 1)
    assert.equal((await runtime.mcpAuthorizations())[0]?.isUsable, !isLost)
    const events = await ledger.events()
    assert.equal(events[0]?.data.action, isLost ? 'mcp_authorization_lost' : 'mcp_authorized')
    lease.release()
    await house.close()
  })
}

test('an authorization server is called where the operator named it, or over TLS on the public internet', async (t) => {
  const reached: string[] = []
  authorization.behaviour.instead = (request) => {
    reached.push(request.url ?? '')
    return false
  }
  const house = await open({ issuer: undefined })
  await assert.rejects(house.user('ada').runtime.authorizeMcp('wiki'), fails('host_not_allowed'))
  await house.close()
  const inside = ['https://127.0.0.1:1', 'https://[::1]:1', 'https://169.254.169.254', 'http://example.com']
  for (const [named, challenge] of [
    ...inside.map((address) => [address, undefined] as const),
    ['https://example.com', `Bearer resource_metadata="${authorization.issuer}/lured"`] as const,
    ['https://example.com', 'Bearer resource_metadata="https://10.0.0.1/lured"'] as const,
  ]) {
    const lured = await startGuardedServer(authorization, named, challenge)
    t.after(() => lured.close())
    const oauth = { redirectUrl: 'https://app.example/back' }
    const victim = await openPurser({ store: 'memory:', mcpServers: { wiki: { url: lured.url, oauth } } })
    await assert.rejects(victim.user('ada').runtime.authorizeMcp('wiki'), fails('host_not_allowed'), named)
    await victim.close()
  }
  assert.deepEqual(reached, [])
})

test('an authorization server that is another than the configured one, or not fit, is refused', async () => {
  const other = await open({ issuer: 'https://other.example' })
  await assert.rejects(other.user('ada').runtime.authorizeMcp('wiki'), fails('mcp_unavailable', 'issuer_mismatch'))
  await other.close()
  for (const wrong of [
    { issuer: 'https://other.example' },
    { code_challenge_methods_supported: undefined },
    { code_challenge_methods_supported: ['plain'] },
    { token_endpoint: 'http://example.com/token' },
    { authorization_endpoint: 'javascript:alert(1)' },
    { registration_endpoint: undefined },
    { scopes_supported: ['x'.repeat(20_000)] },
    { scopes_supported: ['x'.repeat(200_000)] },
  ]) {
    authorization.behaviour.metadata = wrong
    const house = await open({}, JSON.stringify(Object.keys(wrong)))
    await assert.rejects(
      house.user('ada').runtime.authorizeMcp('wiki'),
      fails('mcp_unavailable', 'authorization_server'),
    )
    await house.close()
  }
})

test('a configured client is used as it is, and asks for the configured scopes', async () => {
  const house = await open({ clientId: 'client-1', scopes: ['read', 'write'] })
  const before = authorization.registrations
  const { url } = await house.user('ada').runtime.authorizeMcp('wiki')
  const asked = new URL(url).searchParams
  assert.deepEqual([asked.get('client_id'), asked.get('scope')], ['client-1', 'read write'])
  assert.equal(authorization.registrations, before)
  await house.close()
})

test('a caller who leaves while an authorization server is silent is let go at once', async () => {
  const silent = Promise.withResolvers<void>()
  authorization.behaviour.instead = () => {
    silent.resolve()
    return true
  }
  const abort = new AbortController()
  const asking = purser.user('ada').runtime.authorizeMcp('wiki', { signal: abort.signal })
  await silent.promise
  abort.abort(new Error('gone'))
  await assert.rejects(asking, /gone/)
})
