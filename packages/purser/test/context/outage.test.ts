import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SourceFunction } from '../../src/context/api.ts'
import type { ContextOptions } from '../../src/options.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { defer, type House, openHouse, turn } from '../support/context-harness.ts'
import { chaos } from './chaos-source.ts'

/** A house whose profile comes from a backend that misbehaves as told. */
async function openChaos(
  options: Partial<ContextOptions> = {},
): Promise<House & { backend: ReturnType<typeof chaos> }> {
  const clock = handClock()
  const backend = chaos(clock, (user) => ({ note: `profile of ${user}` }))
  const house = await openHouse({ ...options, sources: { profile: backend.source } }, { clock })
  return Object.assign(house, { backend })
}

test('R4, UC-D02 10,000 callers of one user are one call: cold, stale and early', async () => {
  const clock = handClock()
  let calls = 0
  let answer = defer<object>()
  const house = await openHouse(
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
  const { context } = house.user('asha')
  const crowd = (): Promise<string>[] => Array.from({ length: 10_000 }, async () => (await context.resolve()).status)

  const cold = crowd()
  await turn()
  answer.resolve({ n: 1 })
  assert.deepEqual(new Set(await Promise.all(cold)), new Set(['fresh']))
  assert.equal(calls, 1, 'cold')

  answer = defer()
  await clock.pass(28_000)
  assert.deepEqual(new Set(await Promise.all(crowd())), new Set(['fresh']), 'an early refresh keeps nobody waiting')
  await turn()
  assert.equal(calls, 2, 'early')
  answer.resolve({ n: 2 })
  await turn()

  answer = defer()
  await clock.pass(40_000)
  assert.deepEqual(new Set(await Promise.all(crowd())), new Set(['stale']), 'nor does a refresh of old data')
  await turn()
  assert.equal(calls, 3, 'stale')
  answer.resolve({ n: 3 })
  await turn()
  assert.equal((await context.resolve()).status, 'fresh')
  assert.equal(clock.timers, 0)
  await house.close()
})

test('R1 a joiner has a deadline of their own', async () => {
  const { backend, clock, user, close } = await openChaos()
  backend.behaviour = 'never'
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
  assert.equal(backend.calls, 1)
  await close()
})

test('UC-D04 in an outage the second call is answered at once', async () => {
  for (const behaviour of ['never', 'rejects', 'throws', 'wrong'] as const) {
    const { backend, clock, user, close } = await openChaos()
    backend.behaviour = behaviour
    const first = user('asha').context.resolve()
    await clock.pass(behaviour === 'never' ? 1_500 : 10)
    assert.equal((await first).sections[0]?.status, 'unavailable')
    const before = clock.monotonic()
    assert.equal((await user('asha').context.resolve()).sections[0]?.status, 'unavailable')
    assert.equal(clock.monotonic(), before, behaviour)
    assert.equal(backend.calls, 1, behaviour)
    await close()
  }
})

test('UC-17 a load that comes too late for its caller is there for the next one', async () => {
  const { backend, clock, user, close } = await openChaos({ budgetMs: 300 })
  backend.behaviour = 'late'
  const first = user('asha').context.resolve()
  await clock.pass(300)
  assert.equal((await first).status, 'partial')
  await clock.pass(400)
  const next = await user('asha').context.resolve()
  assert.equal(next.status, 'fresh')
  assert.match(next.details, /profile of asha/)
  assert.equal(backend.calls, 1)
  await close()
})

test('R3 one user who hangs: after five seconds a new call begins, and there are never more than two', async () => {
  const { backend, clock, user, close } = await openChaos()
  backend.behaviour = 'never'
  for (let second = 0; second < 60; second++) {
    void user('asha').context.resolve({ budgetMs: 100 })
    await clock.pass(1_000)
  }
  assert.equal(backend.unsettled, 2)
  backend.behaviour = 'well'
  await clock.pass(90_000)
  assert.equal((await user('asha').context.resolve()).sections[0]?.status, 'fresh', 'what never ends is written off')
  await close()
})

test('R3 when everything hangs, 64 calls are in flight at most, and one probe after healing all is well', async () => {
  const { backend, clock, user, close } = await openChaos()
  backend.behaviour = 'never'
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
  assert.ok(backend.mostUnsettled <= 64, `${backend.mostUnsettled} in flight`)
  backend.behaviour = 'well'
  await clock.pass(31_000)
  assert.equal((await user('probe').context.resolve()).status, 'fresh')
  assert.equal(
    (await user('u1').context.resolve()).sections[0]?.status,
    'fresh',
    'who failed before is asked for again',
  )
  assert.equal((await user('somebody new').context.resolve()).status, 'fresh')
  await close()
})

test('R6 a failing source is asked once a pause: 1 s doubling to 30 s, and by one probe only', async () => {
  const { backend, clock, user, close } = await openChaos()
  backend.behaviour = 'rejects'
  const callsAt: number[] = []
  let before = 0
  for (let tick = 0; tick < 2_000; tick++) {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) void user(name).context.resolve()
    await clock.pass(100)
    if (backend.calls > before && tick > 0) callsAt.push(clock.monotonic())
    if (tick > 0) assert.ok(backend.calls - before <= 1, 'one probe at a time')
    before = backend.calls
  }
  const pauses = callsAt.slice(1).map((at, index) => at - (callsAt[index] as number))
  assert.ok(
    pauses.every((pause, index) => pause >= (pauses[index - 1] ?? 0) * 0.7),
    'they grow',
  )
  assert.ok(Math.max(...pauses) <= 30_100 && Math.max(...pauses) > 20_000)
  await close()
})

