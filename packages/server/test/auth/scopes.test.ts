import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ROLES, type Role, SCOPE_ROLES, type Scope } from '../../src/auth/scopes.ts'
import { type Method, openServerHarness, type ServerHarness } from '../support/server-harness.ts'

/** The scope of every route, by the contract's table of roles. A new route fails the test until it is added here. */
const SCOPE_BY_ROUTE: Readonly<Record<string, Scope>> = {
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /deck': 'public',
  'GET /deck/*': 'public',
  'GET /deck/sign-in': 'public',
  'POST /api/session': 'public',
  'GET /api/session': 'public',
  'DELETE /api/session': 'authenticated',
  'DELETE /api/sessions': 'admin',
  'POST /v1/chat/completions': 'chat',
  'POST /v1/responses': 'chat',
  'GET /v1/responses/:id': 'chat',
  'DELETE /v1/responses/:id': 'chat',
  'POST /v1/messages': 'chat',
  'POST /v1/messages/count_tokens': 'chat',
  'POST /v1/embeddings': 'chat',
  'POST /v1/moderations': 'chat',
  'POST /v1/completions': 'chat',
  'POST /v1/images/generations': 'chat',
  'POST /v1/audio/speech': 'chat',
  'POST /v1/audio/transcriptions': 'chat',
  'GET /v1/models': 'chat',
  'GET /v1/models/:id': 'chat',
  'GET /v1/me': 'chat',
  'PUT /v1/me/limits/:name': 'chat',
  'GET /v1/me/usage': 'chat',
  'GET /v1/me/turns': 'chat',
  'GET /v1/me/context': 'chat',
  'PUT /v1/me/context': 'chat',
  'GET /metrics': 'read',
  'GET /api/overview': 'read',
  'GET /api/attention': 'read',
  'GET /api/events/latest': 'read',
  'GET /api/overview/latency': 'read',
  'GET /api/audit': 'read',
  'GET /api/config': 'read',
  'GET /api/users': 'read',
  'GET /api/users/:id': 'read',
  'GET /api/users/:id/bond': 'read',
  'GET /api/users/:id/events': 'read',
  'GET /api/users/:id/verify': 'read',
  'GET /api/users/:id/limits': 'read',
  'GET /api/plans': 'read',
  'GET /api/users/:id/turns': 'read',
  'GET /api/users/:id/turns/summary': 'read',
  'GET /api/overview/phases': 'read',
  'GET /api/users/:id/answers': 'read',
  'GET /api/users/:id/usage': 'read',
  'GET /api/turns': 'read',
  'GET /api/usage': 'read',
  'POST /api/limits/simulate': 'read',
  'GET /api/overview/days': 'read',
  'GET /api/users/:id/notes': 'read',
  'GET /api/runtimes': 'read',
  'GET /api/instances': 'read',
  'GET /api/answers/stats': 'read',
  'GET /api/events': 'read',
  'GET /api/users/:id/runtime': 'application:read',
  'GET /api/users/:id/secrets': 'application:read',
  'GET /api/users/:id/sessions': 'application:read',
  'GET /api/users/:id/profile': 'application:read',
  'GET /api/users/:id/actions': 'application:read',
  'GET /api/users/:id/context': 'application:read',
  'PUT /api/users/:id/context': 'application:write',
  'PATCH /api/users/:id/runtime': 'application:write',
  'PUT /api/users/:id/secrets/:name': 'application:write',
  'DELETE /api/users/:id/secrets/:name': 'application:write',
  'GET /api/users/:id/mcp': 'application:read',
  'POST /api/users/:id/mcp/:name/authorization': 'application:write',
  'POST /api/users/:id/mcp/:name/authorization/completion': 'application:write',
  'DELETE /api/users/:id/mcp/:name/authorization': 'application:write',
  'POST /api/users/:id/sessions': 'application:write',
  'DELETE /api/users/:id/sessions/:session': 'application:write',
  'PUT /api/users/:id/profile': 'application:write',
  'PATCH /api/users/:id/profile': 'application:write',
  'POST /api/users/:id/actions': 'application:write',
  'DELETE /api/users/:id/context': 'application:write',
  'POST /api/users/:id/admissions': 'application:write',
  'POST /api/users/:id/admissions/:ticket/settle': 'application:write',
  'POST /api/users/:id/admissions/:ticket/refund': 'application:write',
  'POST /api/users/:id/detections': 'application:write',
  'PUT /api/users/:id/timezone': 'users:write',
  'GET /api/users/:id/export': 'users:moderate',
  'PUT /api/users/:id/cap': 'users:moderate',
  'PUT /api/users/:id/limits/:name': 'users:moderate',
  'DELETE /api/users/:id/limits/:name': 'users:moderate',
  'PUT /api/users/:id/plan': 'users:moderate',
  'DELETE /api/users/:id/limits/:name/usage': 'users:moderate',
  'PUT /api/users/:id/block': 'users:moderate',
  'DELETE /api/users/:id/block': 'users:moderate',
  'POST /api/users/:id/notes': 'users:moderate',
  'POST /api/users/:id/correct': 'users:moderate',
  'POST /api/users/:id/evict': 'users:moderate',
  'POST /api/users/:id/erase': 'admin',
  'DELETE /api/users/:id/answers': 'admin',
  'DELETE /api/answers': 'admin',
  'POST /api/verify': 'read',
  'GET /api/checkpoint': 'users:moderate',
  'GET /api/keys': 'admin',
  'POST /api/keys': 'admin',
  'DELETE /api/keys': 'admin',
  'DELETE /api/keys/:key': 'admin',
  'GET /api/webhooks': 'admin',
  'POST /api/webhooks': 'admin',
  'GET /api/webhooks/:webhook': 'admin',
  'PATCH /api/webhooks/:webhook': 'admin',
  'DELETE /api/webhooks/:webhook': 'admin',
  'POST /api/webhooks/:webhook/test': 'admin',
  'GET /api/webhooks/:webhook/deliveries': 'admin',
  'POST /api/webhooks/:webhook/deliveries/:delivery/retry': 'admin',
}

