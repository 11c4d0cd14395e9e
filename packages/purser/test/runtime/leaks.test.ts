import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { rounds } from '../support/fuzz-options.ts'
import { openHouse } from '../support/runtime-harness.ts'

const LOCAL = { options: { defaults: { provider: 'local' }, maxLive: 1_000 } }

test('R19: thousands of runtimes that come and go leave no listener on a long-lived signal, no timer, no client', async () => {
  const house = await openHouse(LOCAL)
  const { signal } = new AbortController()
  const timers = house.clock.timers
  for (let index = 0; index < rounds(10_000, 1_000); index++) {
    const lease = await house.user(`user-${index}`).acquire({ signal, session: 's' })
    await lease.mcp('plain', { signal })
    lease.release()
    if (index % 100 === 0) await house.user(`user-${index}`).evict()
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  await house.runtimes.close()
  assert.equal(house.clock.timers, timers - 1, 'the sweep is gone as well')
  assert.deepEqual(
    [...house.models, ...house.tools].filter(({ closes }) => closes !== 1),
    [],
  )
})

test('RC-D08 R11: a crowd of made-up ids that only look leaves nothing in memory and nothing in the store', async () => {
  const house = await openHouse(LOCAL)
  for (let index = 0; index < rounds(100_000, 5_000); index++) {
    const settings = await house.user(`hostile-${index}`).settings({ session: `s-${index}` })
    assert.equal(settings.version, 0)
  }
  assert.deepEqual(house.runtimes.active(), [])
  assert.deepEqual(await house.store.users.overview('test').then(({ users }) => users), 0)
})

test('R11: a crowd of made-up ids that acquire is bounded by maxLive, and creates no stored user', async () => {
  const house = await openHouse(LOCAL)
  for (let index = 0; index < 3_000; index++) (await house.user(`hostile-${index}`).acquire()).release()
  assert.equal(house.runtimes.active().length, 1_000)
  assert.equal((await house.store.users.overview('test')).users, 0)
  await house.clock.pass(0)
  assert.equal(house.models.filter(({ closes }) => closes === 0).length, 1_000)
})

test('a user who asks for ever new sessions that do not exist is remembered with at most 200 of them', async () => {
  const house = await openHouse(LOCAL)
  let reads = 0
  const { record } = house.store.users
  house.store.users.record = (user, kind, name) => {
    if (kind === 'session') reads++
    return record(user, kind, name)
  }
  for (let index = 0; index < 500; index++) (await house.user('ada').acquire({ session: `s-${index}` })).release()
  for (let index = 0; index < 500; index++) (await house.user('ada').acquire({ session: 's-499' })).release()
  assert.equal(reads, 500)
})
