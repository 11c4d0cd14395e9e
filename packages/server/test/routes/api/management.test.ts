import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openServerHarness, type ServerHarness } from '../../support/server-harness.ts'

let harness: ServerHarness

before(async () => {
  harness = await openServerHarness()
})
after(() => harness[Symbol.asyncDispose]())

const call: ServerHarness['call'] = (...args) => harness.call(...args)

test('any valid id works as one percent-encoded path segment', async () => {
  for (const id of [
    'a/b',
    'a%b',
    '%2F',
    'a:b',
    'a b?c#d',
    '🙂',
    '__proto__',
    'constructor',
    'é'.repeat(128),
    '🙂'.repeat(64),
    '{x}',
  ]) {
    const response = await call('PUT', `/api/users/${encodeURIComponent(id)}/cap`, { cap: 7 })
    assert.equal(response.statusCode, 200, id)
    assert.equal(response.json().user, id)
    assert.equal((await call('GET', `/api/users/${encodeURIComponent(id)}/bond`)).json().dailyCap, 7)
  }
})

test('an invalid id is user_id_invalid, also when it is far too long', async () => {
  for (const id of [encodeURIComponent('a\0b'), 'x'.repeat(300), 'x'.repeat(3_000), '%C2%85']) {
    const response = await call('GET', `/api/users/${id}/bond`)
    assert.equal(response.statusCode, 400, id.slice(0, 20))
    assert.equal(response.json().error.code, 'user_id_invalid')
  }
  assert.equal((await call('GET', '/api/users/%zz/bond')).json().error.code, 'invalid_request_error')
})

test('all errors have the same body, also unknown routes and validation errors', async () => {
  for (const [response, status, code] of [
    [await call('GET', '/api/nothing'), 404, 'unknown_url'],
    [await call('GET', '/nothing'), 404, 'unknown_url'],
    [await call('POST', '/v1/nothing', {}), 404, 'unknown_url'],
    [await call('GET', '/api/users?limit=ten'), 400, 'invalid_request_error'],
    [await call('GET', '/api/users?nothing=1'), 400, 'invalid_request_error'],
    [await call('GET', '/api/overview?nothing=1'), 400, 'invalid_request_error'],
    [await call('GET', '/api/users/ada/bond?nothing=1'), 400, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/cap', {}), 400, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/cap', { cap: 1, more: 1 }), 400, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/cap', '{'), 400, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/cap', '{"__proto__":1}'), 400, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/cap', 'cap=1', { 'content-type': 'text/plain' }), 415, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/cap', JSON.stringify('x'.repeat(20_971_520))), 413, 'invalid_request_error'],
    [await call('PUT', '/api/users/ada/block', {}), 400, 'invalid_request_error'],
    [await call('DELETE', '/api/keys/nothing'), 404, 'key_unknown'],
  ] as const) {
    assert.equal(response.statusCode, status, response.body)
    const { error } = response.json()
    assert.equal(error.code, code)
    assert.equal(typeof error.message, 'string')
    assert.equal(typeof error.type, 'string')
    assert.ok('param' in error)
    assert.equal(error.requestId, response.headers['x-request-id'])
  }
})

test('the use of a limit is set to 0 with a reason, and the event says by whom', async () => {
  await call('PUT', '/api/users/reset/cap', { cap: 1 })
  const admit = () => call('POST', '/api/users/reset/admissions')
  await admit()
  assert.equal((await admit()).json().allowed, false)
  const path = '/api/users/reset/limits/daily/usage'
  assert.equal((await call('DELETE', path)).json().error.param, 'reason')
  assert.equal((await call('DELETE', '/api/users/reset/limits/weekly/usage', { reason: 'x' })).statusCode, 404)
  assert.equal((await call('DELETE', path, { reason: 'x' }, { 'if-match': '"9"' })).statusCode, 412)
  assert.equal((await admit()).json().allowed, false)
  const reset = await call('DELETE', path, { reason: 'clock' })
  assert.equal(reset.statusCode, 200, reset.body)
  const { name, max, used, remaining } = reset.json()
  assert.deepEqual([name, max, used, remaining], ['daily', 1, 0, 1])
  assert.equal((await admit()).json().allowed, true)
  const { data } = (await call('GET', '/api/users/reset/events')).json()
  const event = data.find((candidate: { type: string }) => candidate.type === 'limit_change')
  assert.equal(event.reason, 'clock')
})

