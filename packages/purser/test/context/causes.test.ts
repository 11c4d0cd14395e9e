import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from '../../src/context/api.ts'
import { type Diagnostics, onDiagnostic } from '../../src/core/diagnostics.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'

const never = (): Promise<never> => new Promise(() => undefined)
const reasonOf = ({ sections }: Context): string => sections.map(({ status, reason }) => `${status} ${reason}`).join()
const sections = ['profile']

test('a section says why it is missing: it timed out, failed, backs off, was aborted, or was not loaded', async (t) => {
  const published: Diagnostics['section'][] = []
  t.after(onDiagnostic('section', (payload) => void published.push(payload)))
  let behavior: () => Promise<object> = never
  await using harness = await openContextHarness({
    budgetMs: 100,
    sources: { profile: () => behavior() },
    sections: { broken: { source: async () => 'x', render: () => assert.fail('broken') } },
  })
  const resolve = async (user: string, options: { signal?: AbortSignal; budgetMs?: number } = {}) => {
    const resolving = harness.user(user).context.resolve({ sections, ...options })
    await runCallbacks()
    await harness.clock.pass(100)
    return reasonOf(await resolving)
  }
  assert.equal(await resolve('a'), 'unavailable timeout')
  assert.equal(await resolve('b', { budgetMs: 0 }), 'unavailable consent_unknown')
  assert.equal(await resolve('b', { budgetMs: 0 }), 'unavailable timeout')
  assert.equal(await resolve('c', { signal: AbortSignal.abort() }), 'unavailable aborted')
  const abort = new AbortController()
  const aborted = harness.user('d').context.resolve({ sections, signal: abort.signal })
  await runCallbacks()
  abort.abort()
  assert.equal(reasonOf(await aborted), 'unavailable aborted')
  behavior = () => Promise.reject(new Error('down'))
  assert.equal(await resolve('e'), 'unavailable failed')
  assert.equal(await resolve('e'), 'unavailable backoff')
  behavior = async () => ({ name: 'F' })
  assert.equal(await resolve('f'), 'fresh null')
  assert.equal(reasonOf(await harness.user('f').context.resolve({ sections: ['broken'] })), 'unavailable render_failed')
  assert.match(reasonOf(harness.user('f').context.peek() ?? assert.fail()), /^fresh null,unavailable not_loaded,/)
  await runCallbacks()
  assert.deepEqual(
    published.map(({ section, status, reason }) => `${section} ${status} ${reason}`),
    [
      'profile unavailable timeout',
      'profile unavailable consent_unknown',
      'profile unavailable timeout',
      'profile unavailable aborted',
      'profile unavailable aborted',
      'profile unavailable failed',
      'profile unavailable backoff',
      'broken unavailable render_failed',
    ],
  )
  assert.deepEqual(Object.keys(published[0] ?? {}), ['namespace', 'section', 'status', 'reason'])
})

test('stale data says whether it is being refreshed', async () => {
  let behavior: () => Promise<object> = async () => ({ name: 'A' })
  await using harness = await openContextHarness({ ttlMs: 1_000, sources: { profile: () => behavior() } })
  const { context } = harness.user('a')
  await context.resolve({ sections })
  await harness.clock.pass(1_000)
  behavior = () => Promise.reject(new Error('down'))
  assert.equal(reasonOf(await context.resolve({ sections })), 'stale refreshing')
  await runCallbacks()
  assert.equal(reasonOf(await context.resolve({ sections })), 'stale backoff')
  const waiting = context.resolve({ sections, maxAgeMs: 0 })
  await runCallbacks()
  assert.equal(reasonOf(await waiting), 'stale backoff')
})

test('an outage for all users opens the breaker; a full queue and a wait for a slot are told apart', async (t) => {
  const waits: Diagnostics['resolve'][] = []
  t.after(onDiagnostic('resolve', (payload) => void waits.push(payload)))
  await using failing = await openContextHarness({ sources: { profile: () => Promise.reject(new Error('down')) } })
  const reasons: string[] = []
  for (let user = 0; user < 8; user++)
    reasons.push(reasonOf(await failing.user(`u${user}`).context.resolve({ sections })))
  assert.deepEqual(new Set(reasons), new Set(['unavailable failed', 'unavailable breaker_open']))
  assert.equal(reasons.at(-1), 'unavailable breaker_open')

  const slow = Promise.withResolvers<object>()
  await using busy = await openContextHarness({
    maxConcurrentLoads: 1,
    budgetMs: 300,
    sources: { profile: (user: string) => (user === 'first' ? slow.promise : Promise.resolve({ name: user })) },
  })
  waits.length = 0
  const first = busy.user('first').context.resolve({ sections })
  const second = busy.user('second').context.resolve({ sections })
  const impatient = busy.user('third').context.resolve({ sections, budgetMs: 50 })
  await runCallbacks()
  await busy.clock.pass(50)
  assert.equal(reasonOf(await impatient), 'unavailable queued')
  await busy.clock.pass(150)
  slow.resolve({ name: 'first' })
  await runCallbacks()
  assert.deepEqual([reasonOf(await first), reasonOf(await second)], ['fresh null', 'fresh null'])
  const queued = waits.map(({ waitedMs, queuedMs }) => [waitedMs, queuedMs])
  assert.deepEqual(queued, [
    [50, 50],
    [200, 0],
    [200, 200],
  ])
  await busy.module.close()
  assert.equal(reasonOf(await busy.user('late').context.resolve({ sections })), 'unavailable closed')
})
