import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Event } from 'purser'
import type { Role } from '../../../src/auth/scopes.ts'
import { isMutation } from '../../../src/http/define-route.ts'
import { type Headers, type Method, openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

let harness: ServerHarness
const keys = new Map<Role, string>()

before(async () => {
  harness = await openServerHarness({
    config: {
      providers: { local: { kind: 'openai-compatible', baseURL: 'http://127.0.0.1:9/v1', models: ['m'] } },
      runtime: { defaults: { provider: 'local', model: 'm' } },
      plans: { pro: {} },
    },
  })
  for (const role of ['service', 'operator', 'admin'] as const) {
    const { key } = await harness.context.keys.create({ role, name: `the ${role}`, createdBy: 'test' })
    keys.set(role, key)
  }
})
after(() => harness[Symbol.asyncDispose]())

const send = (role: Role, [method, url, body]: Call, headers: Headers = {}) =>
  harness.fastify.inject({
    method,
    url,
    headers: { authorization: `Bearer ${keys.get(role)}`, 'x-purser-reason': 'asked for it', ...headers },
    ...(body === undefined ? {} : { payload: body }),
  })

type Call = readonly [method: Method, url: string, body?: object | undefined]

interface Write {
  /** Whether a service key leaves no event. */
  readonly isTraffic?: boolean
  /** Calls before the one that is checked. */
  readonly prepare?: (id: string) => Promise<string | undefined>
  readonly call: (path: string, before: string | undefined) => Call
}

const write = (method: Method, path: string, body?: object): Write => ({
  call: (user) => [method, `${user}/${path}`, body],
})
const admitted = async (id: string): Promise<string> => {
  const admission = await harness.user(id).ledger.admit()
  assert.ok(admission.allowed)
  return admission.ticket
}
const traffic = (other: Write): Write => ({ ...other, isTraffic: true })
const prepared = (prepare: NonNullable<Write['prepare']>, other: Write): Write => ({ ...other, prepare })

/** Every route that changes a user. A new one fails the test below until it is added here. */
const WRITES: Readonly<Record<string, Write>> = {
  'PATCH /runtime': write('PATCH', 'runtime', { parameters: { seed: 1 } }),
  'POST /evict': prepared(admitted, write('POST', 'evict')),
  'PUT /secrets/:name': write('PUT', 'secrets/local', { apiKey: 'k' }),
  'DELETE /secrets/:name': prepared(
    async (id) => {
      await harness.user(id).runtime.setSecret('local', { apiKey: 'k' })
      return undefined
    },
    write('DELETE', 'secrets/local'),
  ),
  'POST /sessions': write('POST', 'sessions', { id: 's', policy: 'pin' }),
  'DELETE /sessions/:session': prepared(
    async (id) => {
      await harness.user(id).runtime.startSession('s', { policy: 'follow' })
      return undefined
    },
    write('DELETE', 'sessions/s'),
  ),
  'PUT /profile': traffic(write('PUT', 'profile', { name: 'Ada' })),
  'PATCH /profile': traffic(write('PATCH', 'profile', { reason: 'a field of the profile' })),
  'POST /actions': traffic(write('POST', 'actions', { action: 'Played' })),
  'PUT /context': write('PUT', 'context', { enabled: false }),
  'DELETE /context': traffic(prepared(admitted, write('DELETE', 'context'))),
  'POST /admissions': traffic(write('POST', 'admissions', { cost: 1 })),
  'POST /admissions/:ticket/settle': traffic({
    prepare: admitted,
    call: (path, ticket) => ['POST', `${path}/admissions/${ticket}/settle`, { inputTokens: 1 }],
  }),
  'POST /admissions/:ticket/refund': traffic({
    prepare: admitted,
    call: (path, ticket) => ['POST', `${path}/admissions/${ticket}/refund`],
  }),
  'POST /detections': traffic(write('POST', 'detections', { peaks: { joy: 0.5 } })),
  'PUT /timezone': write('PUT', 'timezone', { timeZone: 'Asia/Kolkata' }),
  'PUT /cap': write('PUT', 'cap', { cap: 3 }),
  'PUT /limits/:name': write('PUT', 'limits/daily', { max: 3 }),
  'DELETE /limits/:name': prepared(
    async (id) => {
      await harness.user(id).ledger.setLimit('daily', 3, { actor: 'test' })
      return undefined
    },
    write('DELETE', 'limits/daily'),
  ),
  'PUT /plan': write('PUT', 'plan', { plan: 'pro' }),
  'PUT /block': write('PUT', 'block', { reason: 'asked for it' }),
  'DELETE /block': prepared(
    async (id) => {
      await harness.user(id).ledger.block({ actor: 'test', reason: 'test' })
      return undefined
    },
    write('DELETE', 'block'),
  ),
  'POST /correct': write('POST', 'correct', { phase: 'warm', reason: 'asked for it' }),
  'POST /notes': write('POST', 'notes', { text: 'hello' }),
  'DELETE /answers': prepared(admitted, write('DELETE', 'answers')),
  'DELETE /limits/:name/usage': prepared(admitted, write('DELETE', 'limits/daily/usage', { reason: 'asked for it' })),
}

/** Routes that are tested elsewhere: they need an authorization server, or remove the log itself. */
const ELSEWHERE = [
  'POST /mcp/:name/authorization',
  'POST /mcp/:name/authorization/completion',
  'DELETE /mcp/:name/authorization',
  'POST /erase',
]

test('the table has every route that changes a user', async () => {
  const document = (await harness.fastify.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, unknown>>
  }
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => isMutation({ method: method.toUpperCase() as Method, routePath: path }))
      .filter(() => path.startsWith('/api/users/{id}/'))
      .map((method) => `${method.toUpperCase()} ${path.slice('/api/users/{id}'.length).replace(/\{(\w+)\}/g, ':$1')}`),
  )
  assert.deepEqual(routes.toSorted(), [...Object.keys(WRITES), ...ELSEWHERE].toSorted())
})

