import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { rounds } from '../support/fuzz-options.ts'
import { openRuntimeHarness } from '../support/runtime-harness.ts'

const LOCAL = { runtime: { defaults: { provider: 'local' }, maxLive: 1_000 } }

test('thousands of runtimes leave no listener on a long-lived signal, no timer and no open client', async () => {
  await using harness = await openRuntimeHarness(LOCAL)
  const { signal } = new AbortController()
  const timers = harness.clock.timers
  for (let index = 0; index < rounds(10_000, 1_000); index++) {
    const lease = await harness.user(`user-${index}`).acquire({ signal, session: 's' })
    await lease.mcp('plain', { signal })
    lease.release()
    if (index % 100 === 0) await harness.user(`user-${index}`).evict()
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  await harness.runtimes.close()
  assert.equal(harness.clock.timers, timers - 1, 'the sweep timer is gone as well')
  assert.deepEqual(
    [...harness.models, ...harness.connections].filter(({ closes }) => closes !== 1),
    [],
  )
})

test('reading the settings of many unknown ids leaves nothing in memory and nothing in the store (RC-D08)', async () => {
  await using harness = await openRuntimeHarness(LOCAL)
  for (let index = 0; index < rounds(100_000, 5_000); index++) {
    const settings = await harness.user(`hostile-${index}`).settings({ session: `s-${index}` })
    assert.equal(settings.version, 0)
  }
  assert.deepEqual(harness.runtimes.active(), [])
  assert.deepEqual(await harness.store.users.overview('test').then(({ users }) => users), 0)
})

test('acquiring for many unknown ids is limited by maxLive and does not create users', async () => {
  await using harness = await openRuntimeHarness(LOCAL)
  for (let index = 0; index < 3_000; index++) (await harness.user(`hostile-${index}`).acquire()).release()
  assert.equal(harness.runtimes.active().length, 1_000)
  assert.equal((await harness.store.users.overview('test')).users, 0)
  await harness.clock.pass(0)
  assert.equal(harness.models.filter(({ closes }) => closes === 0).length, 1_000)
})

test('at most 200 unknown sessions of a user are cached', async () => {
  await using harness = await openRuntimeHarness(LOCAL)
  let reads = 0
  const { record } = harness.store.users
  harness.store.users.record = (user, kind, name) => {
    if (kind === 'session') reads++
    return record(user, kind, name)
  }
  for (let index = 0; index < 500; index++) (await harness.user('ada').acquire({ session: `s-${index}` })).release()
  for (let index = 0; index < 500; index++) (await harness.user('ada').acquire({ session: 's-499' })).release()
  assert.equal(reads, 500)
})