let harness: ServerHarness
const keys = new Map<Role, string>()

before(async () => {
  harness = await openServerHarness({ config: { server: { keepResponses: {} } } })
  for (const role of ROLES) keys.set(role, await harness.createKey(role))
})
after(() => harness[Symbol.asyncDispose]())

const inject = (method: string, url: string, role?: Role) =>
  harness.fastify.inject({
    method: method as Method,
    url,
    headers: role === undefined ? {} : { authorization: `Bearer ${keys.get(role)}` },
  })

/** A URL of a route, with `unknown` for every parameter. */
const getUrl = (path: string): string => path.replace(/:\w+/g, 'unknown').replace('*', 'unknown')

/** All routes of the app: the API document is generated from Fastify's own table. */
async function listRoutes(): Promise<string[]> {
  const routes: string[] = []
  const document = (await harness.fastify.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, unknown>>
  }
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of Object.keys(methods)) {
      routes.push(`${method.toUpperCase()} ${path.replace(/\{(\w+|\*)\}/g, (_, n) => (n === '*' ? '*' : `:${n}`))}`)
    }
  }
  return routes.toSorted()
}

test('the routes are exactly those of the contract', async () => {
  assert.deepEqual(await listRoutes(), Object.keys(SCOPE_BY_ROUTE).toSorted())
})

test('every route answers 401 without a key and 403 to exactly the roles without its scope', async () => {
  for (const [route, scope] of Object.entries(SCOPE_BY_ROUTE)) {
    const [method, path] = route.split(' ') as [string, string]
    if (path === '/api/events' || path === '/v1/chat/completions') continue
    const anonymous = await inject(method, getUrl(path))
    assert.equal(anonymous.statusCode === 401 && scope !== 'public', scope !== 'public', `${route} without a key`)
    for (const role of ROLES) {
      if (scope === 'public') continue
      const { statusCode } = await inject(method, getUrl(path), role)
      assert.notEqual(statusCode, 401, `${route} as ${role}`)
      assert.equal(statusCode !== 403, SCOPE_ROLES[scope].includes(role), `${route} as ${role}: ${statusCode}`)
    }
  }
})

test('the chat and the live events reject missing keys and wrong roles like every other route', async () => {
  for (const [method, url, roles] of [
    ['POST', '/v1/chat/completions', ['user', 'service']],
    ['GET', '/api/events', ['viewer', 'operator', 'admin']],
  ] as const) {
    assert.equal((await inject(method, url)).statusCode, 401)
    for (const role of ROLES.filter((candidate) => !(roles as readonly string[]).includes(candidate))) {
      assert.equal((await inject(method, url, role)).statusCode, 403, `${url} as ${role}`)
    }
  }
})

test('HEAD returns the status and headers of GET without a body, and does not consume a sign-in link', async () => {
  for (const [route, scope] of Object.entries(SCOPE_BY_ROUTE)) {
    if (!route.startsWith('GET ')) continue
    const url = getUrl(route.slice('GET '.length))
    if (url === '/deck/sign-in' || url === '/api/checkpoint') continue
    const head = await inject('HEAD', url, 'admin')
    assert.equal(head.body, '', route)
    if (url === '/api/events') {
      assert.deepEqual([head.statusCode, head.headers['content-type']], [200, 'text/event-stream; charset=utf-8'])
      continue
    }
    const get = await inject('GET', url, 'admin')
    for (const name of ['content-type', 'etag', 'cache-control']) assert.equal(head.headers[name], get.headers[name])
    assert.equal(head.statusCode, get.statusCode, route)
    assert.equal((await inject('HEAD', url)).statusCode === 401, scope !== 'public')
  }
  const url = `/deck/sign-in?token=${await harness.context.sessions.createLink()}`
  assert.equal((await inject('HEAD', url)).statusCode, 404)
  assert.ok((await inject('GET', url)).headers['set-cookie'])
})

test('a service key reads exactly the user resources of the contract', () => {
  const readable = Object.entries(SCOPE_BY_ROUTE).filter(([route, scope]) => {
    return route.startsWith('GET /api/users') && SCOPE_ROLES[scope].includes('service')
  })
  assert.deepEqual(
    readable.map(([route]) => route.split('/').at(-1)),
    ['runtime', 'secrets', 'sessions', 'profile', 'actions', 'context', 'mcp'],
  )
})
