import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type OpenServer, openServer } from '../../src/app/server.ts'
import { ACCESS, ROLES, type Role } from '../../src/auth/roles.ts'

/** Who may do what, as the contract's table of roles says it: a route of another kind fails the test until it is told here. */
const CONTRACT: Readonly<Record<string, string>> = {
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /deck': 'public',
  'GET /deck/*': 'public',
  'GET /deck/sign-in': 'public',
  'POST /api/session': 'public',
  'GET /api/session': 'public',
  'DELETE /api/session': 'known',
  'POST /v1/chat/completions': 'chat',
  'GET /v1/models': 'chat',
  'GET /v1/me': 'chat',
  'GET /metrics': 'read',
  'GET /api/overview': 'read',
  'GET /api/users': 'read',
  'GET /api/users/:id': 'read',
  'GET /api/users/:id/bond': 'read',
  'GET /api/users/:id/events': 'read',
  'GET /api/users/:id/verify': 'read',
  'GET /api/users/:id/notes': 'read',
  'GET /api/runtimes': 'read',
  'GET /api/answers/stats': 'read',
  'GET /api/events': 'read',
  'GET /api/users/:id/runtime': 'application:read',
  'GET /api/users/:id/secrets': 'application:read',
  'GET /api/users/:id/sessions': 'application:read',
  'GET /api/users/:id/profile': 'application:read',
  'GET /api/users/:id/actions': 'application:read',
  'GET /api/users/:id/context': 'application:read',
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
  'PUT /api/users/:id/timezone': 'tend',
  'GET /api/users/:id/export': 'operate',
  'PUT /api/users/:id/cap': 'operate',
  'PUT /api/users/:id/block': 'operate',
  'DELETE /api/users/:id/block': 'operate',
  'POST /api/users/:id/notes': 'operate',
  'POST /api/users/:id/correct': 'operate',
  'POST /api/users/:id/evict': 'operate',
  'POST /api/users/:id/erase': 'administer',
  'DELETE /api/users/:id/answers': 'administer',
  'DELETE /api/answers': 'administer',
  'GET /api/keys': 'administer',
  'POST /api/keys': 'administer',
  'DELETE /api/keys': 'administer',
  'DELETE /api/keys/:key': 'administer',
}

let server: OpenServer
const keys = new Map<Role, string>()

before(async () => {
  server = await openServer({ config: { store: 'memory:', server: { logLevel: 'silent' } } })
  for (const role of ROLES) {
    const made = await server.house.keys.create({
      role,
      createdBy: 'test',
      ...(role === 'user' ? { user: 'ada' } : {}),
    })
    keys.set(role, made.key)
  }
})
after(() => server.close())

/** Every route the app really has: the document is made from Fastify's own table. */
async function routes(): Promise<string[]> {
  const found: string[] = []
  const document = (await server.fastify.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, unknown>>
  }
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of Object.keys(methods)) {
      found.push(`${method.toUpperCase()} ${path.replace(/\{(\w+|\*)\}/g, (_, n) => (n === '*' ? '*' : `:${n}`))}`)
    }
  }
  return found.toSorted()
}

test('the table of routes is the contract’s, no more and no fewer', async () => {
  assert.deepEqual(await routes(), Object.keys(CONTRACT).toSorted())
})

test('every role may exactly what its row says, on every route; nobody is told 401 and a wrong role 403', async () => {
  for (const [name, access] of Object.entries(CONTRACT)) {
    const [method, path] = name.split(' ') as [string, string]
    if (path === '/api/events' || path === '/v1/chat/completions') continue
    const url = path.replace(/:\w+/g, 'nobody').replace('*', 'none')
    const nobody = await server.fastify.inject({ method: method as 'GET', url })
    assert.equal(nobody.statusCode === 401 && access !== 'public', access !== 'public', `${name} without a key`)
    for (const role of ROLES) {
      if (access === 'public') continue
      const allowed = ACCESS[access as keyof typeof ACCESS].includes(role)
      const headers = { authorization: `Bearer ${keys.get(role)}` }
      const { statusCode } = await server.fastify.inject({ method: method as 'GET', url, headers })
      assert.notEqual(statusCode, 401, `${name} as ${role}`)
      assert.equal(statusCode !== 403, allowed, `${name} as ${role}: ${statusCode}`)
    }
  }
})

test('the chat and the live events take the same guard', async () => {
  for (const [method, url, allowed] of [
    ['POST', '/v1/chat/completions', ['user', 'service']],
    ['GET', '/api/events', ['viewer', 'operator', 'admin']],
  ] as const) {
    assert.equal((await server.fastify.inject({ method, url })).statusCode, 401)
    for (const role of ROLES.filter((one) => !(allowed as readonly string[]).includes(one))) {
      const headers = { authorization: `Bearer ${keys.get(role)}` }
      assert.equal((await server.fastify.inject({ method, url, headers })).statusCode, 403, `${url} as ${role}`)
    }
  }
})

test('HEAD tells of every address what GET would, without the body, and uses no sign-in link up', async () => {
  const headers = { authorization: `Bearer ${keys.get('admin')}` }
  for (const name of Object.keys(CONTRACT).filter((route) => route.startsWith('GET '))) {
    const url = name.slice(4).replace(/:\w+/g, 'nobody').replace('*', 'none')
    if (url === '/deck/sign-in') continue
    const head = await server.fastify.inject({ method: 'HEAD', url, headers })
    assert.equal(head.body, '', name)
    if (url === '/api/events') {
      assert.deepEqual([head.statusCode, head.headers['content-type']], [200, 'text/event-stream; charset=utf-8'])
      continue
    }
    const get = await server.fastify.inject({ method: 'GET', url, headers })
    for (const told of ['content-type', 'etag', 'cache-control']) assert.equal(head.headers[told], get.headers[told])
    assert.equal(head.statusCode, get.statusCode, name)
    assert.equal((await server.fastify.inject({ method: 'HEAD', url })).statusCode === 401, CONTRACT[name] !== 'public')
  }
  const url = `/deck/sign-in?token=${server.house.sessions.createLink()}`
  assert.equal((await server.fastify.inject({ method: 'HEAD', url })).statusCode, 404)
  assert.ok((await server.fastify.inject({ method: 'GET', url })).headers['set-cookie'])
})

test('an application reads exactly what the contract gives it', () => {
  const readable = Object.entries(CONTRACT).filter(([name, access]) => {
    return name.startsWith('GET /api/users') && ACCESS[access as keyof typeof ACCESS].includes('service')
  })
  assert.deepEqual(
    readable.map(([name]) => name.split('/').at(-1)),
    ['runtime', 'secrets', 'sessions', 'profile', 'actions', 'context', 'mcp'],
  )
})