for (const [route, { isTraffic = false, prepare, call }] of Object.entries(WRITES)) {
  test(`${route} leaves one event with actor, reason and origin; traffic of a service key none`, async () => {
    for (const role of ['service', 'operator', 'admin'] as const) {
      const id = `${route} ${role}`
      const path = `/api/users/${encodeURIComponent(id)}`
      const before = await prepare?.(id)
      const { head } = await harness.user(id).ledger.bond()
      const response = await send(role, call(path, before))
      if (response.statusCode === 403) continue
      assert.ok(response.statusCode < 300, `${role}: ${response.body}`)
      const events = (await harness.user(id).ledger.events()).filter(({ sequence }) => sequence > (head?.sequence ?? 0))
      if (role === 'service' && isTraffic) {
        assert.deepEqual(events, [])
        continue
      }
      assert.equal(events.length, 1, `${role}: ${JSON.stringify(events)}`)
      const [{ actor, reason, data, detail }] = events as [Event]
      assert.deepEqual([actor, reason, data.origin], [`the ${role}`, 'asked for it', 'api'], route)
      assert.ok(detail.length > 0)
      assert.equal((await harness.user(id).ledger.verify()).ok, true)
    }
  })
}

test('a detection of an admin keeps its own events, with the actor, the reason and the origin', async () => {
  await send('admin', ['POST', '/api/users/detected/detections', { phase: 'warm', riskLevel: 'high' }])
  const events = await harness.user('detected').ledger.events()
  assert.deepEqual(
    events.map(({ type, actor, reason, data }) => [type, actor, reason, data.origin]),
    [
      ['risk_change', 'the admin', 'asked for it', 'api'],
      ['phase_transition', 'the admin', 'asked for it', 'api'],
    ],
  )
})

