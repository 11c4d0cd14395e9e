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
import { defer, openHouse, turn } from '../support/context-harness.ts'

const user = createSubject('test', 'asha')
const place = { user, section: 'profile', incarnation: 1 }

for (const driver of ['memory', 'sqlite'] as const) {
  const open = async (t: { after(run: () => Promise<void>): void }): Promise<Store> => {
    if (driver === 'memory') return openMemoryStore({ effects: systemEffects })
    const directory = await mkdtemp(join(tmpdir(), 'purser-last-good-'))
    const store = await openSqliteStore({ path: join(directory, 'p.db'), effects: systemEffects })
    t.after(async () => {
      await store.close()
      await rm(directory, { recursive: true })
    })
    return store
  }

  test(`${driver}: what was kept under a lease is found, with the same lease`, async (t) => {
    const { lastGood } = await open(t)
    assert.deepEqual(await lastGood.open(place, 'one', 10), { lease: 'one' })
    assert.deepEqual(await lastGood.open(place, 'two', 10), { lease: 'one' })
    assert.equal(await lastGood.put(place, 'one', { value: '{}', loadedAt: 5 }), true)
    assert.equal(await lastGood.put(place, 'one', { value: '"older"', loadedAt: 4 }), false)
    assert.deepEqual(await lastGood.open(place, 'three', 10), { lease: 'one', data: { value: '{}', loadedAt: 5 } })
  })

  test(`${driver}: a drop ends the lease, so that a late write comes to nothing`, async (t) => {
    const { lastGood } = await open(t)
    await lastGood.open(place, 'one', 10)
    await lastGood.drop(user)
    assert.equal(await lastGood.put(place, 'one', { value: '{}', loadedAt: 5 }), false)
    assert.deepEqual(await lastGood.open(place, 'two', 10), { lease: 'two' })
    assert.equal(await lastGood.put(place, 'one', { value: '{}', loadedAt: 5 }), false)
    assert.deepEqual(await lastGood.open(place, 'x', 10), { lease: 'two' })
  })

  test(`${driver}: one section is dropped alone, and other users not at all`, async (t) => {
    const { lastGood } = await open(t)
    const other = { ...place, section: 'actions' }
    const stranger = { ...place, user: createSubject('test', 'bela') }
    for (const [where, lease] of [
      [place, 'a'],
      [other, 'b'],
      [stranger, 'c'],
    ] as const)
      await lastGood.open(where, lease, 10)
    await lastGood.drop(user, 'profile')
    assert.equal(await lastGood.put(place, 'a', { value: '1', loadedAt: 1 }), false)
    assert.equal(await lastGood.put(other, 'b', { value: '1', loadedAt: 1 }), true)
    await lastGood.drop(user)
    assert.deepEqual(await lastGood.open(other, 'd', 10), { lease: 'd' })
    assert.equal(await lastGood.put(stranger, 'c', { value: '1', loadedAt: 1 }), true)
  })

  test(`${driver}: a later life empties the place, and an earlier one finds nothing`, async (t) => {
    const { lastGood } = await open(t)
    await lastGood.open(place, 'one', 10)
    await lastGood.put(place, 'one', { value: '"first life"', loadedAt: 1 })
    const next = { ...place, incarnation: 2 }
    assert.deepEqual(await lastGood.open(next, 'two', 10), { lease: 'two' })
    assert.deepEqual(await lastGood.open(place, 'three', 10), {})
    assert.equal(await lastGood.put(place, 'one', { value: '"first life"', loadedAt: 9 }), false)
  })

  test(`${driver}: rows are bounded, the oldest go first`, async (t) => {
    const { lastGood } = await open(t)
    for (let index = 0; index < 600; index++)
      await lastGood.open({ ...place, user: createSubject('test', `u${index}`) }, 'l', 20)
    const kept = async (index: number): Promise<boolean> =>
      lastGood.put({ ...place, user: createSubject('test', `u${index}`) }, 'l', { value: '1', loadedAt: 1 })
    assert.equal(await kept(0), false)
    assert.equal(await kept(300), false)
    assert.equal(await kept(599), true)
  })

  test(`${driver}: R4, UC-D01 a cold process tells what is kept at once while it asks the source`, async (t) => {
    const store = await open(t)
    const clock = handClock()
    const first = await openHouse({ sources: { profile: async () => ({ note: 'kept' }) } }, { store, clock })
    await first.user('asha').context.resolve()
    await first.contexts.close()
    await clock.pass(60_000)

    const answer = defer<object>()
    const second = await openHouse({ sources: { profile: () => answer.promise } }, { store, clock })
    const { context } = second.user('asha')
    const stale = await context.resolve({ budgetMs: 1_000 })
    assert.equal(stale.status, 'stale')
    assert.match(stale.details, /kept/)
    assert.equal(stale.sections[0]?.loadedAt, '2026-01-01T12:00:00.000Z')
    answer.resolve({ note: 'new' })
    await turn()
    assert.match((await context.resolve()).details, /new/)
    assert.equal((await context.resolve()).status, 'fresh')
    await second.contexts.close()
  })
}

