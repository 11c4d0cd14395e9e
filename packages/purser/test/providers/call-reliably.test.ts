import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker } from '../../src/core/circuit-breaker.ts'
import { PurserError } from '../../src/errors.ts'
import type { Attempt, ChatCall } from '../../src/openai/chat-model.ts'
import type { RetryOption } from '../../src/options/provider-config.ts'
import { callReliably, type ReliableCallDeps } from '../../src/providers/call-reliably.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const CONNECTION = new PurserError('upstream_failed', 'The connection failed.', {
  details: { isConnectionFailure: true },
})
const failedWith = (status: number, details: object = {}): PurserError =>
  new PurserError('upstream_failed', `Failed with ${status}.`, { details: { status, ...details } })
const LIMITED = new PurserError('upstream_rate_limited', 'Limited.', { details: { status: 429, retryAfterMs: 900 } })
const REJECTED = new PurserError('upstream_rejected', 'Rejected.', { details: { status: 400 } })

interface Scenario {
  readonly outcomes: readonly (PurserError | 'answer')[]
  readonly retries?: RetryOption
  readonly breaker?: CircuitBreaker
}

/** Runs a call on a clock that a test moves; `waits` are the delays before further attempts. */
function start({ outcomes, retries, breaker }: Scenario) {
  const clock = handClock()
  const waits: number[] = []
  const attempts: Attempt[] = []
  const abort = new AbortController()
  let calls = 0
  const deps: ReliableCallDeps = {
    effects: {
      monotonic: clock.monotonic,
      setTimer(run, delayMs) {
        waits.push(delayMs)
        return clock.setTimer(run, delayMs)
      },
    },
    provider: 'p',
    model: 'm',
    retries,
    breaker,
    jitter: () => 0,
  }
  const call: ChatCall = {
    signal: abort.signal,
    firstChunkTimeoutMs: 1_000,
    idleTimeoutMs: 1_000,
    onAttempt: (attempt) => attempts.push(attempt),
  }
  const result = callReliably(deps, call, async () => {
    const outcome = outcomes[calls++] ?? 'answer'
    if (outcome !== 'answer') throw outcome
    return outcome
  })
  result.catch(() => undefined)
  return { clock, waits, attempts, abort, result, callCount: () => calls }
}

async function settle(): Promise<void> {
  for (let tick = 0; tick < 20; tick++) await Promise.resolve()
}

test('without retries a call is made once', async () => {
  const { result, callCount } = start({ outcomes: [CONNECTION] })
  await assert.rejects(result, CONNECTION)
  assert.equal(callCount(), 1)
})

test('a call is repeated after the named failures, each wait twice the one before', async () => {
  const { clock, waits, attempts, result } = start({
    outcomes: [CONNECTION, failedWith(503), 'answer'],
    retries: { attempts: 2, delayMs: 100 },
  })
  await settle()
  await clock.advance(100)
  await settle()
  await clock.advance(200)
  assert.equal(await result, 'answer')
  assert.deepEqual(waits, [100, 200])
  assert.deepEqual(
    attempts.map(({ status, code }) => [status, code]),
    [
      [null, 'upstream_failed'],
      [503, 'upstream_failed'],
      [200, null],
    ],
  )
})

test('the wait that the provider asks for counts, and a longer one than allowed ends the call', async () => {
  const waited = start({ outcomes: [LIMITED, 'answer'], retries: { attempts: 1 } })
  await settle()
  await waited.clock.advance(900)
  assert.equal(await waited.result, 'answer')
  assert.deepEqual(waited.waits, [900])
  const ended = start({ outcomes: [LIMITED, 'answer'], retries: { attempts: 1, maxDelayMs: 500 } })
  await assert.rejects(ended.result, LIMITED)
})

test('a rejected request and a time-out that is not named are not repeated', async () => {
  for (const error of [REJECTED, new PurserError('upstream_timeout', 'Late.'), failedWith(302)]) {
    const { result, callCount } = start({ outcomes: [error], retries: { attempts: 3 } })
    await assert.rejects(result, error)
    assert.equal(callCount(), 1)
  }
})

test('an abort ends the wait', async () => {
  const { abort, result, callCount } = start({ outcomes: [CONNECTION], retries: { attempts: 1 } })
  await settle()
  abort.abort(new Error('The client left.'))
  await assert.rejects(result, /The client left/)
  assert.equal(callCount(), 1)
})

test('the breaker opens after failures in a row, ends calls at once, and closes after a probe', async () => {
  const breaker = new CircuitBreaker(2, { minBackoffMs: 1_000, maxBackoffMs: 8_000, jitter: () => 0 })
  await assert.rejects(start({ outcomes: [REJECTED], breaker }).result, REJECTED)
  await assert.rejects(start({ outcomes: [failedWith(500)], breaker }).result)
  await assert.rejects(start({ outcomes: [REJECTED], breaker }).result, REJECTED)
  assert.equal(breaker.isOpen, false)
  await assert.rejects(start({ outcomes: [CONNECTION], breaker }).result)
  await assert.rejects(start({ outcomes: [new PurserError('upstream_timeout', 'Late.')], breaker }).result)
  assert.equal(breaker.isOpen, true)
  const blocked = start({ outcomes: [], breaker, retries: { attempts: 3 } })
  await assert.rejects(blocked.result, /not called for a moment/)
  assert.equal(blocked.callCount(), 0)
})

test('a probe whose client leaves does not keep the breaker from the next probe', async () => {
  const breaker = new CircuitBreaker(1, { minBackoffMs: 0, maxBackoffMs: 0, jitter: () => 0 })
  await assert.rejects(start({ outcomes: [CONNECTION], breaker }).result)
  const probe = start({ outcomes: [CONNECTION], breaker })
  probe.abort.abort(new Error('The client left.'))
  await assert.rejects(probe.result)
  assert.equal(await start({ outcomes: ['answer'], breaker }).result, 'answer')
  assert.equal(breaker.isOpen, false)
})
