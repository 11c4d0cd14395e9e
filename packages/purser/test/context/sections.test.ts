import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Store } from '../../src/storage/store.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'

test('own sections follow the built-in ones in the order of the options', async () => {
  await using harness = await openContextHarness({
    sections: {
      memories: async (user: string) => [`met ${user}`, { what: 'tea', when: 'mornings' }],
      entitlements: { source: async () => ({ plan: 'gold', seats: 3 }), ttlMs: 1_000 },
      mood: { source: async () => 'calm', render: (data: string) => `The user seems ${data}.` },
    },
  })
  const { context } = harness.user('asha')
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

test('a section has its own TTL and can be invalidated alone', async () => {
  const calls = { memories: 0, profile: 0 }
  await using harness = await openContextHarness({
    sources: { profile: async () => ({ n: ++calls.profile }) },
    sections: { memories: { source: async () => [`n${++calls.memories}`], ttlMs: 1_000 } },
  })
  const { context } = harness.user('asha')
  await context.resolve()
  await harness.clock.pass(2_000)
  await context.resolve()
  await harness.clock.pass(0)
  assert.deepEqual(calls, { memories: 2, profile: 1 })
  await context.invalidate({ section: 'profile' })
  await context.resolve()
  assert.deepEqual(calls, { memories: 2, profile: 2 })
  await assert.rejects(context.invalidate({ section: 'nothing' }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})

test('a bus message about an unnamed user re-reads the store but calls no other source', async () => {
  let calls = 0
  await using harness = await openContextHarness({
    sections: {
      memories: async () => {
        calls += 1
        return ['tea']
      },
    },
  })
  const user = harness.user('asha')
  await user.profile.put({ city: 'Pune' })
  await user.context.resolve()
  const first = await user.context.resolve()
  await harness.store.bus.publish({ topic: 'user', namespace: 'test' })
  assert.equal(user.context.peek()?.sections[0]?.status, 'unavailable', 'cached data may be outdated')
  const second = await user.context.resolve()
  assert.notEqual(second, first)
  assert.equal(second.text, first.text)
  assert.equal(await user.context.resolve(), second)
  assert.equal(calls, 1)
})

test('data loaded before a bus message is returned to waiting callers but not to later ones', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  let readings = 0
  const record: Store['users']['record'] = (user, kind, name) => {
    if (kind === 'profile') readings += 1
    return memory.users.record(user, kind, name)
  }
  const memories = Promise.withResolvers<string[]>()
  await using harness = await openContextHarness(
    { sections: { memories: () => memories.promise } },
    { store: { ...memory, users: { ...memory.users, record } } },
  )
  const { context } = harness.user('asha')
  await context.resolve({ sections: ['profile'] })
  const waiting = context.resolve()
  await runCallbacks()
  assert.equal(readings, 1)
  await memory.bus.publish({ topic: 'user', namespace: 'test' })
  memories.resolve(['tea'])
  assert.equal((await waiting).status, 'fresh')
  await context.resolve()
  assert.equal(readings, 2)
})

test('renderers are replaceable; one that throws makes only its own section unavailable', async () => {
  await using harness = await openContextHarness({
    sources: { profile: async () => ({ name: 'Asha <b>' }), actions: async () => [{ action: 'Sang', at: 1 }] },
    sections: {
      profile: { render: (data: { name: string }, { mode }: { mode: string }) => `${mode}: ${data.name}` },
      actions: {
        render: () => {
          throw new Error('renderer broken')
        },
      },
    },
  })
  const context = await harness.user('asha').context.resolve()
  assert.equal(context.details, 'reuse: Asha ‹b›')
  assert.deepEqual(
    context.sections.map(({ status }) => status),
    ['fresh', 'unavailable'],
  )
  assert.equal(context.status, 'partial')
})

test('source data is copied and frozen: neither the source nor a renderer can change it later', async () => {
  const source = { name: 'Asha', tags: ['a'] }
  await using harness = await openContextHarness({
    sources: { profile: async () => source },
    sections: {
      profile: {
        render: (data: { tags: string[] }) => {
          assert.throws(() => data.tags.push('b'))
          return JSON.stringify(data)
        },
      },
    },
  })
  const { context } = harness.user('asha')
  await context.resolve()
  source.name = 'Mallory'
  assert.equal((await context.resolve({ mode: 'create' })).details, '{"name":"Asha","tags":["a"]}')
})

test('UC-D14 the time zone is that of the call, else of the user, else of the application', async () => {
  let zone: string | null = 'Asia/Kolkata'
  await using harness = await openContextHarness(
    { sources: { actions: async () => [{ action: 'Sang', at: '2026-01-01T12:00:00Z' }] } },
    { timeZoneOf: async () => zone, timeZone: 'Europe/Paris' },
  )
  const { context } = harness.user('asha')
  assert.match((await context.resolve()).actions, /Sang on 2026-01-01T17:30:00/)
  assert.match((await context.resolve({ timeZone: 'America/New_York' })).actions, /Sang on 2026-01-01T07:00:00/)
  zone = null
  await harness.store.bus.publish({ topic: 'events', namespace: 'test', user: 'asha' })
  assert.match((await context.resolve()).actions, /Sang on 2026-01-01T13:00:00/)
  await assert.rejects(context.resolve({ timeZone: 'Mars/Base' }), (error: unknown) =>
    PurserError.is(error, 'argument_invalid'),
  )
})

test('UC-D17 the current time advances on cached data, can be switched off, and is never part of the digest', async () => {
  await using harness = await openContextHarness()
  const { context } = harness.user('asha')
  const first = await context.resolve()
  assert.match(first.actions, /2026-01-01T12:00:00/)
  await harness.clock.pass(20_000)
  assert.equal(await context.resolve(), first, 'one minute gives equal bytes')
  await harness.clock.pass(40_000)
  await context.resolve()
  const second = await context.resolve()
  assert.match(second.actions, /2026-01-01T12:01:00/)
  assert.equal(second.digest, first.digest)
  const cacheable = await context.resolve({ keep: true })
  assert.doesNotMatch(cacheable.text, /2026-01-01T12:0/)
  assert.equal(cacheable.digest, first.digest)
  assert.doesNotMatch((await context.resolve({ mode: 'create' })).text, /2026-01-01T12:0/)

  await using exact = await openContextHarness({ clock: 'second' })
  await exact.user('asha').context.resolve()
  await exact.clock.pass(7_300)
  assert.match((await exact.user('asha').context.resolve()).actions, /12:00:07/)
})

test('invalid arguments are rejected whether the context is warm or cold', async () => {
  await using harness = await openContextHarness()
  const { context } = harness.user('asha')
  for (let round = 0; round < 2; round++) {
    for (const options of [
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
        context.resolve(options as never),
        (error: unknown) => PurserError.is(error, 'argument_invalid'),
        JSON.stringify(options),
      )
    }
    assert.throws(
      () => context.peek({ mode: 'other' } as never),
      (error: unknown) => PurserError.is(error, 'argument_invalid'),
    )
    await context.resolve()
  }
})
