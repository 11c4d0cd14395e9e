import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRORS, type ErrorCode, PurserError } from '../../src/errors.ts'
import { createErrorResponse, toErrorResponse, toRefusalResponse } from '../../src/openai/error-response.ts'
import { formatDuration, rateLimitHeaders } from '../../src/openai/rate-limit-headers.ts'

const told = (code: ErrorCode, details?: Record<string, unknown>) =>
  toErrorResponse(new PurserError(code, 'Said so.', { details }))

test('every error code has a status, a type and a code of its own on the wire', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { status, body } = told(code)
    assert.ok(status >= 400 && status < 600, code)
    assert.equal(body.error.message, 'Said so.')
    assert.equal(typeof body.error.type, 'string')
    assert.match(body.error.code, /^[a-z_]+$/)
  }
})

test('the codes of the gateway table come with their statuses', () => {
  const expected: [ErrorCode, number, string][] = [
    ['request_invalid', 400, 'invalid_request_error'],
    ['user_id_invalid', 400, 'user_id_invalid'],
    ['user_blocked', 403, 'user_blocked'],
    ['model_not_found', 404, 'model_not_found'],
    ['model_not_allowed', 404, 'model_not_found'],
    ['cap_reached', 429, 'insufficient_quota'],
    ['upstream_rate_limited', 429, 'rate_limit_exceeded'],
    ['upstream_failed', 502, 'upstream_failed'],
    ['upstream_auth', 502, 'upstream_auth'],
    ['store_unavailable', 503, 'store_unavailable'],
    ['upstream_timeout', 504, 'upstream_timeout'],
  ]
  for (const [code, status, wire] of expected) {
    const problem = told(code)
    assert.deepEqual([problem.status, problem.body.error.code], [status, wire])
  }
  const managed = toErrorResponse(new PurserError('model_not_allowed', 'No.'), { surface: 'management' })
  assert.deepEqual([managed.status, managed.body.error.code], [403, 'model_not_allowed'])
})

test('a daily cap is told so that clients wait until the reset and do not try again', () => {
  const { status, headers, body } = toRefusalResponse(
    { reason: 'daily_cap', cap: 20, retryAfterMs: 90_500, resetAt: '2026-11-21T00:00:00.000Z' },
    { requestId: 'r1' },
  )
  assert.equal(status, 429)
  assert.deepEqual(headers, { 'retry-after': '91', 'x-should-retry': 'false' })
  assert.equal(body.error.code, 'insufficient_quota')
  assert.match(body.error.message, /It resets at 2026-11-21T00:00:00\.000Z/)
  assert.equal(body.error.requestId, 'r1')
})

test('a blocked user is 403, which no client tries again', () => {
  const { status, headers, body } = toRefusalResponse({ reason: 'blocked', cap: 0, retryAfterMs: null, resetAt: null })
  assert.equal(status, 403)
  assert.deepEqual(headers, {})
  assert.equal(body.error.code, 'user_blocked')
})

test("a provider's 429 keeps its wait, and its refusal of a request keeps status, code and parameter", () => {
  assert.deepEqual(told('upstream_rate_limited', { retryAfterMs: 1200 }).headers, { 'retry-after': '2' })
  const details = { status: 413, code: 'context_length_exceeded', param: 'messages' }
  const { status, body } = told('upstream_rejected', details)
  assert.equal(status, 413)
  assert.equal(body.error.code, 'context_length_exceeded')
  assert.equal(body.error.param, 'messages')
  assert.equal(told('upstream_rejected', { status: 302 }).status, 400)
})

test('only what a later try can mend may be tried again by a client', () => {
  assert.equal(told('upstream_failed').headers['x-should-retry'], undefined)
  assert.equal(told('upstream_auth').headers['x-should-retry'], 'false')
  assert.equal(told('store_newer').headers['x-should-retry'], 'false')
  assert.equal(told('request_invalid').headers['x-should-retry'], undefined)
})

test('an unknown error leaks nothing of itself', () => {
  for (const error of [new Error('password=hunter2'), 'hunter2', null, { code: 'hunter2' }]) {
    const problem = toErrorResponse(error, { requestId: 'r2' })
    assert.equal(problem.status, 500)
    assert.ok(!JSON.stringify(problem).includes('hunter2'))
    assert.equal(problem.body.error.requestId, 'r2')
  }
})

test('a problem of HTTP itself has the same shape', () => {
  assert.deepEqual(createErrorResponse(401, { code: 'invalid_api_key', message: 'No.' }).body, {
    error: { message: 'No.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' },
  })
})

test("rate headers are the user's numbers, and absent without a limit", () => {
  const now = Date.parse('2026-11-20T12:00:00.000Z')
  assert.deepEqual(rateLimitHeaders({ cap: 5, remaining: 2, resetAt: '2026-11-20T12:06:00.000Z' }, now), {
    'x-ratelimit-limit-requests': '5',
    'x-ratelimit-remaining-requests': '2',
    'x-ratelimit-reset-requests': '6m0s',
  })
  assert.deepEqual(rateLimitHeaders({ cap: 0, remaining: -1, resetAt: null }, now), {})
})

test('durations read as OpenAI writes them, rounded up', () => {
  const cases: [number, string][] = [
    [-5, '0s'],
    [1, '1s'],
    [59_001, '1m0s'],
    [360_000, '6m0s'],
    [86_399_000, '23h59m59s'],
  ]
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
})