test('data that another process has just loaded is fresh here too', async () => {
  const store = await openMemoryStore({ effects: systemEffects })
  const clock = handClock()
  let calls = 0
  const options = { sources: { profile: async () => ({ note: `call ${++calls}` }) } }
  const [here, there] = [await openHouse(options, { store, clock }), await openHouse(options, { store, clock })]
  await here.user('asha').context.resolve()
  await turn()
  assert.equal((await there.user('asha').context.resolve()).status, 'fresh')
  assert.equal(calls, 1)
  await there.user('bela').context.resolve({ maxAgeMs: 0 })
  assert.equal(calls, 2)
})

test('R5 a load that finds old data in the store while it is being dropped tells nobody who comes later', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const dropping = defer<void>()
  let hold = false
  const lastGood: LastGoodStore = {
    ...memory.lastGood,
    async drop(...order) {
      if (hold) await dropping.promise
      await memory.lastGood.drop(...order)
    },
  }
  let current = 'old'
  const house = await openHouse(
    { sources: { profile: async () => ({ note: current }) } },
    { store: { ...memory, lastGood } },
  )
  const { context } = house.user('asha')
  await context.resolve()
  await turn()
  current = 'new'
  hold = true
  const invalidating = context.invalidate()
  assert.match((await context.resolve()).details, /old/, 'it has not resolved yet')
  dropping.resolve()
  await invalidating
  assert.match((await context.resolve()).details, /new/)
  await house.close()
})

test('R1 a store that hangs costs a load one short wait, and then nothing for a while', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  let opened = 0
  const lastGood: LastGoodStore = {
    ...memory.lastGood,
    open() {
      opened += 1
      return new Promise(() => undefined)
    },
  }
  const house = await openHouse(
    { sources: { profile: async () => ({ note: 'told' }) } },
    { store: { ...memory, lastGood } },
  )
  const first = house.user('asha').context.resolve()
  await house.clock.pass(50)
  assert.equal((await first).status, 'fresh')
  assert.equal(house.clock.monotonic(), 50)
  assert.equal((await house.user('bela').context.resolve()).status, 'fresh')
  assert.equal(opened, 1)
  await house.close()
})

test('UC-11 an invalidation that could not reach the store rejects, and holds here all the same', async () => {
  const memory = await openMemoryStore({ effects: systemEffects })
  const lastGood: LastGoodStore = { ...memory.lastGood, drop: () => Promise.reject(new Error('store gone')) }
  let calls = 0
  const house = await openHouse(
    { sources: { profile: async () => ({ n: ++calls }) } },
    { store: { ...memory, lastGood } },
  )
  const { context } = house.user('asha')
  await context.resolve()
  await assert.rejects(context.invalidate(), /store gone/)
  assert.equal(context.peek(), undefined)
  await house.close()
})
