import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type AuthorizationServer,
  openAuthorizationServer,
} from '../../../../purser/test/support/authorization-server.ts'
import { type Method, openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

let authorization: AuthorizationServer
let harness: ServerHarness

before(async () => {
  authorization = await openAuthorizationServer()
  const { issuer } = authorization
  const wiki = { url: `${issuer}/mcp`, oauth: { redirectUrl: 'https://app.example/back', issuer } }
  harness = await openServerHarness({ config: { mcpServers: { wiki } }, role: 'service', realTime: true })
})
after(async () => {
  await harness[Symbol.asyncDispose]()
  await authorization[Symbol.asyncDispose]()
})

/** Calls a route below `/api/users`. No response may contain a token of the authorization server. */
async function call(method: Method, path: string, body?: object) {
  const response = await harness.call(method, `/api/users/${path}`, body)
  assert.doesNotMatch(response.body, /canary/)
  return { status: response.statusCode, body: response.body === '' ? null : response.json() }
}

test('a user authorizes an MCP server over HTTP, once, for that user only, and the event log names the key', async () => {
  const started = await call('POST', 'ada/mcp/wiki/authorization')
  assert.deepEqual(Object.keys(started.body), ['url', 'expiresAt'])
  const callback = await authorization.approve(started.body.url)
  const foreign = await call('POST', 'bob/mcp/wiki/authorization/completion', callback)
  assert.deepEqual([foreign.status, foreign.body.error.code], [400, 'authorization_invalid'])
  const completed = await call('POST', 'ada/mcp/wiki/authorization/completion', callback)
  assert.deepEqual([completed.status, completed.body.name, completed.body.isUsable], [200, 'wiki', true])
  const repeated = await call('POST', 'ada/mcp/wiki/authorization/completion', callback)
  assert.deepEqual([repeated.status, repeated.body.error.code], [400, 'authorization_invalid'])
  assert.deepEqual((await call('GET', 'ada/mcp')).body, { data: [completed.body], cursor: null })
  assert.equal((await call('DELETE', 'ada/mcp/wiki/authorization')).status, 204)
  assert.deepEqual((await call('GET', 'ada/mcp')).body.data, [])
  const events = await harness.user('ada').ledger.events()
  assert.deepEqual(
    events.map(({ actor, data }) => [actor, data.action]),
    [
      ['root', 'mcp_deauthorized'],
      ['root', 'mcp_authorized'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(events), /canary/)
})

test('an unknown server and an invalid callback are rejected with their codes', async () => {
  for (const [path, body, code] of [
    ['ada/mcp/nothing/authorization', undefined, 'mcp_unknown'],
    ['ada/mcp/wiki/authorization/completion', {}, 'invalid_request_error'],
    ['ada/mcp/wiki/authorization/completion', { state: 1, code: 'c' }, 'argument_invalid'],
    ['ada/mcp/wiki/authorization/completion', { state: 's', code: 'c', token: 't' }, 'invalid_request_error'],
    ['ada/mcp/wiki/authorization/completion', { state: 's', code: 'c' }, 'authorization_invalid'],
  ] as const) {
    const response = await call('POST', path, body)
    assert.deepEqual([response.status, response.body.error.code], [400, code])
  }
})
