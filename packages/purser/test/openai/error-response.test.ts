import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRORS, type ErrorCode, PurserError } from '../../src/errors.ts'
import {
  createErrorResponse,
  quotaMessage,
  toErrorResponse,
  toRefusalResponse,
} from '../../src/openai/error-response.ts'
import { formatDuration, rateLimitHeaders } from '../../src/openai/rate-limit-headers.ts'

const convert = (code: ErrorCode, details?: Record<string, unknown>) =>
  toErrorResponse(new PurserError(code, 'The message.', { details }))

test('every error code has a status, a type and a code on the wire', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { status, body } = convert(code)
    assert.ok(status >= 400 && status < 600, code)
    assert.equal(body.error.message, 'The message.')
    assert.equal(typeof body.error.type, 'string')
    assert.match(body.error.code, /^[a-z_]+$/)
  }
})

test('codes are mapped to the statuses and codes of OpenAI', () => {
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
    const response = convert(code)
    assert.deepEqual([response.status, response.body.error.code], [status, wire])
  }
  const management = toErrorResponse(new PurserError('model_not_allowed', 'No.'), { surface: 'management' })
  assert.deepEqual([management.status, management.body.error.code], [403, 'model_not_allowed'])
})

test('a reached daily cap tells clients when it resets and not to retry', () => {
  const { status, headers, body } = toRefusalResponse(
    { reason: 'daily_cap', cap: 20, retryAfterMs: 90_500, resetAt: '2026-11-21T00:00:00.000Z' },
    { requestId: 'r1' },
  )
  assert.equal(status, 429)
  assert.deepEqual(headers, { 'retry-after': '91', 'x-should-retry': 'false' })
  assert.equal(body.error.code, 'insufficient_quota')
  assert.equal(body.error.message, 'Daily limit of 20 messages reached. It resets at 2026-11-21T00:00:00.000Z.')
  assert.equal(body.error.requestId, 'r1')
  assert.equal(quotaMessage(1, null), 'Daily limit of 1 message reached.')
  assert.equal(quotaMessage(0, null), 'Daily limit of 0 messages reached.')
})

test('a blocked user is 403, which clients do not retry', () => {
  const { status, headers, body } = toRefusalResponse({ reason: 'blocked', cap: 0, retryAfterMs: null, resetAt: null })
  assert.equal(status, 403)
  assert.deepEqual(headers, {})
  assert.equal(body.error.code, 'user_blocked')
})

test("a provider's 429 keeps its retry-after, and its rejection of a request keeps status, code and parameter", () => {
  assert.deepEqual(convert('upstream_rate_limited', { retryAfterMs: 1200 }).headers, { 'retry-after': '2' })
  const details = { status: 413, code: 'context_length_exceeded', param: 'messages' }
  const { status, body } = convert('upstream_rejected', details)
  assert.equal(status, 413)
  assert.equal(body.error.code, 'context_length_exceeded')
  assert.equal(body.error.param, 'messages')
  assert.equal(convert('upstream_rejected', { status: 302 }).status, 400)
})

test('x-should-retry is false for errors that a retry cannot solve', () => {
  assert.equal(convert('upstream_failed').headers['x-should-retry'], undefined)
  assert.equal(convert('upstream_auth').headers['x-should-retry'], 'false')
  assert.equal(convert('store_newer').headers['x-should-retry'], 'false')
  assert.equal(convert('request_invalid').headers['x-should-retry'], undefined)
})

test('an unknown error reveals nothing', () => {
  for (const error of [new Error('password=hunter2'), 'hunter2', null, { code: 'hunter2' }]) {
    const response = toErrorResponse(error, { requestId: 'r2' })
    assert.equal(response.status, 500)
    assert.ok(!JSON.stringify(response).includes('hunter2'))
    assert.equal(response.body.error.requestId, 'r2')
  }
})

test('an HTTP error without a PurserError has the same shape', () => {
  assert.deepEqual(createErrorResponse(401, { code: 'invalid_api_key', message: 'No.' }).body, {
    error: { message: 'No.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' },
  })
})

test("rate limit headers contain the user's quota, and are absent without a cap", () => {
  const now = Date.parse('2026-11-20T12:00:00.000Z')
  assert.deepEqual(rateLimitHeaders({ cap: 5, remaining: 2, resetAt: '2026-11-20T12:06:00.000Z' }, now), {
    'x-ratelimit-limit-requests': '5',
    'x-ratelimit-remaining-requests': '2',
    'x-ratelimit-reset-requests': '6m0s',
  })
  assert.deepEqual(rateLimitHeaders({ cap: 0, remaining: -1, resetAt: null }, now), {})
})

test('durations are formatted as OpenAI does, rounded up', () => {
  const cases: [number, string][] = [
    [-5, '0s'],
    [1, '1s'],
    [59_001, '1m0s'],
    [360_000, '6m0s'],
    [86_399_000, '23h59m59s'],
  ]
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text)
})
