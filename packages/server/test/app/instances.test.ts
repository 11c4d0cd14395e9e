import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { type Purser, PurserError } from 'purser'
import { getMeta, subscribeToActivity } from 'purser/internal'
import { openAuthorizationServer } from '../../../purser/test/support/authorization-server.ts'
import { measureLag } from '../../../purser/test/support/event-loop-lag.ts'
import { openGuardedServer } from '../../../purser/test/support/guarded-server.ts'
import { noPostgres, sharedPostgres } from '../../../purser/test/support/postgres-server.ts'
import { noRedis, sharedRedis, untilTrue } from '../../../purser/test/support/redis-server.ts'
import { temporaryPath } from '../../../purser/test/support/temporary-store.ts'
import { TEST_SECRET_KEY } from '../../../purser/test/support/test-store.ts'
import type { ConfigFile } from '../../src/index.ts'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

/*
 * Two servers on one store, each with a connection of its own: what one does is in force in the other, within the bound
 * that the documentation states.
 */

const WITHIN_MS = 1_000

const authorization = await openAuthorizationServer()
const guarded = await openGuardedServer(authorization)
after(async () => {
  await guarded[Symbol.asyncDispose]()
  await authorization[Symbol.asyncDispose]()
})

interface Pair extends AsyncDisposable {
  readonly first: ServerHarness
  readonly second: ServerHarness
}

async function openPair(store: string): Promise<Pair> {
  const config: ConfigFile = {
    store,
    secretKey: TEST_SECRET_KEY,
    answers: { enabled: true },
    plans: { free: { limits: [{ name: 'daily', measure: 'turns', max: 2, window: 'day' }] }, pro: {} },
    providers: {
      local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', apiKey: 'x', models: ['m', 'n'] },
    },
    runtime: { defaults: { provider: 'local', model: 'm' } },
    mcpServers: {
      wiki: {
        url: guarded.url,
        oauth: { redirectUrl: 'https://app.example/back', issuer: authorization.issuer },
      },
    },
  }
  const first = await openServerHarness({ config, realTime: true, keyName: 'first' })
  const second = await openServerHarness({ config, realTime: true, keyName: 'second' })
  return {
    first,
    second,
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]()
      await second[Symbol.asyncDispose]()
    },
  }
}

/** Waits until it is so, and that it was within a second. The busy machine of a test may add as much again, and its lag. */
async function soon(check: () => Promise<boolean>, what: string): Promise<void> {
  const startedAt = performance.now()
  const lag = measureLag()
  await untilTrue(check, what)
  const tookMs = performance.now() - startedAt
  const lagMs = await lag.worst()
  assert.ok(tookMs < 2 * WITHIN_MS + 4 * lagMs, `${what} Took ${Math.round(tookMs)} ms, lag ${Math.round(lagMs)} ms.`)
}

type Response = Awaited<ReturnType<ServerHarness['call']>>

const audit = { actor: 'test', reason: 'test' }

