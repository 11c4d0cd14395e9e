import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Store } from '../../src/storage/store.ts'
import { defer, openHouse, turn } from '../support/context-harness.ts'

test('sections of the application stand beside the built-in ones, in the order of the options', async (t) => {
  const house = await openHouse({
    sections: {
      memories: async (user: string) => [`met ${user}`, { what: 'tea', when: 'mornings' }],
      entitlements: { source: async () => ({ plan: 'gold', seats: 3 }), ttlMs: 1_000 },
      mood: { source: async () => 'calm', render: (data: string) => `The user seems ${data}.` },
    },
  })
  t.after(() => house.close())
  const { context } = house.user('asha')
  const all = await context.resolve()
  assert.deepEqual(
    all.sections.map(({ name }) => name),
    ['profile', 'actions', 'memories', 'entitlements', 'mood'],
  )
  assert.match(all.text, /memories:\n- met asha\n- what: tea, when: mornings/)
  assert.match(all.text, /entitlements:\nplan: gold\nseats: 3/)
  assert.match(all.text, /The user seems calm\./)
  const some = await context.resolve({ sections: ['mood', 'profile'] })
  assert.deepEqual(
    some.sections.map(({ name }) => name),
    ['profile', 'mood'],
  )
  assert.equal(some.actions, '')
  await assert.rejects(context.resolve({ sections: ['moods'] }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})

test('a section has its own time to live and is invalidated alone', async (t) => {
  const calls = { memories: 0, profile: 0 }
  const house = await openHouse({
    sources: { profile: async () => ({ n: ++calls.profile }) },
    sections: { memories: { source: async () => [`n${++calls.memories}`], ttlMs: 1_000 } },
  })
  t.after(() => house.close())
  const { context } = house.user('asha')
  await context.resolve()
  await house.clock.pass(2_000)
  await context.resolve()
  await house.clock.pass(0)
  assert.deepEqual(calls, { memories: 2, profile: 1 })
  await context.invalidate({ section: 'profile' })
  await context.resolve()
  assert.deepEqual(calls, { memories: 2, profile: 2 })
  await assert.rejects(context.invalidate({ section: 'nothing' }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})

test('news that somebody in the store has changed costs a reading of the store, and no call of another service', async (t) => {
  let calls = 0
  const house = await openHouse({
    sections: {
      memories: async () => {
        calls += 1
        return ['tea']
      },
    },
  })
  t.after(() => house.close())
  const user = house.user('asha')
  await user.profile.put({ city: 'Pune' })
  await user.context.resolve()
  const first = await user.context.resolve()
  await house.store.bus.publish({ topic: 'user', namespace: 'test' })
  assert.equal(user.context.peek()?.sections[0]?.status, 'unavailable', 'what is held may be old')
  const second = await user.context.resolve()
  assert.notEqual(second, first)
  assert.equal(second.text, first.text)
  assert.equal(await user.context.resolve(), second)
  assert.equal(calls, 1)
})

test('R5 news that comes while a caller waits: what they were told is not told to the next one', async (t) => {
  const memory = await openMemoryStore({ effects: systemEffects })
  let readings = 0
  const record: Store['users']['record'] = (...order) => {
    readings += 1
    return memory.users.record(...order)
  }
  const memories = defer<string[]>()
  const house = await openHouse(
    { sections: { memories: () => memories.promise } },
    { store: { ...memory, users: { ...memory.users, record } } },
  )
  t.after(() => house.close())
  const { context } = house.user('asha')
  await context.resolve({ sections: ['profile'] })
  const waiting = context.resolve()
  await turn()
  assert.equal(readings, 1)
  await memory.bus.publish({ topic: 'user', namespace: 'test' })
  memories.resolve(['tea'])
  assert.equal((await waiting).status, 'fresh')
  await context.resolve()
  assert.equal(readings, 2)
})

test('templates are replaceable; one that throws costs its section only', async (t) => {
  const house = await openHouse({
    sources: { profile: async () => ({ name: 'Asha <b>' }), actions: async () => [{ action: 'Sang', at: 1 }] },
    sections: {
      profile: { render: (data: { name: string }, { mode }: { mode: string }) => `${mode}: ${data.name}` },
      actions: {
        render: () => {
          throw new Error('template broken')
        },
      },
    },
  })
  t.after(() => house.close())
  const context = await house.user('asha').context.resolve()
  assert.equal(context.details, 'reuse: Asha ‹b›')
  assert.deepEqual(
    context.sections.map(({ status }) => status),
    ['fresh', 'unavailable'],
  )
  assert.equal(context.status, 'partial')
})

test('what a source gives is copied: changing it later changes nothing, and renderers cannot change it either', async (t) => {
  const mine = { name: 'Asha', tags: ['a'] }
  const house = await openHouse({
    sources: { profile: async () => mine },
    sections: {
      profile: {
        render: (data: { tags: string[] }) => {
          assert.throws(() => data.tags.push('b'))
          return JSON.stringify(data)
        },
      },
    },
  })
  t.after(() => house.close())
  const { context } = house.user('asha')
  await context.resolve()
  mine.name = 'Mallory'
  assert.equal((await context.resolve({ mode: 'create' })).details, '{"name":"Asha","tags":["a"]}')
})

test('UC-D14 the zone is the call’s, else the user’s, else the application’s', async (t) => {
  let zone: string | null = 'Asia/Kolkata'
  const house = await openHouse(
    { sources: { actions: async () => [{ action: 'Sang', at: '2026-01-01T12:00:00Z' }] } },
    { timeZoneOf: async () => zone, timeZone: 'Europe/Paris' },
  )
  t.after(() => house.close())
  const { context } = house.user('asha')
  assert.match((await context.resolve()).actions, /Sang on 2026-01-01T17:30:00/)
  assert.match((await context.resolve({ timeZone: 'America/New_York' })).actions, /Sang on 2026-01-01T07:00:00/)
  zone = null
  await house.store.bus.publish({ topic: 'events', namespace: 'test', user: 'asha' })
  assert.match((await context.resolve()).actions, /Sang on 2026-01-01T13:00:00/)
  await assert.rejects(context.resolve({ timeZone: 'Mars/Base' }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})

test('UC-D17 the clock moves while the data stays, is off where it is asked to be, and is never in the digest', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const { context } = house.user('asha')
  const first = await context.resolve()
  assert.match(first.actions, /2026-01-01T12:00:00/)
  await house.clock.pass(20_000)
  assert.equal(await context.resolve(), first, 'the same minute is the same bytes')
  await house.clock.pass(40_000)
  await context.resolve()
  const second = await context.resolve()
  assert.match(second.actions, /2026-01-01T12:01:00/)
  assert.equal(second.digest, first.digest)
  const kept = await context.resolve({ keep: true })
  assert.doesNotMatch(kept.text, /2026-01-01T12:0/)
  assert.equal(kept.digest, first.digest)
  assert.doesNotMatch((await context.resolve({ mode: 'create' })).text, /2026-01-01T12:0/)

  const exact = await openHouse({ clock: 'second' })
  t.after(() => exact.close())
  await exact.user('asha').context.resolve()
  await exact.clock.pass(7_300)
  assert.match((await exact.user('asha').context.resolve()).actions, /12:00:07/)
})

test('wrong arguments are refused, whether the context is warm or cold', async (t) => {
  const house = await openHouse()
  t.after(() => house.close())
  const { context } = house.user('asha')
  for (let round = 0; round < 2; round++) {
    for (const wrong of [
      { mode: 'other' },
      { budgetMs: -1 },
      { budgetMs: Number.NaN },
      { budgetMs: '5' },
      { maxAgeMs: -1 },
      { timeZone: '' },
      { timeZone: 7 },
      { sections: 'profile' },
      { signal: {} },
      { keep: 1 },
      { budgetMS: 5 },
      null,
      'reuse',
    ]) {
      await assert.rejects(
        context.resolve(wrong as never),
        (error: unknown) => PurserError.is(error, 'argument_invalid'),
        JSON.stringify(wrong),
      )
    }
    assert.throws(
      () => context.peek({ mode: 'other' } as never),
      (error: unknown) => PurserError.is(error, 'argument_invalid'),
    )
    await context.resolve()
  }
})
