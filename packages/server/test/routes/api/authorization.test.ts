import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type AuthorizationServer,
  openAuthorizationServer,
} from '../../../../purser/test/support/authorization-server.ts'
import { type OpenServer, openServer } from '../../../src/app/server.ts'

let authorization: AuthorizationServer
let server: OpenServer
let service: string

before(async () => {
  authorization = await openAuthorizationServer()
  const { issuer } = authorization
  const wiki = { url: `${issuer}/mcp`, oauth: { redirectUrl: 'https://app.example/back', issuer } }
  server = await openServer({ config: { store: 'memory:', mcpServers: { wiki }, server: { logLevel: 'silent' } } })
  service = (await server.house.keys.create({ role: 'service', name: 'app', createdBy: 'test' })).key
})
after(async () => {
  await server.close()
  await authorization[Symbol.asyncDispose]()
})

async function call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) {
  const answer = await server.fastify.inject({
    method,
    url: `/api/users/${path}`,
    headers: { authorization: `Bearer ${service}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  assert.doesNotMatch(answer.body, /canary/)
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() }
}

test('a person authorizes an MCP server over HTTP, once and for themselves, and the log tells who brought it', async () => {
  const begun = await call('POST', 'ada/mcp/wiki/authorization')
  assert.deepEqual(Object.keys(begun.body), ['url', 'expiresAt'])
  const answer = await authorization.approve(begun.body.url)
  const foreign = await call('POST', 'bob/mcp/wiki/authorization/completion', answer)
  assert.deepEqual([foreign.status, foreign.body.error.code], [400, 'authorization_invalid'])
  const completed = await call('POST', 'ada/mcp/wiki/authorization/completion', answer)
  assert.deepEqual([completed.status, completed.body.name, completed.body.isUsable], [200, 'wiki', true])
  const again = await call('POST', 'ada/mcp/wiki/authorization/completion', answer)
  assert.deepEqual([again.status, again.body.error.code], [400, 'authorization_invalid'])
  assert.deepEqual((await call('GET', 'ada/mcp')).body, { data: [completed.body], cursor: null })
  assert.equal((await call('DELETE', 'ada/mcp/wiki/authorization')).status, 204)
  assert.deepEqual((await call('GET', 'ada/mcp')).body.data, [])
  const events = await server.house.purser.user('ada').ledger.events()
  assert.deepEqual(
    events.map(({ actor, data }) => [actor, data.action]),
    [
      ['app', 'mcp_deauthorized'],
      ['app', 'mcp_authorized'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(events), /canary/)
})

test('what cannot be a server or an answer is told with its code', async () => {
  for (const [path, body, code] of [
    ['ada/mcp/nothing/authorization', undefined, 'mcp_unknown'],
    ['ada/mcp/wiki/authorization/completion', {}, 'invalid_request_error'],
    ['ada/mcp/wiki/authorization/completion', { state: 1, code: 'c' }, 'argument_invalid'],
    ['ada/mcp/wiki/authorization/completion', { state: 's', code: 'c', token: 't' }, 'invalid_request_error'],
    ['ada/mcp/wiki/authorization/completion', { state: 's', code: 'c' }, 'authorization_invalid'],
  ] as const) {
    const answer = await call('POST', path, body)
    assert.deepEqual([answer.status, answer.body.error.code], [400, code])
  }
})
