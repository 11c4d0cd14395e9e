import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SourceFunction } from '../../src/options/context-section.ts'
import type { ContextOptions } from '../../src/options.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { type ContextHarness, openContextHarness, runCallbacks } from '../support/context-harness.ts'
import { type ChaosSource, createChaosSource } from './chaos-source.ts'

/** A harness whose profile comes from a chaos source. */
async function openChaosHarness(
  options: Partial<ContextOptions> = {},
): Promise<ContextHarness & { chaos: ChaosSource }> {
  const clock = handClock()
  const chaos = createChaosSource(clock, (user) => ({ note: `profile of ${user}` }))
  const harness = await openContextHarness({ ...options, sources: { profile: chaos.source } }, { clock })
  return Object.assign(harness, { chaos })
}

test('UC-D02 10,000 callers of one user cause one source call when cold, stale or due for a refresh', async () => {
  const clock = handClock()
  let calls = 0
  let answer = Promise.withResolvers<object>()
  await using harness = await openContextHarness(
    {
      sources: {
        profile: () => {
          calls += 1
          return answer.promise
        },
      },
    },
    { clock },
  )
  const { context } = harness.user('asha')
  const resolveAll = (): Promise<string>[] =>
    Array.from({ length: 10_000 }, async () => (await context.resolve()).status)

  const cold = resolveAll()
  await runCallbacks()
  answer.resolve({ n: 1 })
  assert.deepEqual(new Set(await Promise.all(cold)), new Set(['fresh']))
  assert.equal(calls, 1, 'cold')

  answer = Promise.withResolvers()
  await clock.pass(28_000)
  assert.deepEqual(new Set(await Promise.all(resolveAll())), new Set(['fresh']), 'no caller waits for an early refresh')
  await runCallbacks()
  assert.equal(calls, 2, 'early')
  answer.resolve({ n: 2 })
  await runCallbacks()

  answer = Promise.withResolvers()
  await clock.pass(40_000)
  assert.deepEqual(
    new Set(await Promise.all(resolveAll())),
    new Set(['stale']),
    'no caller waits for a refresh of stale data',
  )
  await runCallbacks()
  assert.equal(calls, 3, 'stale')
  answer.resolve({ n: 3 })
  await runCallbacks()
  assert.equal((await context.resolve()).status, 'fresh')
  assert.equal(clock.timers, 0)
})

test('a caller that joins a load has its own deadline', async () => {
  await using harness = await openChaosHarness()
  const { chaos, clock, user } = harness
  chaos.behavior = 'never'
  const first = user('asha').context.resolve()
  await clock.pass(1_400)
  const startedAt = clock.monotonic()
  let waitedMs = -1
  const joined = user('asha')
    .context.resolve({ budgetMs: 200 })
    .then((context) => {
      waitedMs = clock.monotonic() - startedAt
      return context
    })
  await clock.pass(199)
  assert.equal(waitedMs, -1)
  await clock.pass(1)
  assert.equal(waitedMs, 200)
  assert.equal((await joined).status, 'partial')
  assert.equal((await first).status, 'partial')
  assert.equal(chaos.calls, 1)
})

test('UC-D04 during an outage the second call is answered at once', async () => {
  for (const behavior of ['never', 'rejects', 'throws', 'wrong'] as const) {
    await using harness = await openChaosHarness()
    const { chaos, clock, user } = harness
    chaos.behavior = behavior
    const first = user('asha').context.resolve()
    await clock.pass(behavior === 'never' ? 1_500 : 10)
    assert.equal((await first).sections[0]?.status, 'unavailable')
    const before = clock.monotonic()
    assert.equal((await user('asha').context.resolve()).sections[0]?.status, 'unavailable')
    assert.equal(clock.monotonic(), before, behavior)
    assert.equal(chaos.calls, 1, behavior)
  }
})

test('UC-17 a load that ends after its caller’s deadline serves the next caller', async () => {
  await using harness = await openChaosHarness({ budgetMs: 300 })
  const { chaos, clock, user } = harness
  chaos.behavior = 'late'
  const first = user('asha').context.resolve()
  await clock.pass(300)
  assert.equal((await first).status, 'partial')
  await clock.pass(400)
  const next = await user('asha').context.resolve()
  assert.equal(next.status, 'fresh')
  assert.match(next.details, /profile of asha/)
  assert.equal(chaos.calls, 1)
})

