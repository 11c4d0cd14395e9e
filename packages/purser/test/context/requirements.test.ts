import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import { DEFAULTS } from '../../src/options.ts'
import { defer, openHouse, turn } from '../support/context-harness.ts'

test('UC-01, UC-14, UC-45 details and actions are texts even when nothing can be had, with tag and time in reuse', async (t) => {
  const down = async (): Promise<object> => {
    throw new Error('down')
  }
  const house = await openHouse({ sources: { profile: down, actions: down } })
  t.after(() => house.close())
  const reuse = await house.user('asha').context.resolve({ timeZone: 'Asia/Kolkata' })
  assert.equal(reuse.status, 'default')
  assert.ok(reuse.details.length > 0)
  assert.match(reuse.actions, /<PREVIOUS_USER_ACTION_START> .* <PREVIOUS_USER_ACTION_END>\n.*2026-01-01T17:30:00/)
  const create = await house.user('asha').context.resolve({ mode: 'create' })
  assert.ok(create.actions.length > 0)
  assert.doesNotMatch(create.actions, /[<>]|\.\.|2026/)
})

test('UC-02, UC-03, UC-04, UC-15, UC-D22 the defaults of the mission are options that do what they say', async (t) => {
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
    const house = await openHouse({ ...options, ttlMs })
    t.after(() => house.close())
    await house.user('asha').context.resolve()
    await house.clock.pass(passMs)
    assert.equal((await house.user('asha').context.resolve()).sections[0]?.status, expected, `${ttlMs} after ${passMs}`)
  }
})

test('UC-06, UC-07 a hit calls nobody, and new data begins a new time to live', async (t) => {
  let calls = 0
  const source = async (): Promise<object> => {
    calls += 1
    return { n: calls }
  }
  const house = await openHouse({ ttlMs: 1_000, sources: { profile: source, actions: async () => null } })
  t.after(() => house.close())
  const { context } = house.user('asha')
  const first = await context.resolve()
  assert.equal(await context.resolve(), first)
  assert.equal(calls, 1)
  await house.clock.pass(950)
  await context.resolve()
  await turn()
  assert.equal(calls, 2)
  await house.clock.pass(600)
  assert.equal((await context.resolve()).sections[0]?.status, 'fresh')
  assert.equal(calls, 2)
})

test('UC-08 an invalidation concerns both modes, and one of an unknown user is no error', async (t) => {
  let note = 'old'
  const house = await openHouse({ sources: { profile: async () => ({ note }) } })
  t.after(() => house.close())
  const { context } = house.user('asha')
  for (const mode of ['create', 'reuse'] as const) await context.resolve({ mode })
  note = 'new'
  await context.invalidate()
  for (const mode of ['create', 'reuse'] as const) assert.equal(context.peek({ mode }), undefined)
  for (const mode of ['create', 'reuse'] as const) assert.match((await context.resolve({ mode })).details, /new/)
  await house.user('nobody').context.invalidate()
})

test('UC-10, R4 two instances in one process share neither data nor flights', async (t) => {
  const calls: string[] = []
  const houses = await Promise.all(
    ['one', 'two'].map((name) =>
      openHouse({
        sources: {
          profile: async () => {
            calls.push(name)
            return { note: name }
          },
        },
      }),
    ),
  )
  t.after(() => Promise.all(houses.map((house) => house.close())))
  const contexts = await Promise.all(houses.map((house) => house.user('asha').context.resolve()))
  assert.match(contexts[0]?.details ?? '', /one/)
  assert.match(contexts[1]?.details ?? '', /two/)
  assert.deepEqual(calls.sort(), ['one', 'two'])
})

test('UC-18, UC-19, UC-20 sections load side by side under one deadline, and a refresh runs once', async (t) => {
  const begun: string[] = []
  const answers = { profile: defer<object>(), actions: defer<object[]>() }
  const house = await openHouse({
    sources: {
      profile: () => {
        begun.push('profile')
        return answers.profile.promise
      },
      actions: () => {
        begun.push('actions')
        return answers.actions.promise
      },
    },
  })
  t.after(() => house.close())
  const resolving = house.user('asha').context.resolve()
  await turn()
  assert.deepEqual(begun.sort(), ['actions', 'profile'])
  answers.actions.resolve([])
  answers.profile.resolve({ a: 1 })
  assert.equal((await resolving).status, 'fresh')
  await house.clock.pass(40_000)
  for (let call = 0; call < 5; call++) await house.user('asha').context.resolve()
  await turn()
  assert.equal(begun.length, 4)
})

test('UC-24, UC-D21 a default is stored nowhere', async (t) => {
  let fails = true
  const house = await openHouse({
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
  t.after(() => house.close())
  const { context } = house.user('asha')
  assert.equal((await context.resolve()).status, 'default')
  assert.equal(context.peek(), undefined)
  assert.equal(house.contexts.stats().users, 0)
  fails = false
  await house.clock.pass(1_000)
  assert.equal((await context.resolve()).status, 'fresh')
})

test('UC-27 a store that cannot keep the last good data fails no request', async (t) => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const lastGood = { ...memory.lastGood, put: () => Promise.reject(new Error('disk full')) }
  const house = await openHouse(
    { sources: { profile: async () => ({ note: 'told' }) } },
    { store: { ...memory, lastGood } },
  )
  t.after(() => house.close())
  assert.equal((await house.user('asha').context.resolve()).status, 'fresh')
})

test('UC-38, UC-D17 the tail: no missing blank, no double stop, one form of dates, an opening tag for the closing one', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('asha')
  for (const round of ['empty', 'told']) {
    const { actions, text } = await user.context.resolve({ timeZone: 'UTC' })
    assert.doesNotMatch(text, /\.\.|in UTCis|\d{4}-\d\d-\d\d \d\d:/, round)
    assert.equal(actions.match(/<PREVIOUS_USER_ACTION_START>/g)?.length, 1)
    assert.equal(actions.match(/<PREVIOUS_USER_ACTION_END>/g)?.length, 1)
    await user.actions.record({ action: 'Sang' })
  }
})

test('UC-42 the verbose profile says how to use the name, and not to press for more', async (t) => {
  const house = await openHouse({ sources: { profile: async () => ({ name: 'Asha' }) } })
  t.after(() => house.close())
  const { details } = await house.user('asha').context.resolve()
  assert.match(details, /user_name: Asha \[.*not in every reply.*\]/)
  assert.match(details, /Do not ask the user/)
})

test('UC-D16 create tells nothing from the screen or the camera', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const user = house.user('asha')
  await user.actions.record([
    { action: 'an editor', label: 'Screen Reasoning' },
    { action: 'a desk', label: 'Video Reasoning', sublabel: 'Visual Context' },
    { action: 'Sang' },
  ])
  assert.equal((await user.context.resolve({ mode: 'create' })).actions, 'Sang on 2026-01-01T12:00:00')
})

test('UC-D18 no two ids meet, nobody is anonymous, and there is no third mode', async (t) => {
  const house = await openHouse({ sources: { profile: async (user: string) => ({ note: `[${user}]` }) } })
  t.after(() => house.close())
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
  for (const id of ids) await house.user(id).context.resolve()
  for (const id of ids) assert.ok((await house.user(id).context.resolve()).details.includes(`[${id}]`), id)
  for (const id of [undefined, null, '', 1, '.', 'a\nb'])
    assert.throws(
      () => house.user(id as string),
      (error: unknown) => PurserError.is(error, 'user_id_invalid'),
    )
  await assert.rejects(house.user('1').context.resolve({ mode: 'CREATE' as never }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})
