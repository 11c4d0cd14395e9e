import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

let harness: ServerHarness

before(async () => {
  const tokens = { name: 'tokens', measure: 'tokens', max: 1_000, window: 'day' } as const
  harness = await openServerHarness({
    config: { ledger: { dailyCap: 5, limits: [tokens] }, plans: { pro: { limits: [{ ...tokens, max: 9_000 }] } } },
  })
})
after(() => harness[Symbol.asyncDispose]())

const call: ServerHarness['call'] = (...args) => harness.call(...args)

test('limits are listed, set with a reason and an end, and returned to the default', async () => {
  const listed = (await call('GET', '/api/users/ada/limits')).json()
  assert.deepEqual([listed.data.map(({ name }: { name: string }) => name), listed.cursor], [['daily', 'tokens'], null])
  const until = '2999-01-01T00:00:00.000Z'
  const set = await call('PUT', '/api/users/ada/limits/tokens', { max: 50, until, reason: 'trial' })
  assert.equal(set.statusCode, 200, set.body)
  const { max, origin, until: end } = set.json()
  assert.deepEqual([max, origin, end], [50, 'user', until])
  const [event] = (await call('GET', '/api/users/ada/events')).json().data
  assert.deepEqual([event.type, event.actor, event.reason], ['limit_change', 'root', 'trial'])
  assert.equal((await call('DELETE', '/api/users/ada/limits/tokens', { reason: 'over' })).json().max, 1_000)
})

test('errors of limits and plans keep their codes, and nothing is coerced', async () => {
  const cases = [
    ['PUT', '/api/users/ada/limits/tokens', { max: '5' }, 400, 'limit_invalid'],
    ['PUT', '/api/users/ada/limits/tokens', {}, 400, 'invalid_request_error'],
    ['PUT', '/api/users/ada/limits/weekly', { max: 5 }, 404, 'limit_unknown'],
    ['PUT', '/api/users/ada/plan', { plan: 'gold' }, 400, 'plan_unknown'],
    ['PUT', '/api/users/ada/plan', { plan: 5 }, 400, 'plan_unknown'],
    ['POST', '/api/users/ada/admissions', { model: 'm' }, 400, 'argument_invalid'],
    ['POST', '/api/users/ada/admissions', { estimate: { inputTokens: -1 } }, 400, 'argument_invalid'],
  ] as const
  for (const [method, url, body, status, code] of cases) {
    const response = await call(method, url, body)
    assert.deepEqual([response.statusCode, response.json().error.code], [status, code], `${url} ${response.body}`)
  }
})

test('plans are listed and assigned, and the bond says which applies', async () => {
  const [plan] = (await call('GET', '/api/plans')).json().data
  assert.deepEqual([plan.name, plan.isDefault, plan.limits[0].max], ['pro', false, 9_000])
  const assigned = await call('PUT', '/api/users/bob/plan', { plan: 'pro', reason: 'paid' })
  assert.deepEqual([assigned.json().plan, assigned.json().planOrigin], ['pro', 'user'])
  const stale = await call('PUT', '/api/users/bob/plan', { plan: null }, { 'if-match': '"0"' })
  assert.equal(stale.statusCode, 412)
  assert.equal((await call('PUT', '/api/users/bob/plan', { plan: null })).json().plan, null)
})

test('an admission holds its estimate, and a refusal names the limit', async () => {
  const estimate = { inputTokens: 600 }
  const first = await call('POST', '/api/users/cid/admissions', { model: 'openai/m', estimate })
  assert.equal(first.json().model, 'openai/m')
  const second = (await call('POST', '/api/users/cid/admissions', { estimate })).json()
  assert.deepEqual([second.allowed, second.reason, second.limit.name], [false, 'limit', 'tokens'])
  const { ticket } = first.json()
  const settled = await call('POST', `/api/users/cid/admissions/${encodeURIComponent(ticket)}/settle`, {
    inputTokens: 10,
    toolCalls: 1,
  })
  assert.equal(settled.statusCode, 204, settled.body)
  assert.equal((await call('POST', '/api/users/cid/admissions', { estimate })).json().allowed, true)
})

test('a person sees their limits and sets lower ones of their own', async () => {
  const authorization = `Bearer ${await harness.createKey('user')}`
  const send = (method: 'GET' | 'PUT', url: string, body?: unknown) => call(method, url, body, { authorization })
  const me = (await send('GET', '/v1/me')).json()
  assert.deepEqual([me.user, me.plan, me.allowed, me.blocked, me.cap], ['ada', null, true, false, 5])
  assert.deepEqual(
    me.limits.map(({ name }: { name: string }) => name),
    ['daily', 'tokens'],
  )
  const lower = await send('PUT', '/v1/me/limits/tokens', { max: 0 })
  assert.deepEqual([lower.statusCode, lower.json().max, lower.json().origin], [200, 0, 'self'])
  assert.equal((await send('GET', '/v1/me')).json().allowed, false)
  const raised = (await send('PUT', '/v1/me/limits/tokens', { max: 10 })).json()
  assert.deepEqual([raised.max, raised.pending.max], [0, 10])
  assert.equal((await send('PUT', '/v1/me/limits/tokens', { max: 5_000 })).json().error.code, 'limit_invalid')
  const mismatch = await call('PUT', '/v1/me/limits/tokens', { max: 1 }, { authorization, 'x-purser-user': 'bob' })
  assert.equal(mismatch.statusCode, 403)
  const service = `Bearer ${await harness.createKey('service')}`
  const named = { authorization: service, 'x-purser-user': 'bob' }
  assert.equal((await call('PUT', '/v1/me/limits/daily', { max: 1 }, named)).json().max, 1)
  const [event] = await harness.user('ada').ledger.events({ limit: 1 })
  assert.deepEqual([event?.type, event?.actor], ['limit_change', 'self'])
})