test('a user whose loads hang gets a new call after five seconds and has at most two unfinished calls', async () => {
  await using harness = await openChaosHarness()
  const { chaos, clock, user } = harness
  chaos.behavior = 'never'
  for (let second = 0; second < 60; second++) {
    void user('asha').context.resolve({ budgetMs: 100 })
    await clock.pass(1_000)
  }
  assert.equal(chaos.unsettled, 2)
  chaos.behavior = 'well'
  await clock.pass(90_000)
  assert.equal((await user('asha').context.resolve()).sections[0]?.status, 'fresh', 'abandoned calls stop counting')
})

test('when all calls hang, at most 64 are unfinished, and after one successful probe all users are fresh', async () => {
  await using harness = await openChaosHarness()
  const { chaos, clock, user } = harness
  chaos.behavior = 'never'
  const answers: Promise<string>[] = []
  for (let index = 0; index < 10_000; index++)
    answers.push(
      user(`u${index}`)
        .context.resolve()
        .then(({ status }) => status),
    )
  await clock.pass(1_500)
  assert.deepEqual(new Set(await Promise.all(answers)), new Set(['partial']))
  for (let minute = 0; minute < 10; minute++) {
    for (let second = 0; second < 60; second += 3) {
      void user(`x${minute}-${second}`).context.resolve({ budgetMs: 0 })
      await clock.pass(3_000)
    }
  }
  assert.ok(chaos.mostUnsettled <= 64, `${chaos.mostUnsettled} unfinished`)
  chaos.behavior = 'well'
  await clock.pass(31_000)
  assert.equal((await user('probe').context.resolve()).status, 'fresh')
  assert.equal(
    (await user('u1').context.resolve()).sections[0]?.status,
    'fresh',
    'a user whose load failed is loaded again',
  )
  assert.equal((await user('new user').context.resolve()).status, 'fresh')
})

test('a failing source gets one probe per backoff, which doubles from 1 s to 30 s', async () => {
  await using harness = await openChaosHarness()
  const { chaos, clock, user } = harness
  chaos.behavior = 'rejects'
  const callsAt: number[] = []
  let before = 0
  for (let tick = 0; tick < 2_000; tick++) {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) void user(name).context.resolve()
    await clock.pass(100)
    if (chaos.calls > before && tick > 0) callsAt.push(clock.monotonic())
    if (tick > 0) assert.ok(chaos.calls - before <= 1, 'one probe at a time')
    before = chaos.calls
  }
  const backoffs = callsAt.slice(1).map((at, index) => at - (callsAt[index] as number))
  assert.ok(
    backoffs.every((backoff, index) => backoff >= (backoffs[index - 1] ?? 0) * 0.7),
    'they grow',
  )
  assert.ok(Math.max(...backoffs) <= 30_100 && Math.max(...backoffs) > 20_000)
})

test('UC-D08 a late section makes only itself unavailable and arrives later without a reload of the others', async () => {
  const clock = handClock()
  const profile = createChaosSource(clock, () => ({ note: 'here' }))
  const actions = createChaosSource(clock, () => [{ action: 'Sang', at: '2026-01-01T11:00:00Z' }])
  actions.behavior = 'late'
  await using harness = await openContextHarness(
    { budgetMs: 500, sources: { profile: profile.source, actions: actions.source } },
    { clock },
  )
  const { context } = harness.user('asha')
  const first = context.resolve()
  await clock.pass(500)
  const partial = await first
  assert.equal(partial.status, 'partial')
  assert.deepEqual(
    partial.sections.map(({ name, status }) => [name, status]),
    [
      ['profile', 'fresh'],
      ['actions', 'unavailable'],
    ],
  )
  assert.match(partial.details, /here/)
  assert.doesNotMatch(partial.actions, /no action/, 'an outage is not reported as no actions')
  await clock.pass(300)
  const whole = await context.resolve()
  assert.equal(whole.status, 'fresh')
  assert.match(whole.actions, /Sang/)
  assert.equal(profile.calls, 1)
})

test('UC-D03 a hanging source does not delay other sources', async () => {
  const clock = handClock()
  const hanging: SourceFunction = () => new Promise(() => undefined)
  await using harness = await openContextHarness(
    { sources: { actions: hanging, profile: async (user: string) => ({ note: user }) } },
    { clock },
  )
  const answers = Array.from({ length: 500 }, (_, index) => harness.user(`u${index}`).context.resolve())
  await clock.pass(1_500)
  for (const answer of answers) assert.equal((await answer).sections[0]?.status, 'fresh')
})