test('a change that changes nothing, a refused one and a repeated one leave no event', async () => {
  const put = (headers: Headers = {}) => send('admin', ['PUT', '/api/users/still/profile', { name: 'Ada' }], headers)
  await put({ 'idempotency-key': 'k' })
  await put({ 'idempotency-key': 'k' })
  await put()
  assert.equal((await harness.user('still').ledger.events()).length, 1)
  const long = await put({ 'x-purser-reason': 'x'.repeat(1_025) })
  assert.equal(long.statusCode, 400)
  await harness.user('still').ledger.block({ actor: 'test', reason: 'test' })
  await send('admin', ['POST', '/api/users/still/admissions'])
  assert.equal((await harness.user('still').ledger.events()).length, 2)
})

test('requests of people at the same time do not get the actor of each other', async () => {
  await Promise.all(
    (['operator', 'admin'] as const).flatMap((role) =>
      Array.from({ length: 20 }, (_, index) =>
        send(role, ['PUT', '/api/users/shared/timezone', { timeZone: index % 2 === 0 ? 'Asia/Kolkata' : 'UTC' }], {
          'x-purser-reason': `reason of the ${role}`,
        }),
      ),
    ),
  )
  const events = await harness.user('shared').ledger.events({ limit: 1_000 })
  assert.ok(events.length >= 2)
  for (const { actor, reason } of events) assert.equal(reason, `reason of ${actor}`)
})

/** The events that `run` leaves in the log of the namespace. */
async function namespaceEvents(count: number, run: () => Promise<unknown>): Promise<Event[]> {
  const events: Event[] = []
  const abort = new AbortController()
  const reading = (async () => {
    for await (const event of harness.context.purser.events({ signal: abort.signal })) {
      if (event.user === '') events.push(event)
      if (events.length === count) return
    }
  })()
  await run()
  await reading
  return events
}

test('keys, sessions of the Deck, cleared answers and erasures leave an event in the log of the namespace', async () => {
  const cookies: string[] = []
  let keyId = ''
  const events = await namespaceEvents(8, async () => {
    keyId = (await send('admin', ['POST', '/api/keys', { role: 'viewer', name: 'watch' }])).json().id
    await send('admin', ['DELETE', `/api/keys/${keyId}`])
    const signIn = await harness.fastify.inject({
      method: 'POST',
      url: '/api/session',
      payload: { key: keys.get('admin') as string },
    })
    cookies.push(String(signIn.headers['set-cookie']).split(';')[0] as string)
    const headers = { host: 'localhost', origin: 'http://localhost', cookie: cookies[0] as string }
    await harness.fastify.inject({ method: 'DELETE', url: '/api/answers', headers })
    await harness.fastify.inject({ method: 'DELETE', url: '/api/session', headers })
    const link = `/deck/sign-in?token=${await harness.context.sessions.createLink()}`
    await harness.fastify.inject({ url: link, headers: { host: 'localhost' } })
    await send('admin', ['DELETE', '/api/sessions'])
    await harness.user('gone').ledger.admit()
    await send('admin', ['POST', '/api/users/gone/erase', { reason: 'asked for it' }])
  })
  assert.deepEqual(
    events.map(({ type, actor, reason, data }) => [data.action ?? type, actor, reason, data.origin]),
    [
      ['key_created', 'the admin', 'asked for it', 'api'],
      ['key_revoked', 'the admin', 'asked for it', 'api'],
      ['signed_in', 'the admin', undefined, 'deck'],
      ['answers_cleared', 'the admin', undefined, 'deck'],
      ['signed_out', 'the admin', undefined, 'deck'],
      ['signed_in', 'console', undefined, 'deck'],
      ['sessions_ended', 'the admin', 'asked for it', 'api'],
      ['user_erased', 'the admin', 'asked for it', 'api'],
    ],
  )
  assert.equal(events[0]?.data.id, keyId)
  assert.doesNotMatch(JSON.stringify(events), /purser_(viewer|session|link)_/)
  assert.equal((await harness.context.purser.verify()).ok, true)
})
