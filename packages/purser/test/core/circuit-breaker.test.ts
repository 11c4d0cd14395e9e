import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs, CircuitBreaker } from '../../src/core/circuit-breaker.ts'
import { createJitter } from '../../src/core/jitter.ts'

test('a circuit breaker opens after consecutive failures, permits one probe per backoff, and closes after a success', () => {
  const breaker = new CircuitBreaker(3, { minBackoffMs: 1_000, maxBackoffMs: 30_000, jitter: () => 0 })
  assert.equal(breaker.recordFailure(0, false), false)
  breaker.recordSuccess(0)
  assert.equal(breaker.recordFailure(0, false), false)
  assert.equal(breaker.recordFailure(0, false), false)
  assert.equal(breaker.recordFailure(0, false), true)
  assert.equal(breaker.permit(999), 'rejected')
  assert.equal(breaker.permit(1_000), 'probe')
  assert.equal(breaker.permit(1_000), 'rejected', 'one probe at a time')
  breaker.recordFailure(1_500, true)
  assert.equal(breaker.permit(2_999), 'rejected')
  assert.equal(breaker.permit(3_000), 'probe', 'the backoff counts from the start of the probe')
  breaker.recordSuccess(3_100)
  assert.equal(breaker.permit(3_100), 'permitted')
  assert.equal(breaker.closedAt, 3_100)
})

test('the backoff doubles from one second to thirty, and jitter shortens it by at most a quarter', () => {
  const jitter = createJitter('seed')
  for (let failures = 1; failures < 100; failures++) {
    const nominal = Math.min(30_000, 1_000 * 2 ** (failures - 1))
    const backoff = backoffMs(failures, { minBackoffMs: 1_000, maxBackoffMs: 30_000, jitter })
    assert.ok(backoff <= nominal && backoff >= nominal * 0.75)
  }
})
