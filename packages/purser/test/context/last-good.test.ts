import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemEffects } from '../../src/core/effects.ts'
import { createSubject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import type { LastGoodStore } from '../../src/storage/last-good-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { handClock } from '../../src/testing/hand-clock.ts'
import { openContextHarness, runCallbacks } from '../support/context-harness.ts'
import { noPostgres, openPostgres } from '../support/postgres-server.ts'
import { noRedis, openRedis } from '../support/redis-server.ts'

const user = createSubject('test', 'asha')
const key = { user, section: 'profile', incarnation: 1 }

const servers = [...(noPostgres ? [] : ['postgres' as const]), ...(noRedis ? [] : ['redis' as const])]

for (const driver of ['memory', 'sqlite', ...servers] as const) {
  const open = async (t: { after(run: () => Promise<void>): void }): Promise<Store> => {
    if (driver === 'memory') return openMemoryStore({ effects: systemEffects })
    if (driver !== 'sqlite') {
      const store = await (driver === 'postgres' ? openPostgres() : openRedis())
      t.after(() => store.close())
      return store
    }
    const directory = await mkdtemp(join(tmpdir(), 'purser-last-good-'))
    const store = await openSqliteStore({ path: join(directory, 'p.db'), effects: systemEffects })
    t.after(async () => {
      await store.close()
      await rm(directory, { recursive: true })
    })
    return store
  }

  test(`${driver}: data written under a lease is found, with the same lease`, async (t) => {
    const { lastGood } = await open(t)
    assert.deepEqual(await lastGood.open(key, 'one', 10), { lease: 'one' })
    assert.deepEqual(await lastGood.open(key, 'two', 10), { lease: 'one' })
    assert.equal(await lastGood.put(key, 'one', { value: '{}', loadedAt: 5 }), true)
    assert.equal(await lastGood.put(key, 'one', { value: '"older"', loadedAt: 4 }), false)
    assert.deepEqual(await lastGood.open(key, 'three', 10), { lease: 'one', data: { value: '{}', loadedAt: 5 } })
  })

  test(`${driver}: a drop ends the lease, and a late write under it is rejected`, async (t) => {
    const { lastGood } = await open(t)
    await lastGood.open(key, 'one', 10)
    await lastGood.drop(user)
    assert.equal(await lastGood.put(key, 'one', { value: '{}', loadedAt: 5 }), false)
    assert.deepEqual(await lastGood.open(key, 'two', 10), { lease: 'two' })
    assert.equal(await lastGood.put(key, 'one', { value: '{}', loadedAt: 5 }), false)
    assert.deepEqual(await lastGood.open(key, 'x', 10), { lease: 'two' })
  })

  test(`${driver}: a drop of one section leaves other sections and other users`, async (t) => {
    const { lastGood } = await open(t)
    const other = { ...key, section: 'actions' }
    const stranger = { ...key, user: createSubject('test', 'bela') }
    for (const [opened, lease] of [
      [key, 'a'],
      [other, 'b'],
      [stranger, 'c'],
    ] as const)
      await lastGood.open(opened, lease, 10)
    await lastGood.drop(user, 'profile')
    assert.equal(await lastGood.put(key, 'a', { value: '1', loadedAt: 1 }), false)
    assert.equal(await lastGood.put(other, 'b', { value: '1', loadedAt: 1 }), true)
    await lastGood.drop(user)
    assert.deepEqual(await lastGood.open(other, 'd', 10), { lease: 'd' })
    assert.equal(await lastGood.put(stranger, 'c', { value: '1', loadedAt: 1 }), true)
  })

  test(`${driver}: a later incarnation deletes the data of an earlier one, which finds and writes nothing`, async (t) => {
    const { lastGood } = await open(t)
    await lastGood.open(key, 'one', 10)
    await lastGood.put(key, 'one', { value: '"first incarnation"', loadedAt: 1 })
    const next = { ...key, incarnation: 2 }
    assert.deepEqual(await lastGood.open(next, 'two', 10), { lease: 'two' })
    assert.deepEqual(await lastGood.open(key, 'three', 10), {})
    assert.equal(await lastGood.put(key, 'one', { value: '"first incarnation"', loadedAt: 9 }), false)
  })

  test(`${driver}: rows are limited, and the oldest are deleted first`, async (t) => {
    const { lastGood } = await open(t)
    for (let index = 0; index < 600; index++)
      await lastGood.open({ ...key, user: createSubject('test', `u${index}`) }, 'l', 20)
    const canWrite = async (index: number): Promise<boolean> =>
      lastGood.put({ ...key, user: createSubject('test', `u${index}`) }, 'l', { value: '1', loadedAt: 1 })
    assert.equal(await canWrite(0), false)
    assert.equal(await canWrite(300), false)
    assert.equal(await canWrite(599), true)
  })

  test(`${driver}: UC-D01 a cold process returns stored data at once while it calls the source`, async (t) => {
    const store = await open(t)
    const clock = handClock()
    {
      const sources = { profile: async () => ({ note: 'stored' }) }
      await using first = await openContextHarness({ sources }, { store, clock })
      await first.user('asha').context.resolve()
    }
    await clock.pass(60_000)

    const answer = Promise.withResolvers<object>()
    await using second = await openContextHarness({ sources: { profile: () => answer.promise } }, { store, clock })
    const { context } = second.user('asha')
    const stale = await context.resolve({ budgetMs: 1_000 })
    assert.equal(stale.status, 'stale')
    assert.match(stale.details, /stored/)
    assert.equal(stale.sections[0]?.loadedAt, '2026-01-01T12:00:00.000Z')
    answer.resolve({ note: 'new' })
    await runCallbacks()
    assert.match((await context.resolve()).details, /new/)
    assert.equal((await context.resolve()).status, 'fresh')
  })
}

test('data that another process has just loaded is fresh in this one', async () => {
  let calls = 0
  await using here = await openContextHarness({ sources: { profile: async () => ({ note: `call ${++calls}` }) } })
  await using there = await here.reopen()
  await here.user('asha').context.resolve()
  await runCallbacks()
  assert.equal((await there.user('asha').context.resolve()).status, 'fresh')
  assert.equal(calls, 1)
  await there.user('bela').context.resolve({ maxAgeMs: 0 })
  assert.equal(calls, 2)
})

test('old data found in the store during an invalidation is not returned to later calls', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const dropping = Promise.withResolvers<void>()
  let isDropDelayed = false
  const lastGood: LastGoodStore = {
    ...memory.lastGood,
    async drop(...args) {
      if (isDropDelayed) await dropping.promise
      await memory.lastGood.drop(...args)
    },
  }
  let current = 'old'
  await using harness = await openContextHarness(
    { sources: { profile: async () => ({ note: current }) } },
    { store: { ...memory, lastGood } },
  )
  const { context } = harness.user('asha')
  await context.resolve()
  await runCallbacks()
  current = 'new'
  isDropDelayed = true
  const invalidating = context.invalidate()
  assert.match((await context.resolve()).details, /old/, 'the invalidation has not resolved yet')
  dropping.resolve()
  await invalidating
  assert.match((await context.resolve()).details, /new/)
})

test('a store that hangs delays one load by a short timeout and later loads not at all', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  let opened = 0
  const lastGood: LastGoodStore = {
    ...memory.lastGood,
    open() {
      opened += 1
      return new Promise(() => undefined)
    },
  }
  await using harness = await openContextHarness(
    { sources: { profile: async () => ({ note: 'loaded' }) } },
    { store: { ...memory, lastGood } },
  )
  const first = harness.user('asha').context.resolve()
  await harness.clock.pass(50)
  assert.equal((await first).status, 'fresh')
  assert.equal(harness.clock.monotonic(), 50)
  assert.equal((await harness.user('bela').context.resolve()).status, 'fresh')
  assert.equal(opened, 1)
})

test('UC-11 an invalidation that cannot reach the store rejects and still applies in this process', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const lastGood: LastGoodStore = { ...memory.lastGood, drop: () => Promise.reject(new Error('store gone')) }
  let calls = 0
  await using harness = await openContextHarness(
    { sources: { profile: async () => ({ n: ++calls }) } },
    { store: { ...memory, lastGood } },
  )
  const { context } = harness.user('asha')
  await context.resolve()
  await assert.rejects(context.invalidate(), /store gone/)
  assert.equal(context.peek(), undefined)
})
