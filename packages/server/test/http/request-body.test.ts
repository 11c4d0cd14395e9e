import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BodyBudget } from '../../src/http/body-budget.ts'
import { openServerHarness, type ServerHarness } from '../support/server-harness.ts'

let harness: ServerHarness
before(async () => {
  harness = await openServerHarness()
})
after(() => harness[Symbol.asyncDispose]())

const fields = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, index]))

test('a body of a public route has at most a few KiB, and one of a route that reads none as well', async () => {
  const large = JSON.stringify({ key: 'k'.repeat(5_000) })
  for (const [method, url] of [
    ['POST', '/api/session'],
    ['DELETE', '/api/session'],
    ['POST', '/api/users/ada/admissions/t/refund'],
    ['DELETE', '/api/users/ada/secrets/local'],
  ] as const) {
    assert.equal((await harness.call(method, url, large)).statusCode, 413, `${method} ${url}`)
  }
})

test('a request without a route or a key is answered before its body is parsed', async () => {
  for (const [url, headers, status] of [
    ['/nothing', {}, 404],
    ['/v1/nothing', {}, 404],
    ['/v1/chat/completions', { authorization: '' }, 401],
    ['/api/users/ada/notes', { authorization: 'Bearer wrong' }, 401],
    ['/api/session', { authorization: '', origin: 'https://elsewhere.example' }, 403],
  ] as const) {
    const response = await harness.call('POST', url, '{ no JSON', headers)
    assert.equal(response.statusCode, status, url)
  }
})

test('an error has at most 20 issues and repeats only the beginning of long names', async () => {
  const long = 'n'.repeat(100_000)
  for (const [method, url, body] of [
    ['PUT', '/api/users/ada/cap', { cap: 1, ...fields(200) }],
    ['PUT', '/api/users/ada/cap', { cap: 1, [long]: 1 }],
    ['PATCH', '/api/users/ada/runtime', { [long]: 1 }],
    ['PATCH', '/api/users/ada/runtime', { provider: long }],
    ['PATCH', '/api/users/ada/runtime', { parameters: { [long]: () => 1, model: long } }],
    ['POST', '/api/users/ada/detections', { [long]: 1 }],
    ['POST', '/api/users/ada/detections', { peaks: { [long]: 1 } }],
    ['POST', '/api/users/ada/actions', { action: 'a', [long]: 1 }],
    ['PUT', '/api/users/ada/timezone', { timeZone: long }],
    ['PUT', '/api/users/ada/secrets/local', { [long]: 'x' }],
    ['POST', '/api/users/ada/correct', { phase: long, reason: 'r' }],
    ['POST', '/api/keys', { role: long }],
    ['POST', '/api/keys', { role: 'admin', [long]: 1 }],
    ['POST', '/api/users/ada/sessions', { id: 's', policy: long }],
  ] as const) {
    const response = await harness.call(method, url, body)
    assert.ok(response.statusCode >= 400, `${method} ${url} ${response.body.slice(0, 200)}`)
    assert.ok(response.body.length < 10_000, `${method} ${url}: ${response.body.length} characters`)
    assert.ok((response.json().error.issues?.length ?? 0) <= 20)
  }
})

test('objects of too many fields are refused where an object is read', async () => {
  for (const [method, url, body] of [
    ['PATCH', '/api/users/ada/runtime', fields(257)],
    ['PATCH', '/api/users/ada/runtime', { parameters: fields(257) }],
    ['POST', '/api/users/ada/detections', fields(257)],
    ['POST', '/api/users/ada/detections', { peaks: fields(257) }],
    ['PUT', '/api/users/ada/secrets/local', fields(257)],
    ['PUT', '/api/users/ada/profile', fields(257)],
    ['PATCH', '/api/users/ada/profile', fields(257)],
  ] as const) {
    const response = await harness.call(method, url, body)
    assert.equal(response.statusCode, 400, `${method} ${url}`)
  }
  const service = await harness.createKey('service')
  const chat = (more: object) =>
    harness.call(
      'POST',
      '/v1/chat/completions',
      { messages: [{ role: 'user', content: 'hi' }], ...more },
      { authorization: `Bearer ${service}`, 'x-purser-user': 'ada' },
    )
  for (const more of [fields(256), { metadata: fields(257) }]) {
    const response = await chat(more)
    assert.deepEqual([response.statusCode, response.json().error.code], [400, 'invalid_request_error'])
    assert.match(response.json().error.message, /more than 256 fields/)
  }
})

test('large bodies share a budget, small ones and a single one are always accepted', () => {
  const budget = new BodyBudget(1_000_000)
  const first = budget.open()
  assert.equal(first.resize(5_000_000), true)
  const second = budget.open()
  assert.equal(second.resize(65_536), true)
  assert.equal(second.resize(65_537), false)
  assert.equal(first.resize(0), true)
  assert.equal(second.resize(600_000), true)
  const third = budget.open()
  assert.equal(third.resize(400_001), false)
  assert.equal(third.resize(400_000), true)
  second.resize(0)
  second.resize(0)
  assert.equal(third.resize(1_000_000), true)
})
