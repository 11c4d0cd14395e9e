import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import type { AuthorizationServerMetadata } from '@modelcontextprotocol/client'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import type { PurserError } from '../../src/errors.ts'
import type { McpServerOption } from '../../src/options.ts'
import type { OAuthPort, Tokens } from '../../src/runtime/oauth/ports.ts'
import { CLAIM_MS } from '../../src/runtime/oauth/refresh.ts'
import { chaosStore } from '../../src/testing/chaos-store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { printSeed, rounds, seed } from '../support/fuzz-options.ts'
import { createRandom } from '../support/interleaving-scheduler.ts'
import {
  fails,
  openRuntimeHarness,
  type RuntimeHarness,
  type RuntimeHarnessOptions,
} from '../support/runtime-harness.ts'

/* Refresh tokens on a clock that is moved by hand: claims between processes, lost answers, erased users. */

const ISSUER = 'https://login.example'
const wiki: McpServerOption = {
  url: 'https://wiki.example/mcp',
  oauth: { redirectUrl: 'https://app.example/back', issuer: ISSUER },
}
const LIFETIME_MS = 3_600_000

/** An authorization server that rotates refresh tokens and records those it receives. */
class FakeAuthorizationServer {
  readonly received: string[] = []
  issued = 0
  registered = 0
  lifetimeMs = LIFETIME_MS
  /** Runs while a refresh is pending. */
  onRefresh: () => Promise<unknown> = async () => undefined
  /** Runs while a code is exchanged. */
  onExchange: () => Promise<unknown> = async () => undefined
  /** Runs during the discovery. */
  onDiscover: () => Promise<unknown> = async () => undefined
  outcome: 'granted' | 'refused' | 'unsent' | 'unknown' | 'hung' = 'granted'

