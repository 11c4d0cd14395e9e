import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import { DEFAULTS } from '../../src/options.ts'
import { type ContextHarness, openContextHarness, runCallbacks } from '../support/context-harness.ts'

test('UC-01, UC-14, UC-45 details and actions are non-empty text when all sources fail, in mode reuse with tags and current time', async () => {
  const down = async (): Promise<object> => {
    throw new Error('down')
  }
  await using harness = await openContextHarness({ sources: { profile: down, actions: down } })
  const reuse = await harness.user('asha').context.resolve({ timeZone: 'Asia/Kolkata' })
  assert.equal(reuse.status, 'default')
  assert.ok(reuse.details.length > 0)
  assert.match(reuse.actions, /<PREVIOUS_USER_ACTION_START> .* <PREVIOUS_USER_ACTION_END>\n.*2026-01-01T17:30:00/)
  const create = await harness.user('asha').context.resolve({ mode: 'create' })
  assert.ok(create.actions.length > 0)
  assert.doesNotMatch(create.actions, /[<>]|\.\.|2026/)
})

test('UC-02, UC-03, UC-04, UC-15, UC-D22 ttlMs and budgetMs have the required defaults, and ttlMs separates fresh from stale', async () => {
  assert.deepEqual([DEFAULTS.context.ttlMs, DEFAULTS.context.budgetMs], [30_000, 1_500])
  let calls = 0
  const options = {
    sources: {
      profile: async () => {
        calls += 1
        return { n: calls }
      },
    },
  }
  for (const [ttlMs, passMs, expected] of [
    [30_000, 20_000, 'fresh'],
    [30_000, 30_000, 'stale'],
    [500.5, 300, 'fresh'],
    [500.5, 501, 'stale'],
  ] as const) {
    await using harness = await openContextHarness({ ...options, ttlMs })
    await harness.user('asha').context.resolve()
    await harness.clock.pass(passMs)
    assert.equal(
      (await harness.user('asha').context.resolve()).sections[0]?.status,
      expected,
      `${ttlMs} after ${passMs}`,
    )
  }
})

test('UC-06, UC-07 a hit calls no source, and new data starts a new TTL', async () => {
  let calls = 0
  const source = async (): Promise<object> => {
    calls += 1
    return { n: calls }
  }
  await using harness = await openContextHarness({
    ttlMs: 1_000,
    sources: { profile: source, actions: async () => null },
  })
  const { context } = harness.user('asha')
  const first = await context.resolve()
  assert.equal(await context.resolve(), first)
  assert.equal(calls, 1)
  await harness.clock.pass(950)
  await context.resolve()
  await runCallbacks()
  assert.equal(calls, 2)
  await harness.clock.pass(600)
  assert.equal((await context.resolve()).sections[0]?.status, 'fresh')
  assert.equal(calls, 2)
})

test('UC-08 an invalidation applies to both modes; invalidating an unknown user is no error', async () => {
  let note = 'old'
  await using harness = await openContextHarness({ sources: { profile: async () => ({ note }) } })
  const { context } = harness.user('asha')
  for (const mode of ['create', 'reuse'] as const) await context.resolve({ mode })
  note = 'new'
  await context.invalidate()
  for (const mode of ['create', 'reuse'] as const) assert.equal(context.peek({ mode }), undefined)
  for (const mode of ['create', 'reuse'] as const) assert.match((await context.resolve({ mode })).details, /new/)
  await harness.user('unknown').context.invalidate()
})

test('UC-10 two instances in one process share neither data nor loads', async () => {
  const calls: string[] = []
  const open = (name: string): Promise<ContextHarness> =>
    openContextHarness({
      sources: {
        profile: async () => {
          calls.push(name)
          return { note: name }
        },
      },
    })
  await using one = await open('one')
  await using two = await open('two')
  const contexts = await Promise.all([one, two].map((harness) => harness.user('asha').context.resolve()))
  assert.match(contexts[0]?.details ?? '', /one/)
  assert.match(contexts[1]?.details ?? '', /two/)
  assert.deepEqual(calls.sort(), ['one', 'two'])
})