test('values are neither coerced nor stripped, and errors of the library keep their codes', async () => {
  for (const [method, path, body, code] of [
    ['PUT', 'cap', { cap: '3' }, 'cap_invalid'],
    ['PUT', 'cap', { cap: -1 }, 'cap_invalid'],
    ['PUT', 'cap', { cap: 1.5 }, 'cap_invalid'],
    ['PUT', 'cap', { cap: true }, 'cap_invalid'],
    ['PUT', 'timezone', { timeZone: 'Mars/Base' }, 'timezone_invalid'],
    ['POST', 'notes', { text: '' }, 'note_invalid'],
    ['POST', 'notes', { text: 5 }, 'note_invalid'],
    ['POST', 'detections', { phase: 5 }, 'detection_invalid'],
    ['POST', 'detections', { phaze: 'x' }, 'detection_invalid'],
    ['PATCH', 'runtime', { provider: 'nowhere' }, 'provider_unknown'],
    ['PATCH', 'runtime', { modle: 'x' }, 'settings_invalid'],
  ] as const) {
    const response = await call(method, `/api/users/strict/${path}`, body)
    assert.equal(response.json().error?.code, code, `${path} ${JSON.stringify(body)} ${response.body}`)
    assert.equal(response.statusCode, 400)
  }
})

test('a body that the route does not read is rejected without any effect; an empty body counts as absent', async () => {
  const admitted = (await call('POST', '/api/users/unread/admissions')).json()
  const unread = [
    ['DELETE', 'context'],
    ['DELETE', 'answers'],
    ['DELETE', 'secrets/demo'],
    ['DELETE', 'sessions/s'],
    ['DELETE', 'mcp/m/authorization'],
    ['POST', 'mcp/m/authorization'],
    ['POST', `admissions/${encodeURIComponent(admitted.ticket)}/refund`],
  ] as const
  for (const [method, path] of unread) {
    const response = await call(method, `/api/users/unread/${path}`, { section: 'x' })
    assert.deepEqual([response.statusCode, response.json().error.param], [400, 'section'], path)
  }
  for (const url of ['/api/answers', '/api/keys/k', '/api/session'])
    assert.equal((await call('DELETE', url, { x: 1 })).statusCode, 400, url)
  assert.equal((await call('GET', '/api/users/unread/bond')).json().dailyCount, 1)
  for (const body of [undefined, {}, ''])
    assert.equal((await call('DELETE', '/api/users/unread/context', body)).statusCode, 204, String(body))
  assert.equal((await call('POST', `/api/users/unread/${unread[6][1]}`, {})).json(), true)
})

test('a cap of null is the default, not 0', async () => {
  await call('PUT', '/api/users/nul/cap', { cap: 3 })
  const bond = (await call('PUT', '/api/users/nul/cap', { cap: null })).json()
  assert.deepEqual([bond.dailyCap, bond.capOrigin], [0, 'default'])
})

test('the actor is the name of the key, and the reason may be in the body or in x-purser-reason', async () => {
  await call('PUT', '/api/users/log/cap', { cap: 3, reason: 'in the body' })
  await call('PUT', '/api/users/log/cap', { cap: 4 }, { 'x-purser-reason': 'in the header' })
  const { data } = (await call('GET', '/api/users/log/events')).json()
  assert.deepEqual(
    data.map((event: { actor: string; reason: string }) => [event.actor, event.reason]),
    [
      ['root', 'in the header'],
      ['root', 'in the body'],
    ],
  )
})