/** What has to be the same in every instance. Each row changes it in one and looks at it in the other. */
const TABLE: Readonly<Record<string, (pair: Pair, user: string) => Promise<void>>> = {
  async 'settings of a user'({ first, second }, user) {
    ;(await second.user(user).runtime.acquire()).release()
    await first.user(user).runtime.configure({ model: 'n' })
    await soon(async () => (await second.user(user).runtime.settings()).model === 'n', 'The settings are old.')
  },
  async 'secrets of a user'({ first, second }, user) {
    await first.user(user).runtime.setSecret('local', { apiKey: 'own' })
    await soon(async () => (await second.user(user).runtime.secrets()).length === 1, 'The secret is missing.')
  },
  async 'plan, cap and block of a user'({ first, second }, user) {
    await second.user(user).ledger.admit()
    await first.user(user).ledger.setPlan('free', audit)
    await soon(async () => (await second.user(user).ledger.quota()).cap === 2, 'The plan is old.')
    await first.user(user).ledger.setDailyCap(1, audit)
    assert.equal((await second.user(user).ledger.admit()).allowed, false)
    await first.user(user).ledger.block(audit)
    const blocked = await second.user(user).ledger.admit()
    assert.ok(!blocked.allowed && blocked.reason === 'blocked')
  },
  async 'profile, and the context that was rendered from it'({ first, second }, user) {
    await first.user(user).profile.put({ name: 'Before' })
    await second.user(user).context.resolve()
    await first.user(user).profile.put({ name: 'After' })
    await soon(async () => (await second.user(user).context.resolve()).text.includes('After'), 'The context is old.')
  },
  async 'invalidation of a context'({ first, second }, user) {
    await second.user(user).context.resolve()
    const before = second.user(user).context.peek()
    assert.ok(before)
    await first.user(user).context.invalidate()
    await soon(async () => second.user(user).context.peek()?.status !== 'fresh', 'The context is still fresh.')
  },
  async 'sessions of a user'({ first, second }, user) {
    await first.user(user).runtime.startSession('s', { policy: 'pin' })
    assert.equal((await second.user(user).runtime.sessions()).length, 1)
    await second.user(user).runtime.endSession('s')
    assert.equal((await first.user(user).runtime.sessions()).length, 0)
  },
  async 'forgotten answers'({ first, second }, user) {
    const request = { question: 1 }
    const ask = (server: ServerHarness): Promise<string> =>
      server
        .user(user)
        .answers.remember(request, async () => 'an answer')
        .then(({ source }) => source)
    assert.equal(await ask(second), 'computed')
    await second.context.purser.answers.flush()
    await soon(async () => (await first.user(user).answers.lookup(request)) !== undefined, 'The answer is missing.')
    await first.user(user).answers.forget()
    await soon(
      async () => (await second.user(user).answers.lookup(request)) === undefined,
      'The answer is still there.',
    )
  },
  async erasure({ first, second }, user) {
    await second.user(user).profile.put({ name: 'Someone' })
    const lease = await second.user(user).runtime.acquire()
    const isCut = async (): Promise<boolean> => {
      try {
        return lease.model === undefined
      } catch (error) {
        return PurserError.is(error, 'user_erased')
      }
    }
    await second.user(user).context.resolve()
    await first.user(user).erase(audit)
    await soon(async () => !(await second.user(user).ledger.bond()).exists, 'The user is still there.')
    await soon(isCut, 'The lease goes on.')
    lease.release()
    await soon(async () => !(await second.user(user).context.resolve()).text.includes('Someone'), 'It is still told.')
  },
  async 'the live tail of events'({ first, second }, user) {
    const abort = new AbortController()
    // Without `after` it begins when the newest position is read, which may be after what is recorded next.
    await first.user(user).ledger.record('acme:m')
    const after = (await second.user(user).ledger.events({ limit: 1 }))[0]?.id
    const tail = second.context.purser.events({ user, after, signal: abort.signal })[Symbol.asyncIterator]()
    const next = tail.next()
    await first.user(user).ledger.record('acme:n')
    assert.equal(((await next).value as { type: string }).type, 'acme:n')
    abort.abort()
  },
  async 'kept replies of calls that change a user'({ first, second }, user) {
    const headers = { 'idempotency-key': 'a key of mine' }
    const url = `/api/users/${user}/admissions`
    const admission = (await first.call('POST', url, {}, headers)).json()
    const repeated = await second.call('POST', url, {}, { ...headers, authorization: `Bearer ${first.key}` })
    assert.deepEqual(repeated.json(), admission)
    assert.equal(repeated.headers['idempotent-replayed'], 'true')
    assert.equal((await second.user(user).ledger.quota()).count, 1)
  },
  async 'kept replies of created API keys'({ first, second }, user) {
    const headers = { 'idempotency-key': 'a new key', authorization: `Bearer ${first.key}` }
    const create = (server: ServerHarness, body: object): Promise<Response> =>
      server.call('POST', '/api/keys', body, headers)
    const body = { role: 'user', user, name: 'repeated' }
    const created = await create(first, body)
    assert.equal(created.statusCode, 200)
    const repeated = await create(second, body)
    assert.deepEqual(repeated.json(), created.json())
    assert.equal(repeated.headers['idempotent-replayed'], 'true')
    const other = await create(second, { ...body, name: 'another' })
    assert.equal(other.statusCode, 422)
    const ofOther = await second.call('POST', '/api/keys', body, { 'idempotency-key': 'a new key' })
    assert.equal(ofOther.statusCode, 400, 'the key of another caller is another key, and the name is taken')
    const names = (await first.context.keys.list()).map(({ name }) => name)
    assert.equal(names.filter((name) => name === 'repeated').length, 1)
    const audited = await first.context.purser.audit({ limit: 200 })
    const keyId = created.json().id as string
    assert.equal(audited.events.filter(({ detail }) => detail?.includes(keyId)).length, 1, 'one event')
    const stored = async (): Promise<string> => (await getMeta(first.context.purser).get('server-keys')) ?? ''
    assert.match(await stored(), /"reply"/)
    assert.ok(!(await stored()).includes(created.json().key), 'the key is stored in clear text')
    await first.user(user).erase(audit)
    assert.ok(!(await stored()).includes(user) && !(await stored()).includes('"reply"'), 'an erasure leaves the reply')
  },
  async 'kept replies of created webhooks'({ first, second }) {
    const headers = { 'idempotency-key': 'a new webhook', authorization: `Bearer ${first.key}` }
    const body = { url: 'https://8.8.8.8/hook' }
    const [one, other] = await Promise.all(
      [first, second].map((server) => server.call('POST', '/api/webhooks', body, headers)),
    )
    assert.equal(one?.statusCode, 200)
    assert.deepEqual(other?.json(), one?.json(), 'also of requests at the same time')
    assert.equal((await second.call('GET', '/api/webhooks')).json().data.length, 1)
    await first.call('DELETE', `/api/webhooks/${one?.json().id}`)
  },
  async 'claims of the refresh of an MCP token'({ first, second }, user) {
    const { runtime } = first.user(user)
    await runtime.completeMcp('wiki', await authorization.approve((await runtime.authorizeMcp('wiki')).url))
    authorization.expireAll()
    const before = authorization.refreshes
    const call = async (server: ServerHarness): Promise<unknown> => {
      await using lease = await server.user(user).runtime.acquire()
      return (await lease.mcp('wiki')).callTool({ name: 'echo', arguments: { message: 'hello' } })
    }
    // The refresh does not end before the second has begun to ask for the token.
    const refresh = Promise.withResolvers<void>()
    authorization.behavior.onRefresh = () => refresh.promise
    const calls = [call(first), call(second)]
    await untilTrue(async () => authorization.refreshes > before, 'No refresh.')
    refresh.resolve()
    await Promise.all(calls)
    assert.equal(authorization.refreshes - before, 1)
    assert.equal(authorization.reuses, 0)
  },
  async 'API keys'({ first, second }) {
    const { key, id } = await first.context.keys.create({ role: 'viewer', name: 'shared', createdBy: 'test' })
    const call = async (): Promise<number> =>
      (await second.call('GET', '/api/overview', undefined, { authorization: `Bearer ${key}` })).statusCode
    await soon(async () => (await call()) === 200, 'The key does not work.')
    await first.call('DELETE', `/api/keys/${id}`)
    await soon(async () => (await call()) === 401, 'The revoked key works.')
  },
  async 'sign-in links and sessions'({ first, second }) {
    const link = await first.context.sessions.createLink()
    const opened = await second.context.sessions.redeemLink(link)
    assert.ok(opened)
    assert.equal(await first.context.sessions.redeemLink(link), undefined, 'a link works once')
    await soon(async () => (await first.context.sessions.find(opened.token)) !== undefined, 'The session is unknown.')
    await first.context.sessions.closeAll()
    await soon(async () => (await second.context.sessions.find(opened.token)) === undefined, 'The session goes on.')
  },
  async 'the limit of sign-in attempts'({ first, second }, user) {
    for (let attempt = 0; attempt < 10; attempt++)
      assert.equal(await (attempt % 2 === 0 ? first : second).context.limiter.recordFailure(user), 0)
    assert.ok((await second.context.limiter.recordFailure(user)) > 0)
  },
  async 'the live runtimes and the list of instances'({ first, second }, user) {
    ;(await second.user(user).runtime.acquire()).release()
    const instances = (await first.call('GET', '/api/instances')).json().data as { id: string }[]
    assert.equal(instances.length, 2)
    const { data } = (await second.call('GET', '/api/runtimes')).json() as {
      data: { user: string; instance: string }[]
    }
    assert.ok(instances.some(({ id }) => id === data.find((runtime) => runtime.user === user)?.instance))
  },
}