test('UC-18, UC-19, UC-20 sections load concurrently, and concurrent calls start one refresh', async () => {
  const started: string[] = []
  const answers = { profile: Promise.withResolvers<object>(), actions: Promise.withResolvers<object[]>() }
  await using harness = await openContextHarness({
    sources: {
      profile: () => {
        started.push('profile')
        return answers.profile.promise
      },
      actions: () => {
        started.push('actions')
        return answers.actions.promise
      },
    },
  })
  const resolving = harness.user('asha').context.resolve()
  await runCallbacks()
  assert.deepEqual(started.sort(), ['actions', 'profile'])
  answers.actions.resolve([])
  answers.profile.resolve({ a: 1 })
  assert.equal((await resolving).status, 'fresh')
  await harness.clock.pass(40_000)
  for (let call = 0; call < 5; call++) await harness.user('asha').context.resolve()
  await runCallbacks()
  assert.equal(started.length, 4)
})

test('UC-24, UC-D21 a default context is never cached', async () => {
  let fails = true
  await using harness = await openContextHarness({
    sources: {
      profile: async () => {
        if (fails) throw new Error('down')
        return { note: 'up' }
      },
      actions: async () => {
        if (fails) throw new Error('down')
        return []
      },
    },
  })
  const { context } = harness.user('asha')
  assert.equal((await context.resolve()).status, 'default')
  assert.equal(context.peek(), undefined)
  fails = false
  await harness.clock.pass(1_000)
  assert.equal((await context.resolve()).status, 'fresh')
})

test('UC-27 a failed write of last good data fails no call', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const lastGood = { ...memory.lastGood, put: () => Promise.reject(new Error('disk full')) }
  await using harness = await openContextHarness(
    { sources: { profile: async () => ({ note: 'loaded' }) } },
    { store: { ...memory, lastGood } },
  )
  assert.equal((await harness.user('asha').context.resolve()).status, 'fresh')
})

test('UC-38, UC-D17 actions with the current time have one date format, balanced tags and no double full stop', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('asha')
  for (const round of ['empty', 'with an action']) {
    const { actions, text } = await user.context.resolve({ timeZone: 'UTC' })
    assert.doesNotMatch(text, /\.\.|in UTCis|\d{4}-\d\d-\d\d \d\d:/, round)
    assert.equal(actions.match(/<PREVIOUS_USER_ACTION_START>/g)?.length, 1)
    assert.equal(actions.match(/<PREVIOUS_USER_ACTION_END>/g)?.length, 1)
    await user.actions.record({ action: 'Sang' })
  }
})

test('UC-42 the profile in mode reuse explains the use of the name and says not to ask for more', async () => {
  await using harness = await openContextHarness({ sources: { profile: async () => ({ name: 'Asha' }) } })
  const { details } = await harness.user('asha').context.resolve()
  assert.match(details, /user_name: Asha \[.*not in every reply.*\]/)
  assert.match(details, /Do not ask the user/)
})

test('UC-D16 mode create omits actions from screen and camera', async () => {
  await using harness = await openContextHarness()
  const user = harness.user('asha')
  await user.actions.record([
    { action: 'an editor', label: 'Screen Reasoning' },
    { action: 'a desk', label: 'Video Reasoning', sublabel: 'Visual Context' },
    { action: 'Sang' },
  ])
  assert.equal((await user.context.resolve({ mode: 'create' })).actions, 'Sang on 2026-01-01T12:00:00')
})

test('UC-D18 similar user ids stay separate, invalid ids are rejected, and so is an unknown mode', async () => {
  await using harness = await openContextHarness({
    sources: { profile: async (user: string) => ({ note: `[${user}]` }) },
  })
  const ids = [
    '1',
    '01',
    ' 1',
    '1 ',
    'a:b',
    'a',
    'reuse:1',
    '1 create',
    '__proto__',
    'constructor',
    '\u00e9',
    'e\u0301',
  ]
  for (const id of ids) await harness.user(id).context.resolve()
  for (const id of ids) assert.ok((await harness.user(id).context.resolve()).details.includes(`[${id}]`), id)
  for (const id of [undefined, null, '', 1, '.', 'a\nb'])
    assert.throws(
      () => harness.user(id as string),
      (error: unknown) => PurserError.is(error, 'user_id_invalid'),
    )
  await assert.rejects(harness.user('1').context.resolve({ mode: 'CREATE' as never }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})
