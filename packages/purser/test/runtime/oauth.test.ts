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
import { chanceOf } from '../support/interleaving-scheduler.ts'
import { type Furnishing, fails, type House, openHouse } from '../support/runtime-harness.ts'

/* R17 under a clock moved by hand: claims between processes, lost answers, ended lives. */

const ISSUER = 'https://login.example'
const wiki: McpServerOption = {
  url: 'https://wiki.example/mcp',
  oauth: { redirectUrl: 'https://app.example/back', issuer: ISSUER },
}
const LIFETIME_MS = 3_600_000

/** An authorization server that rotates, counts what it is sent, and answers when the test lets it. */
class Provider {
  readonly sent: string[] = []
  made = 0
  registered = 0
  lifetimeMs = LIFETIME_MS
  /** Runs while a refresh is under way. */
  meanwhile: () => Promise<unknown> = async () => undefined
  /** Runs while a code is under way. */
  whileRedeeming: () => Promise<unknown> = async () => undefined
  /** Runs while the server is looked for. */
  whileFinding: () => Promise<unknown> = async () => undefined
  outcome: 'granted' | 'refused' | 'unsent' | 'unknown' | 'hung' = 'granted'

  readonly port: OAuthPort = {
    discover: async () => {
      await this.whileFinding()
      return { issuer: ISSUER, metadata: {} as AuthorizationServerMetadata, resource: null, scope: 'tools' }
    },
    register: async () => ({ client_id: `client ${++this.registered}` }),
    start: async ({ state }) => ({ url: state, verifier: 'canary-verifier' }),
    exchange: async () => {
      await this.whileRedeeming()
      return { outcome: 'granted', tokens: this.#tokens() }
    },
    refresh: async (_site, { refreshToken }) => {
      const { outcome } = this
      if (outcome === 'unsent') return { outcome, cause: new Error('away') }
      this.sent.push(refreshToken)
      await this.meanwhile()
      if (outcome === 'hung') return new Promise(() => undefined)
      if (outcome === 'refused') return { outcome, code: 'invalid_grant' }
      if (outcome === 'unknown') return { outcome, cause: new Error('cut') }
      return { outcome: 'granted', tokens: this.#tokens() }
    },
  }

  #tokens(): Tokens {
    const number = ++this.made
    return { access: `canary-a${number}`, refresh: `canary-r${number}`, lifetimeMs: this.lifetimeMs, scope: null }
  }

  /** Refresh tokens that came more than once. */
  get reused(): string[] {
    return this.sent.filter((token, index) => this.sent.indexOf(token) !== index)
  }
}

interface RenderContext {
  readonly provider: Provider
  readonly clock: HandClock
  readonly house: House
}

async function open(given: Partial<Furnishing> = {}): Promise<RenderContext> {
  const provider = new Provider()
  const clock = handClock()
  const house = await openHouse({ clock, mcpServers: { wiki }, authorization: provider.port, ...given })
  presenting(house)
  return { provider, clock, house }
}

/** Connections that ask for a token as real ones do. */
function presenting(house: House): House {
  house.behaviour.openTools = async ({ tokenSource }) => {
    await tokenSource?.getToken()
  }
  return house
}

async function authorize(house: House, id = 'ada'): Promise<void> {
  const user = house.user(id)
  const { url: state } = await user.authorizeMcp('wiki')
  await user.completeMcp('wiki', { state, code: 'canary-code' })
}

/** The token that a new connection of this house gets. */
async function tokenIn(house: House, id = 'ada'): Promise<string> {
  const lease = await house.user(id).acquire()
  try {
    await lease.mcp('wiki')
    return house.tools.at(-1)?.order.tokenSource?.lastToken ?? ''
  } finally {
    lease.release()
    await house.user(id).evict()
  }
}

const required = (error: unknown): boolean => {
  fails('mcp_unavailable')(error)
  assert.equal((error as PurserError).details?.reason, 'authorization_required')
  return true
}

test('R17: another process waits for the one that refreshes, and takes over what it got', async () => {
  const { house, provider, clock } = await open()
  const other = presenting(await house.sibling())
  await authorize(house)
  clock.advance(LIFETIME_MS)
  const gate = Promise.withResolvers<void>()
  provider.meanwhile = () => gate.promise
  const [here, there] = [tokenIn(house), tokenIn(other)]
  await clock.pass(5_000)
  assert.deepEqual(provider.sent, ['canary-r1'])
  gate.resolve()
  await clock.pass(1_000)
  assert.deepEqual(await Promise.all([here, there]), ['canary-a2', 'canary-a2'])
  assert.deepEqual(provider.sent, ['canary-r1'])
})

for (const [how, stepMs] of [
  ['a clock that stands', 0],
  ['a clock that was put back a day', -86_400_000],
] as const) {
  test(`R17: a claim whose holder does not come back loses the token after 15 s, under ${how}`, async () => {
    const { house, provider, clock } = await open()
    const other = presenting(await house.sibling())
    await authorize(house)
    clock.advance(LIFETIME_MS)
    provider.outcome = 'hung'
    tokenIn(house).catch(() => undefined)
    await clock.pass(0)
    clock.stepWall(stepMs)
    const claimed = (await house.store.users.record(house.subject('ada'), 'mcp_grant', 'wiki')) ?? ''
    assert.notEqual(JSON.parse(claimed).claim, null)
    // The other process is refused its token, so that the step of the clock does not make it look good again.
    const renewed = refusedIn(other)
    const lost = assert.rejects(renewed, required)
    await clock.pass(CLAIM_MS - 1_000)
    assert.equal((await house.user('ada').mcpAuthorizations())[0]?.isUsable, true)
    await clock.pass(2_000)
    await lost
    assert.equal((await house.user('ada').mcpAuthorizations())[0]?.isUsable, false)
    provider.outcome = 'granted'
    await assert.rejects(tokenIn(other), required)
    assert.deepEqual(provider.sent, ['canary-r1'])
    await authorize(other)
    assert.equal(await tokenIn(other), 'canary-a2')
  })
}

/** Somebody whose server refuses the stored token. */
async function refusedIn(house: House, id = 'ada'): Promise<string> {
  house.behaviour.openTools = async ({ tokenSource }) => {
    await tokenSource?.replaceToken('canary-a1')
  }
  try {
    return await tokenIn(house, id)
  } finally {
    presenting(house)
  }
}

test('R17: whoever comes late with the tokens of their claim is heard, unless the person was asked again', async () => {
  for (const isAskedAgain of [false, true]) {
    const { house, provider, clock } = await open()
    const other = presenting(await house.sibling())
    await authorize(house)
    clock.advance(LIFETIME_MS)
    const gate = Promise.withResolvers<void>()
    provider.meanwhile = () => gate.promise
    const late = tokenIn(house)
    await clock.pass(CLAIM_MS + 1)
    await assert.rejects(tokenIn(other), required)
    if (isAskedAgain) await authorize(other)
    gate.resolve()
    if (isAskedAgain) await assert.rejects(late, required)
    else assert.equal(await late, 'canary-a2')
    await clock.pass(1_000)
    assert.equal(await tokenIn(other), 'canary-a2')
    assert.deepEqual(provider.sent, ['canary-r1'])
    const told = await house.store.events.newest(house.subject('ada'), { limit: 1 })
    assert.match(told[0]?.body ?? '', isAskedAgain ? /mcp_authorized/ : /mcp_authorization_kept/)
  }
})

test('R17: erasing a user during a refresh, a completion or a beginning leaves nothing behind', async () => {
  const { house, provider, clock } = await open()
  await authorize(house)
  clock.advance(LIFETIME_MS)
  const erase = (): Promise<unknown> =>
    house.journal.erase(house.subject('ada'), () => ({ type: 'erased', detail: 'erased', data: {} }))
  const left = async (): Promise<unknown[]> => {
    const kinds = ['mcp_grant', 'mcp_authorization', 'settings']
    const page = { limit: 10, order: 'ascending' } as const
    const rows = await Promise.all(kinds.map((kind) => house.store.users.records(house.subject('ada'), kind, page)))
    return [...rows.flat(), await house.store.users.load(house.subject('ada'))].filter((row) => row !== undefined)
  }
  provider.meanwhile = erase
  await assert.rejects(tokenIn(house), fails('user_erased'))
  assert.deepEqual(await left(), [])

  const user = house.user('ada')
  const { url: state } = await user.authorizeMcp('wiki')
  provider.whileRedeeming = erase
  await assert.rejects(user.completeMcp('wiki', { state, code: 'c' }), fails('user_erased'))
  assert.deepEqual(await left(), [])

  await user.configure({ region: 'eu' })
  provider.whileFinding = erase
  await assert.rejects(user.authorizeMcp('wiki'), fails('user_erased'))
  assert.deepEqual(await left(), [])

  provider.whileFinding = async () => undefined
  const { url: old } = await user.authorizeMcp('wiki')
  await erase()
  await assert.rejects(user.completeMcp('wiki', { state: old, code: 'c' }), fails('authorization_invalid'))
  assert.deepEqual(await left(), [])
})

test('R17 R19: closing waits for a refresh that was sent, so that its answer is not lost, and leaves no timer', async () => {
  const { house, provider, clock } = await open()
  await authorize(house)
  clock.advance(LIFETIME_MS)
  const gate = Promise.withResolvers<void>()
  provider.meanwhile = () => gate.promise
  const asking = tokenIn(house)
  asking.catch(() => undefined)
  await clock.pass(0)
  const closing = house.runtimes.close({ timeoutMs: 5_000 })
  await clock.pass(1_000)
  gate.resolve()
  await closing
  const other = presenting(await house.sibling())
  assert.equal(await tokenIn(other), 'canary-a2')
  assert.deepEqual(provider.sent, ['canary-r1'])
  await other.runtimes.close()
  assert.equal(clock.timers, 0)
})

test('R17: a token that lives for seconds is used for most of them', async () => {
  const { house, provider, clock } = await open()
  provider.lifetimeMs = 5_000
  await authorize(house)
  clock.advance(4_400)
  assert.equal(await tokenIn(house), 'canary-a1')
  clock.advance(200)
  assert.equal(await tokenIn(house), 'canary-a2')
})

test('R7 R17: renewing tokens keeps the connection; a new authorization, or none, replaces it', async () => {
  const { house, clock } = await open()
  await authorize(house)
  const lease = await house.user('ada').acquire()
  const first = await lease.mcp('wiki')
  clock.advance(LIFETIME_MS)
  await house.tools[0]?.order.tokenSource?.getToken()
  const beside = await house.user('ada').acquire()
  assert.equal(await beside.mcp('wiki'), first)
  await authorize(house)
  const after = await house.user('ada').acquire()
  assert.notEqual(await after.mcp('wiki'), first)
  assert.equal(house.tools[0]?.closes, 0)
  lease.release()
  beside.release()
  await clock.pass(0)
  assert.equal(house.tools[0]?.closes, 1)
  assert.equal(await house.user('ada').deauthorizeMcp('wiki'), true)
  assert.equal(await house.user('ada').deauthorizeMcp('wiki'), false)
  const last = await house.user('ada').acquire()
  await assert.rejects(last.mcp('wiki'), required)
  last.release()
  after.release()
  await clock.pass(0)
  assert.deepEqual(
    house.tools.map(({ closes }) => closes),
    [1, 1],
  )
})

test('R17: tokens go only to the server and from the issuer that they were given for, whatever is configured later', async () => {
  const { house, provider } = await open()
  await authorize(house)
  for (const change of [
    { ...wiki, url: 'https://elsewhere.example/mcp' },
    { ...wiki, oauth: { redirectUrl: 'https://app.example/back', issuer: 'https://other.example' } },
  ]) {
    const other = presenting(await house.sibling({ mcpServers: { wiki: change } }))
    await assert.rejects(tokenIn(other), required)
  }
  const row = (await house.store.users.record(house.subject('ada'), 'mcp_grant', 'wiki')) ?? ''
  await authorize(house, 'eve')
  await house.journal.write(house.subject('eve'), {
    decide: () => ({ records: [{ kind: 'mcp_grant', name: 'wiki', value: row }], result: () => undefined }),
  })
  await assert.rejects(tokenIn(house, 'eve'), required)
  assert.equal(await tokenIn(house), 'canary-a1')
  assert.deepEqual(provider.sent, [])
})

test('R16 R17: no token, code, verifier or state is in rows, logs, errors or what is printed', async () => {
  const { house, provider, clock } = await open()
  const user = house.user('ada')
  const { url: state } = await user.authorizeMcp('wiki')
  const page = { limit: 10, order: 'ascending' } as const
  const rows = async (): Promise<string> =>
    JSON.stringify(
      await Promise.all([
        ...['mcp_grant', 'mcp_authorization'].map((kind) =>
          house.store.users.records(house.subject('ada'), kind, page),
        ),
        house.store.events.newest(house.subject('ada'), { limit: 100 }),
      ]),
    )
  assert.ok(!(await rows()).includes(state))
  const shown: unknown[] = [await rows(), await user.completeMcp('wiki', { state, code: 'canary-code' })]
  const lease = await user.acquire()
  await lease.mcp('wiki')
  shown.push(lease, house.runtimes.active(), house.tools[0]?.order.tokenSource, await rows())
  clock.advance(LIFETIME_MS)
  provider.outcome = 'unknown'
  shown.push(await house.tools[0]?.order.tokenSource?.getToken().catch((error: unknown) => error))
  shown.push(await user.mcpAuthorizations(), await rows())
  for (const each of shown) assert.doesNotMatch(inspect(each, { depth: 12, showHidden: true }), /canary/)
  for (const each of shown) assert.doesNotMatch(JSON.stringify(each) ?? '', /canary/)
  lease.release()
})

test('R17: a mistake in the OAuth configuration is told at the start', async () => {
  const oauth = { redirectUrl: 'https://app.example/back' }
  const base = { url: 'https://wiki.example/mcp' }
  for (const wrong of [
    { ...base, oauth: {} },
    { ...base, oauth: { ...oauth, redirectUrl: 'nowhere' } },
    { ...base, oauth: { ...oauth, scopes: ['a b'] } },
    { ...base, oauth: { ...oauth, issuer: 'nobody' } },
    { ...base, oauth: { ...oauth, clientId: 'app', clientSecret: 'secret' } },
    { ...base, oauth: { ...oauth, clientSecret: 'secret', issuer: ISSUER } },
    { ...base, oauth, headers: { Authorization: 'Bearer x' } },
  ]) {
    await assert.rejects(openHouse({ mcpServers: { wiki: wrong as McpServerOption } }), fails('option_invalid'))
  }
  const misspelt = { ...base, oauth: { ...oauth, scope: ['tools'] } } as McpServerOption
  await assert.rejects(openHouse({ mcpServers: { wiki: misspelt } }), fails('option_unknown'))
})

test('R17: over random refreshes, losses and steps of the clock in three processes no token is sent twice', async () => {
  printSeed('refreshes')
  let refreshes = 0
  for (let round = 0; round < rounds(200, 20); round++) {
    const chance = chanceOf(seed + round)
    const clock = handClock()
    const memory = await openMemoryStore({ effects: clock })
    const only = (call: string): boolean => call === 'users.commit'
    const store = chaosStore(memory, { seed: seed + round, effects: clock, fail: 0.1, lose: 0.1, delay: 0.2, only })
    const { house, provider } = await open({ clock, store })
    const houses = [house, presenting(await house.sibling()), presenting(await house.sibling())]
    await authorize(house)
    store.enable()
    provider.meanwhile = () => new Promise((resolve) => clock.setTimer(() => resolve(undefined), chance.below(40_000)))
    for (let step = 0; step < 20; step++) {
      provider.outcome = chance.pick(['granted', 'granted', 'granted', 'granted', 'unsent', 'unknown'] as const)
      if (chance.may(0.3)) clock.stepWall((chance.next() - 0.5) * 2 * LIFETIME_MS)
      const asking = Array.from({ length: 1 + chance.below(4) }, () => tokenIn(chance.pick(houses)))
      let isOver = false
      void Promise.allSettled(asking).then(() => {
        isOver = true
      })
      while (!isOver) await clock.pass(1_000)
      await clock.pass(chance.below(2 * LIFETIME_MS))
      store.disable()
      if (!(await house.user('ada').mcpAuthorizations()).some(({ isUsable }) => isUsable)) await authorize(house)
      store.enable()
    }
    refreshes += provider.sent.length
    assert.deepEqual(provider.reused, [], `round ${round}`)
  }
  assert.ok(refreshes > rounds(200, 20) * 3, `${refreshes}`)
})