/** Users who were active in the other instance, as `GET /api/events` names them. */
async function activeUsers(purser: Purser, change: () => Promise<unknown>): Promise<(string | undefined)[]> {
  const users: (string | undefined)[] = []
  const stop = subscribeToActivity(purser, (user) => users.push(user))
  await change()
  await soon(async () => users.length > 0, 'No activity.')
  stop()
  return users
}

const STORES: Readonly<Record<string, () => Promise<string>>> = {
  SQLite: async () => `sqlite:${temporaryPath()}`,
  ...(noPostgres ? {} : { PostgreSQL: async () => (await sharedPostgres()).url() }),
  ...(noRedis ? {} : { Redis: async () => (await sharedRedis()).url() }),
}

for (const [name, locate] of Object.entries(STORES)) {
  describe(`two instances on ${name}`, () => {
    test('what one changes is in force in the other', async (context) => {
      await using pair = await openPair(await locate())
      for (const [what, check] of Object.entries(TABLE))
        await context.test(what, () => check(pair, `user of ${what}`.replaceAll(/\W/g, '-')))
      await context.test('activity', async () => {
        const users = await activeUsers(pair.second.context.purser, () => pair.first.user('active').ledger.admit())
        // SQLite does not tell whose row another process has written.
        assert.ok(users.includes(name === 'SQLite' ? undefined : 'active'), String(users))
      })
    })
  })
}