test('the ETag is the version, and a change with an old If-Match is 412', async () => {
  const { headers } = await call('PUT', '/api/users/tag/cap', { cap: 1 })
  assert.equal(headers.etag, '"1"')
  assert.equal((await call('PUT', '/api/users/tag/cap', { cap: 2 }, { 'if-match': '"1"' })).headers.etag, '"2"')
  assert.equal((await call('PUT', '/api/users/tag/cap', { cap: 3 }, { 'if-match': '"1"' })).statusCode, 412)
  assert.equal((await call('PUT', '/api/users/tag/cap', { cap: 3 }, { 'if-match': 'x' })).statusCode, 412)
  const runtime = await call('GET', '/api/users/tag/runtime')
  const changed = await call(
    'PATCH',
    '/api/users/tag/runtime',
    { model: 'demo' },
    { 'if-match': String(runtime.headers.etag), 'content-type': 'application/merge-patch+json' },
  )
  assert.equal(changed.statusCode, 200)
  const stale = await call(
    'PATCH',
    '/api/users/tag/runtime',
    { model: 'demo' },
    { 'if-match': String(runtime.headers.etag) },
  )
  assert.deepEqual([stale.statusCode, stale.json().error.code], [412, 'version_conflict'])
})

test('a profile change and a note with an old If-Match are also 412 and change nothing', async () => {
  const profile = '/api/users/match/profile'
  const empty = String((await call('GET', profile)).headers.etag)
  const first = await call('PUT', profile, { name: 'Ada' }, { 'if-match': empty })
  assert.equal(first.statusCode, 200)
  assert.equal(first.headers.etag, (await call('GET', profile)).headers.etag)
  for (const method of ['PUT', 'PATCH'] as const) {
    const stale = await call(method, profile, { name: 'Bob' }, { 'if-match': empty })
    assert.deepEqual([stale.statusCode, stale.json().error.code], [412, 'version_conflict'])
  }
  assert.equal((await call('PUT', profile, { name: 'Eve' }, { 'if-match': '*' })).statusCode, 200)
  assert.equal((await call('PATCH', profile, { n: 1 })).statusCode, 200)
  assert.deepEqual((await call('GET', profile)).json(), { name: 'Eve', n: 1 })
  const { headers } = await call('PUT', '/api/users/match/cap', { cap: 1 })
  const note = (tag: string) => call('POST', '/api/users/match/notes', { text: 'n' }, { 'if-match': tag })
  assert.equal((await note(String(headers.etag))).statusCode, 200)
  assert.equal((await note(String(headers.etag))).statusCode, 412)
  assert.equal((await call('GET', '/api/users/match/notes')).json().data.length, 1)
})

test('lists are { data, cursor }, and the cursor of the last page is null', async () => {
  for (const name of ['a', 'b', 'c']) await call('PUT', `/api/users/page-${name}/cap`, { cap: 1 })
  const first = (await call('GET', '/api/users?q=page-&limit=2')).json()
  assert.equal(first.data.length, 2)
  const second = (await call('GET', `/api/users?q=page-&limit=2&cursor=${encodeURIComponent(first.cursor)}`)).json()
  assert.deepEqual([second.data.map((bond: { user: string }) => bond.user), second.cursor], [['page-c'], null])
  for (let cap = 1; cap < 6; cap++) await call('PUT', '/api/users/page-a/cap', { cap })
  const events = (await call('GET', '/api/users/page-a/events?limit=2')).json()
  const older = (await call('GET', `/api/users/page-a/events?limit=2&before=${events.cursor}`)).json()
  assert.ok(older.data[0].sequence < events.data[1].sequence)
})