  readonly port: OAuthPort = {
    discover: async () => {
      await this.onDiscover()
      return { issuer: ISSUER, metadata: {} as AuthorizationServerMetadata, resource: null, scope: 'tools' }
    },
    register: async () => ({ client_id: `client ${++this.registered}` }),
    start: async ({ state }) => ({ url: state, verifier: 'canary-verifier' }),
    exchange: async () => {
      await this.onExchange()
      return { outcome: 'granted', tokens: this.#issueTokens() }
    },
    refresh: async (_endpoints, { refreshToken }) => {
      const { outcome } = this
      if (outcome === 'unsent') return { outcome, cause: new Error('unreachable') }
      this.received.push(refreshToken)
      await this.onRefresh()
      if (outcome === 'hung') return new Promise(() => undefined)
      if (outcome === 'refused') return { outcome, code: 'invalid_grant' }
      if (outcome === 'unknown') return { outcome, cause: new Error('connection lost') }
      return { outcome: 'granted', tokens: this.#issueTokens() }
    },
  }

  #issueTokens(): Tokens {
    const number = ++this.issued
    return { access: `canary-a${number}`, refresh: `canary-r${number}`, lifetimeMs: this.lifetimeMs, scope: null }
  }

  /** Refresh tokens that were received more than once. */
  get reused(): string[] {
    return this.received.filter((token, index) => this.received.indexOf(token) !== index)
  }
}

interface OAuthHarness extends AsyncDisposable {
  readonly server: FakeAuthorizationServer
  readonly clock: HandClock
  readonly harness: RuntimeHarness
}

async function openOAuthHarness(options: Partial<RuntimeHarnessOptions> = {}): Promise<OAuthHarness> {
  const server = new FakeAuthorizationServer()
  const clock = options.clock ?? handClock()
  const harness = await openRuntimeHarness({ mcpServers: { wiki }, oauth: server.port, ...options, clock })
  useTokens(harness)
  return { server, clock, harness, [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose]() }
}

/** Makes new connections get a token, as real ones do. */
function useTokens(harness: RuntimeHarness): RuntimeHarness {
  harness.fakes.connect = async ({ tokenSource }) => {
    await tokenSource?.getToken()
  }
  return harness
}

async function authorize(harness: RuntimeHarness, id = 'ada'): Promise<void> {
  const user = harness.user(id)
  const { url: state } = await user.authorizeMcp('wiki')
  await user.completeMcp('wiki', { state, code: 'canary-code' })
}

/** The token that a new connection of this instance gets. */
async function getToken(harness: RuntimeHarness, id = 'ada'): Promise<string> {
  const lease = await harness.user(id).acquire()
  try {
    await lease.mcp('wiki')
    return harness.connections.at(-1)?.request.tokenSource?.lastToken ?? ''
  } finally {
    lease.release()
    await harness.user(id).evict()
  }
}

/** As `getToken`, for a connection whose first token is refused. */
async function getReplacedToken(harness: RuntimeHarness, id = 'ada'): Promise<string> {
  harness.fakes.connect = async ({ tokenSource }) => {
    await tokenSource?.replaceToken('canary-a1')
  }
  try {
    return await getToken(harness, id)
  } finally {
    useTokens(harness)
  }
}

const isAuthorizationRequired = (error: unknown): boolean => {
  fails('mcp_unavailable')(error)
  assert.equal((error as PurserError).details?.reason, 'authorization_required')
  return true
}

test('a process waits for the refresh of another process and uses its tokens', async () => {
  await using setup = await openOAuthHarness()
  const { harness, server, clock } = setup
  const other = useTokens(await harness.openInstance())
  await authorize(harness)
  clock.advance(LIFETIME_MS)
  const gate = Promise.withResolvers<void>()
  server.onRefresh = () => gate.promise
  const tokens = [getToken(harness), getToken(other)]
  await clock.pass(5_000)
  assert.deepEqual(server.received, ['canary-r1'])
  gate.resolve()
  await clock.pass(1_000)
  assert.deepEqual(await Promise.all(tokens), ['canary-a2', 'canary-a2'])
  assert.deepEqual(server.received, ['canary-r1'])
})

for (const [how, stepMs] of [
  ['a wall clock that stands still', 0],
  ['a wall clock that is set back by a day', -86_400_000],
] as const) {
  test(`a claim whose process does not return loses the refresh token after 15 s, with ${how}`, async () => {
    await using setup = await openOAuthHarness()
    const { harness, server, clock } = setup
    const other = useTokens(await harness.openInstance())
    await authorize(harness)
    clock.advance(LIFETIME_MS)
    server.outcome = 'hung'
    getToken(harness).catch(() => undefined)
    await clock.pass(0)
    clock.stepWall(stepMs)
    const record = (await harness.store.users.record(harness.subject('ada'), 'mcp_grant', 'wiki')) ?? ''
    assert.notEqual(JSON.parse(record).claim, null)
    // In the other process the token is refused, so that it is not valid again after the step of the clock.
    const replaced = getReplacedToken(other)
    const lost = assert.rejects(replaced, isAuthorizationRequired)
    await clock.pass(CLAIM_MS - 1_000)
    assert.equal((await harness.user('ada').mcpAuthorizations())[0]?.isUsable, true)
    await clock.pass(2_000)
    await lost
    assert.equal((await harness.user('ada').mcpAuthorizations())[0]?.isUsable, false)
    server.outcome = 'granted'
    await assert.rejects(getToken(other), isAuthorizationRequired)
    assert.deepEqual(server.received, ['canary-r1'])
    await authorize(other)
    assert.equal(await getToken(other), 'canary-a2')
  })
}

test('tokens that arrive after their claim was given up are stored, unless the user has authorized again', async () => {
  for (const isAuthorizedAgain of [false, true]) {
    await using setup = await openOAuthHarness()
    const { harness, server, clock } = setup
    const other = useTokens(await harness.openInstance())
    await authorize(harness)
    clock.advance(LIFETIME_MS)
    const gate = Promise.withResolvers<void>()
    server.onRefresh = () => gate.promise
    const late = getToken(harness)
    await clock.pass(CLAIM_MS + 1)
    await assert.rejects(getToken(other), isAuthorizationRequired)
    if (isAuthorizedAgain) await authorize(other)
    gate.resolve()
    if (isAuthorizedAgain) await assert.rejects(late, isAuthorizationRequired)
    else assert.equal(await late, 'canary-a2')
    await clock.pass(1_000)
    assert.equal(await getToken(other), 'canary-a2')
    assert.deepEqual(server.received, ['canary-r1'])
    const [event] = await harness.store.events.newest(harness.subject('ada'), { limit: 1 })
    assert.match(event?.body ?? '', isAuthorizedAgain ? /mcp_authorized/ : /mcp_authorization_kept/)
  }
})

test('erasing a user during a refresh, a completion or a start of an authorization leaves nothing stored', async () => {
  await using setup = await openOAuthHarness()
  const { harness, server, clock } = setup
  await authorize(harness)
  clock.advance(LIFETIME_MS)
  const erase = (): Promise<unknown> =>
    harness.journal.erase(harness.subject('ada'), () => ({ type: 'erased', detail: 'erased', data: {} }))
  const readStored = async (): Promise<unknown[]> => {
    const kinds = ['mcp_grant', 'mcp_authorization', 'settings']
    const page = { limit: 10, order: 'ascending' } as const
    const { users } = harness.store
    const rows = await Promise.all(kinds.map((kind) => users.records(harness.subject('ada'), kind, page)))
    return [...rows.flat(), await users.load(harness.subject('ada'))].filter((row) => row !== undefined)
  }
  server.onRefresh = erase
  await assert.rejects(getToken(harness), fails('user_erased'))
  assert.deepEqual(await readStored(), [])

  const user = harness.user('ada')
  const { url: state } = await user.authorizeMcp('wiki')
  server.onExchange = erase
  await assert.rejects(user.completeMcp('wiki', { state, code: 'c' }), fails('user_erased'))
  assert.deepEqual(await readStored(), [])

  await user.configure({ region: 'eu' })
  server.onDiscover = erase
  await assert.rejects(user.authorizeMcp('wiki'), fails('user_erased'))
  assert.deepEqual(await readStored(), [])

  server.onDiscover = async () => undefined
  const { url: stateBefore } = await user.authorizeMcp('wiki')
  await erase()
  await assert.rejects(user.completeMcp('wiki', { state: stateBefore, code: 'c' }), fails('authorization_invalid'))
  assert.deepEqual(await readStored(), [])
})

test('close waits for a refresh that was sent, so that its tokens are stored, and leaves no timer', async () => {
  await using setup = await openOAuthHarness()
  const { harness, server, clock } = setup
  await authorize(harness)
  clock.advance(LIFETIME_MS)
  const gate = Promise.withResolvers<void>()
  server.onRefresh = () => gate.promise
  const token = getToken(harness)
  token.catch(() => undefined)
  await clock.pass(0)
  const closing = harness.runtimes.close({ timeoutMs: 5_000 })
  await clock.pass(1_000)
  gate.resolve()
  await closing
  const other = useTokens(await harness.openInstance())
  assert.equal(await getToken(other), 'canary-a2')
  assert.deepEqual(server.received, ['canary-r1'])
  await other.runtimes.close()
  assert.equal(clock.timers, 0)
})

test('a token with a lifetime of seconds is used for most of it', async () => {
  await using setup = await openOAuthHarness()
  const { harness, server, clock } = setup
  server.lifetimeMs = 5_000
  await authorize(harness)
  clock.advance(4_400)
  assert.equal(await getToken(harness), 'canary-a1')
  clock.advance(200)
  assert.equal(await getToken(harness), 'canary-a2')
})

test('refreshing tokens keeps the connection; a new authorization, or its removal, replaces it', async () => {
  await using setup = await openOAuthHarness()
  const { harness, clock } = setup
  await authorize(harness)
  const lease = await harness.user('ada').acquire()
  const first = await lease.mcp('wiki')
  clock.advance(LIFETIME_MS)
  await harness.connections[0]?.request.tokenSource?.getToken()
  const second = await harness.user('ada').acquire()
  assert.equal(await second.mcp('wiki'), first)
  await authorize(harness)
  const after = await harness.user('ada').acquire()
  assert.notEqual(await after.mcp('wiki'), first)
  assert.equal(harness.connections[0]?.closes, 0)
  lease.release()
  second.release()
  await clock.pass(0)
  assert.equal(harness.connections[0]?.closes, 1)
  assert.equal(await harness.user('ada').deauthorizeMcp('wiki'), true)
  assert.equal(await harness.user('ada').deauthorizeMcp('wiki'), false)
  const last = await harness.user('ada').acquire()
  await assert.rejects(last.mcp('wiki'), isAuthorizationRequired)
  last.release()
  after.release()
  await clock.pass(0)
  assert.deepEqual(harness.countCloses().connections, [1, 1])
})

test('tokens are used only with the server and the issuer they were issued for, whatever is configured later', async () => {
  await using setup = await openOAuthHarness()
  const { harness, server } = setup
  await authorize(harness)
  for (const changed of [
    { ...wiki, url: 'https://elsewhere.example/mcp' },
    { ...wiki, oauth: { redirectUrl: 'https://app.example/back', issuer: 'https://other.example' } },
  ]) {
    const other = useTokens(await harness.openInstance({ mcpServers: { wiki: changed } }))
    await assert.rejects(getToken(other), isAuthorizationRequired)
  }
  const record = (await harness.store.users.record(harness.subject('ada'), 'mcp_grant', 'wiki')) ?? ''
  await authorize(harness, 'eve')
  await harness.journal.write(harness.subject('eve'), {
    decide: () => ({ records: [{ kind: 'mcp_grant', name: 'wiki', value: record }], result: () => undefined }),
  })
  await assert.rejects(getToken(harness, 'eve'), isAuthorizationRequired)
  assert.equal(await getToken(harness), 'canary-a1')
  assert.deepEqual(server.received, [])
})

test('no token, code, verifier or state appears in rows, logs, errors or printed values', async () => {
  await using setup = await openOAuthHarness()
  const { harness, server, clock } = setup
  const user = harness.user('ada')
  const { url: state } = await user.authorizeMcp('wiki')
  const page = { limit: 10, order: 'ascending' } as const
  const readRows = async (): Promise<string> => {
    const { users, events } = harness.store
    const kinds = ['mcp_grant', 'mcp_authorization']
    const records = kinds.map((kind) => users.records(harness.subject('ada'), kind, page))
    return JSON.stringify(await Promise.all([...records, events.newest(harness.subject('ada'), { limit: 100 })]))
  }
  assert.ok(!(await readRows()).includes(state))
  const shown: unknown[] = [await readRows(), await user.completeMcp('wiki', { state, code: 'canary-code' })]
  const lease = await user.acquire()
  await lease.mcp('wiki')
  shown.push(lease, harness.runtimes.active(), harness.connections[0]?.request.tokenSource, await readRows())
  clock.advance(LIFETIME_MS)
  server.outcome = 'unknown'
  shown.push(await harness.connections[0]?.request.tokenSource?.getToken().catch((error: unknown) => error))
  shown.push(await user.mcpAuthorizations(), await readRows())
  for (const each of shown) assert.doesNotMatch(inspect(each, { depth: 12, showHidden: true }), /canary/)
  for (const each of shown) assert.doesNotMatch(JSON.stringify(each) ?? '', /canary/)
  lease.release()
})

test('errors in the OAuth configuration are thrown at start', async () => {
  const oauth = { redirectUrl: 'https://app.example/back' }
  const base = { url: 'https://wiki.example/mcp' }
  for (const wrong of [
    { ...base, oauth: {} },
    { ...base, oauth: { ...oauth, redirectUrl: 'nowhere' } },
    { ...base, oauth: { ...oauth, scopes: ['a b'] } },
    { ...base, oauth: { ...oauth, issuer: 'not a url' } },
    { ...base, oauth: { ...oauth, clientId: 'app', clientSecret: 'secret' } },
    { ...base, oauth: { ...oauth, clientSecret: 'secret', issuer: ISSUER } },
    { ...base, oauth, headers: { Authorization: 'Bearer x' } },
  ]) {
    await assert.rejects(
      openRuntimeHarness({ mcpServers: { wiki: wrong as McpServerOption } }),
      fails('option_invalid'),
    )
  }
  const misspelt = { ...base, oauth: { ...oauth, scope: ['tools'] } } as McpServerOption
  await assert.rejects(openRuntimeHarness({ mcpServers: { wiki: misspelt } }), fails('option_unknown'))
})

test('no refresh token is sent twice over random refreshes, store failures and clock steps in three processes', async () => {
  printSeed('refreshes')
  let refreshes = 0
  for (let round = 0; round < rounds(200, 20); round++) {
    const random = createRandom(seed + round)
    const clock = handClock()
    const memory = await openMemoryStore({ effects: clock })
    const only = (call: string): boolean => call === 'users.commit'
    const store = chaosStore(memory, { seed: seed + round, effects: clock, fail: 0.1, lose: 0.1, delay: 0.2, only })
    await using setup = await openOAuthHarness({ clock, store })
    const { harness, server } = setup
    const instances = [harness, useTokens(await harness.openInstance()), useTokens(await harness.openInstance())]
    await authorize(harness)
    store.enable()
    server.onRefresh = () => new Promise((resolve) => clock.setTimer(() => resolve(undefined), random.below(40_000)))
    for (let step = 0; step < 20; step++) {
      server.outcome = random.pick(['granted', 'granted', 'granted', 'granted', 'unsent', 'unknown'] as const)
      if (random.happens(0.3)) clock.stepWall((random.next() - 0.5) * 2 * LIFETIME_MS)
      const tokens = Array.from({ length: 1 + random.below(4) }, () => getToken(random.pick(instances)))
      let isSettled = false
      void Promise.allSettled(tokens).then(() => {
        isSettled = true
      })
      while (!isSettled) await clock.pass(1_000)
      await clock.pass(random.below(2 * LIFETIME_MS))
      store.disable()
      if (!(await harness.user('ada').mcpAuthorizations()).some(({ isUsable }) => isUsable)) await authorize(harness)
      store.enable()
    }
    refreshes += server.received.length
    assert.deepEqual(server.reused, [], `round ${round}`)
  }
  assert.ok(refreshes > rounds(200, 20) * 3, `${refreshes}`)
})