test('UC-D01 stale data is used for maxStaleMs and no longer', async () => {
  await using harness = await openChaosHarness({ ttlMs: 1_000, maxStaleMs: 60_000 })
  const { chaos, clock, user } = harness
  await user('asha').context.resolve()
  chaos.behavior = 'rejects'
  await clock.pass(59_000)
  const stale = await user('asha').context.resolve()
  assert.equal(stale.sections[0]?.status, 'stale')
  assert.match(stale.details, /profile of asha/)
  await clock.pass(1_000)
  assert.equal((await user('asha').context.resolve()).sections[0]?.status, 'unavailable')
})

test('maxAgeMs waits for newer data and falls back to stale data at the deadline', async () => {
  await using harness = await openChaosHarness()
  const { chaos, clock, user } = harness
  const { context } = user('asha')
  await context.resolve()
  await clock.pass(5_000)
  assert.equal((await context.resolve({ maxAgeMs: 10_000 })).status, 'fresh')
  assert.equal(chaos.calls, 1)
  chaos.behavior = 'late'
  const newer = context.resolve({ maxAgeMs: 1_000 })
  await clock.pass(700)
  assert.equal((await newer).sections[0]?.loadedAt, '2026-01-01T12:00:05.700Z')
  await clock.pass(5_000)
  chaos.behavior = 'never'
  const older = context.resolve({ maxAgeMs: 1_000 })
  await clock.pass(1_500)
  assert.equal((await older).sections[0]?.status, 'stale')
  assert.match((await older).details, /profile of asha/)
})

test('an abort returns at once what is in memory and does not affect other callers', async () => {
  await using harness = await openChaosHarness()
  const { chaos, clock, user } = harness
  chaos.behavior = 'late'
  const abort = new AbortController()
  const aborted = user('asha').context.resolve({ signal: abort.signal })
  const other = user('asha').context.resolve()
  await clock.pass(10)
  abort.abort(new Error('gone'))
  assert.equal((await aborted).status, 'partial')
  assert.equal(clock.monotonic(), 10)
  await clock.pass(700)
  assert.equal((await other).status, 'fresh')
  assert.equal((await user('bela').context.resolve({ signal: AbortSignal.abort() })).status, 'default')
  assert.equal(chaos.calls, 1, 'no load starts for an aborted call')
})

test('UC-D23 closing answers all callers, aborts all loads and leaves no timer', async () => {
  const clock = handClock()
  const aborted: boolean[] = []
  const source: SourceFunction = (_, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted.push(true)
        reject(signal.reason)
      })
    })
  await using harness = await openContextHarness({ sources: { profile: source } }, { clock })
  const waiting = [harness.user('asha').context.resolve(), harness.user('bela').context.resolve()]
  await runCallbacks()
  await harness.module.close()
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ status }) => status),
    ['partial', 'partial'],
  )
  assert.equal(aborted.length, 2)
  assert.equal(clock.timers, 0)
  assert.equal(
    (await harness.user('late').context.resolve()).status,
    'default',
    'after closing it still does not throw',
  )
  assert.deepEqual(harness.module.stats().sources.profile, { running: 0, abandoned: 0, queued: 0 })
})

test('a source that resolves the same user waits for its own load until its budget ends', async () => {
  const clock = handClock()
  const source: SourceFunction = async (user) => ({
    note: (await harness.user(user).context.resolve({ budgetMs: 100 })).status,
  })
  await using harness = await openContextHarness({ sources: { profile: source } }, { clock })
  const answer = harness.user('asha').context.resolve()
  await clock.pass(200)
  assert.match((await answer).details, /partial/)
})

test('UC-05 a source that reads the mode is called once for each mode, other sources once for both', async () => {
  const clock = handClock()
  let perMode = 0
  let shared = 0
  await using harness = await openContextHarness(
    {
      sources: {
        profile: async (_: string, { mode }: { mode: string }) => ({ note: `${mode} ${++perMode}` }),
        actions: async () => {
          shared += 1
          return []
        },
      },
    },
    { clock },
  )
  const { context } = harness.user('asha')
  const [create, reuse] = await Promise.all([context.resolve({ mode: 'create' }), context.resolve({ mode: 'reuse' })])
  assert.match(create.details, /note: create/)
  assert.match(reuse.details, /note: reuse/)
  assert.match((await context.resolve({ mode: 'create' })).details, /note: create/)
  assert.deepEqual([perMode, shared], [2, 1])
  await context.invalidate()
  assert.match((await context.resolve({ mode: 'reuse' })).details, /note: reuse 3/)
})