test('R7, UC-D08 a section that fails costs itself only, and comes later without the others being loaded again', async () => {
  const clock = handClock()
  const profile = chaos(clock, () => ({ note: 'here' }))
  const actions = chaos(clock, () => [{ action: 'Sang', at: '2026-01-01T11:00:00Z' }])
  actions.behaviour = 'late'
  const house = await openHouse(
    { budgetMs: 500, sources: { profile: profile.source, actions: actions.source } },
    { clock },
  )
  const { context } = house.user('asha')
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
  assert.doesNotMatch(partial.actions, /no action/, 'an outage does not tell that nothing was done')
  await clock.pass(300)
  const whole = await context.resolve()
  assert.equal(whole.status, 'fresh')
  assert.match(whole.actions, /Sang/)
  assert.equal(profile.calls, 1)
  await house.close()
})

test('UC-D03 one hung source starves no other', async () => {
  const clock = handClock()
  const hung: SourceFunction = () => new Promise(() => undefined)
  const house = await openHouse(
    { sources: { actions: hung, profile: async (user: string) => ({ note: user }) } },
    { clock },
  )
  const answers = Array.from({ length: 500 }, (_, index) => house.user(`u${index}`).context.resolve())
  await clock.pass(1_500)
  for (const answer of answers) assert.equal((await answer).sections[0]?.status, 'fresh')
  await house.close()
})

test('UC-D01 old data is told for maxStaleMs and then no longer', async () => {
  const { backend, clock, user, close } = await openChaos({ ttlMs: 1_000, maxStaleMs: 60_000 })
  await user('asha').context.resolve()
  backend.behaviour = 'rejects'
  await clock.pass(59_000)
  const stale = await user('asha').context.resolve()
  assert.equal(stale.sections[0]?.status, 'stale')
  assert.match(stale.details, /profile of asha/)
  await clock.pass(1_000)
  assert.equal((await user('asha').context.resolve()).sections[0]?.status, 'unavailable')
  await close()
})

test('maxAgeMs waits for newer data, and takes what is there when it does not come', async () => {
  const { backend, clock, user, close } = await openChaos()
  const { context } = user('asha')
  await context.resolve()
  await clock.pass(5_000)
  assert.equal((await context.resolve({ maxAgeMs: 10_000 })).status, 'fresh')
  assert.equal(backend.calls, 1)
  backend.behaviour = 'late'
  const newer = context.resolve({ maxAgeMs: 1_000 })
  await clock.pass(700)
  assert.equal((await newer).sections[0]?.loadedAt, '2026-01-01T12:00:05.700Z')
  await clock.pass(5_000)
  backend.behaviour = 'never'
  const older = context.resolve({ maxAgeMs: 1_000 })
  await clock.pass(1_500)
  assert.equal((await older).sections[0]?.status, 'stale')
  assert.match((await older).details, /profile of asha/)
  await close()
})

test('an abort answers at once with what there is, and one caller who leaves takes nothing from another', async () => {
  const { backend, clock, user, close } = await openChaos()
  backend.behaviour = 'late'
  const leaving = new AbortController()
  const [leaver, stayer] = [user('asha').context.resolve({ signal: leaving.signal }), user('asha').context.resolve()]
  await clock.pass(10)
  leaving.abort(new Error('gone'))
  assert.equal((await leaver).status, 'partial')
  assert.equal(clock.monotonic(), 10)
  await clock.pass(700)
  assert.equal((await stayer).status, 'fresh')
  assert.equal((await user('bela').context.resolve({ signal: AbortSignal.abort() })).status, 'default')
  assert.equal(backend.calls, 1, 'nothing is begun for somebody who has left')
  await close()
})

test('UC-D23 closing answers everybody, aborts what is under way and leaves no timer', async () => {
  const clock = handClock()
  const aborted: boolean[] = []
  const source: SourceFunction = (_, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted.push(true)
        reject(signal.reason)
      })
    })
  const house = await openHouse({ sources: { profile: source } }, { clock })
  const waiting = [house.user('asha').context.resolve(), house.user('bela').context.resolve()]
  await turn()
  await house.contexts.close()
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ status }) => status),
    ['partial', 'partial'],
  )
  assert.equal(aborted.length, 2)
  assert.equal(clock.timers, 0)
  assert.equal((await house.user('late').context.resolve()).status, 'default', 'afterwards it still does not throw')
  assert.deepEqual(house.contexts.stats().sources.profile, { live: 0, abandoned: 0, queued: 0 })
})

test('a source that resolves the same user while it is asked waits for nobody but itself, and not for ever', async () => {
  const clock = handClock()
  let house: House
  const source: SourceFunction = async (user) => ({
    note: (await house.user(user).context.resolve({ budgetMs: 100 })).status,
  })
  house = await openHouse({ sources: { profile: source } }, { clock })
  const answer = house.user('asha').context.resolve()
  await clock.pass(200)
  assert.match((await answer).details, /partial/)
  await house.close()
})

test('UC-05 a source that looks at the mode is asked for each mode apart, one that does not is asked once', async () => {
  const clock = handClock()
  let apart = 0
  let shared = 0
  const house = await openHouse(
    {
      sources: {
        profile: async (_: string, { mode }: { mode: string }) => ({ note: `${mode} ${++apart}` }),
        actions: async () => {
          shared += 1
          return []
        },
      },
    },
    { clock },
  )
  const { context } = house.user('asha')
  const [create, reuse] = await Promise.all([context.resolve({ mode: 'create' }), context.resolve({ mode: 'reuse' })])
  assert.match(create.details, /note: create/)
  assert.match(reuse.details, /note: reuse/)
  assert.match((await context.resolve({ mode: 'create' })).details, /note: create/)
  assert.deepEqual([apart, shared], [2, 1])
  await context.invalidate()
  assert.match((await context.resolve({ mode: 'reuse' })).details, /note: reuse 3/)
  await house.close()
})