test('the context contains the stored profile and actions', async () => {
  const put = await call('PUT', '/api/users/ctx/profile', { name: 'Ada', extra: { a: 1 } })
  assert.deepEqual(put.json(), { name: 'Ada', extra: { a: 1 } })
  assert.deepEqual((await call('PATCH', '/api/users/ctx/profile', { extra: null })).json(), { name: 'Ada' })
  assert.deepEqual((await call('GET', '/api/users/ctx/profile')).json(), { name: 'Ada' })
  const recorded = await call('POST', '/api/users/ctx/actions', [{ action: 'opened the app' }])
  assert.equal(recorded.json()[0].action, 'opened the app')
  assert.equal((await call('GET', '/api/users/ctx/actions?limit=5')).json().data.length, 1)
  const context = (await call('GET', '/api/users/ctx/context')).json()
  assert.match(context.text, /Ada/)
  assert.match(context.text, /opened the app/)
  const explained = (await call('GET', '/api/users/ctx/context?explain=1&maxTokens=200')).json()
  assert.deepEqual(
    explained.sections.map((section: Record<string, unknown>) => [
      section.name,
      section.source,
      section.kept,
      section.reason,
    ]),
    [
      ['profile', 'store', true, 'complete'],
      ['actions', 'store', true, 'complete'],
    ],
  )
  assert.equal(explained.previous, null)
  assert.ok(explained.tokens <= 200 && typeof explained.prefixHash === 'string')
  assert.equal((await call('GET', '/api/users/ctx/context?explain=yes')).statusCode, 400)
  assert.equal((await call('DELETE', '/api/users/ctx/context')).statusCode, 204)
})

test('a stored secret is never returned', async () => {
  assert.equal((await call('PUT', '/api/users/sec/secrets/demo', { apiKey: 'sk-hidden' })).statusCode, 204)
  const list = await call('GET', '/api/users/sec/secrets')
  assert.deepEqual(
    list.json().data.map((one: { name: string; fields: string[] }) => [one.name, one.fields]),
    [['demo', ['apiKey']]],
  )
  assert.ok(!list.body.includes('sk-hidden'))
  const rows = await call('GET', '/api/users/sec/export')
  assert.ok(!rows.body.includes('sk-hidden'))
  assert.equal((await call('DELETE', '/api/users/sec/secrets/demo')).statusCode, 204)
})

test('an erased user no longer exists, and erasing requires a reason', async () => {
  await call('PUT', '/api/users/gone/cap', { cap: 3 })
  assert.equal((await call('POST', '/api/users/gone/erase', {})).statusCode, 400)
  const receipt = (await call('POST', '/api/users/gone/erase', { reason: 'asked for it' })).json()
  assert.equal(receipt.erased.bond, 1)
  assert.equal((await call('GET', '/api/users/gone/bond')).json().exists, false)
})

test('an admission is settled or refunded once', async () => {
  const admitted = (await call('POST', '/api/users/adm/admissions', {})).json()
  assert.equal(admitted.allowed, true)
  const ticket = encodeURIComponent(admitted.ticket)
  assert.equal((await call('POST', `/api/users/adm/admissions/${ticket}/settle`, { inputTokens: 3 })).statusCode, 204)
  const again = await call('POST', `/api/users/adm/admissions/${ticket}/settle`, { inputTokens: 3 })
  assert.deepEqual([again.statusCode, again.json().error.code], [409, 'ticket_used'])
  assert.equal((await call('POST', `/api/users/adm/admissions/${ticket}/refund`)).json(), false)
})

test('a valid x-request-id is returned, any other is replaced', async () => {
  assert.equal(
    (await call('GET', '/livez', undefined, { 'x-request-id': 'abc-1.2' })).headers['x-request-id'],
    'abc-1.2',
  )
  const other = (await call('GET', '/livez', undefined, { 'x-request-id': 'a b\tc' })).headers['x-request-id']
  assert.ok(other !== undefined && other !== 'a b\tc')
})

test('metrics count admissions and name no user', async () => {
  const { body } = await call('GET', '/metrics')
  assert.match(body, /purser_admissions_total\{outcome="allowed"\} [1-9]/)
  for (const user of ['adm', 'page-a']) assert.ok(!body.includes(`"${user}"`))
})
