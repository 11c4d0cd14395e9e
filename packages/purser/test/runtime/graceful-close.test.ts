import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDiagnostic } from '../../src/core/diagnostics.ts'
import { fails, openRuntimeHarness, WITH_DEFAULTS } from '../support/runtime-harness.ts'

test('a client whose close throws or hangs is reported after 5 s, delays no caller and is not closed again (RC-D17)', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const reported: string[] = []
  const stop = onDiagnostic(
    'client',
    ({ kind, outcome, reason }) => void reported.push(`${kind} ${outcome} ${reason ?? ''}`.trim()),
  )
  harness.fakes.disconnect = () => new Promise(() => undefined)
  harness.fakes.closeModel = async () => {
    throw new Error('will not close')
  }
  const lease = await harness.user('ada').acquire()
  await lease.mcp('plain')
  const evicting = harness.user('ada').evict()
  lease.release()
  await evicting
  ;(await harness.user('ada').acquire()).release()
  await harness.clock.pass(5_000)
  stop()
  assert.deepEqual(reported, [
    'model opened',
    'mcp opened',
    'model close_failed evicted',
    'model opened',
    'mcp close_failed evicted',
  ])
  assert.deepEqual(harness.countCloses(), { models: [1, 0], connections: [1] })
})

test('close waits for leases until its timeout, then closes each client once and leaves no timer', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const unreleased = await harness.user('ada').acquire()
  await unreleased.mcp('plain')
  const returned = await harness.user('bob').acquire()
  const closing = harness.runtimes.close({ timeoutMs: 1_000 })
  await assert.rejects(harness.user('ada').acquire(), fails('closed'))
  await assert.rejects(harness.user('ada').settings(), fails('closed'))
  returned.release()
  await harness.clock.pass(999)
  assert.deepEqual(harness.countCloses(), { models: [0, 0], connections: [0] })
  await harness.clock.pass(1)
  await closing
  assert.deepEqual(harness.countCloses(), { models: [1, 1], connections: [1] })
  await assert.rejects(unreleased.mcp('plain'), fails('closed'))
  unreleased.release()
  await harness.runtimes.close()
  assert.deepEqual(harness.countCloses(), { models: [1, 1], connections: [1] })
  assert.equal(harness.clock.timers, 0)
})

test('erasing a user ends only the leases of that user, and the next incarnation starts empty', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  await harness.user('ada').configure({ model: 'n' })
  await harness.user('ada').setSecret('local', { apiKey: 'mine' })
  const [lease, other] = [await harness.user('ada').acquire(), await harness.user('bob').acquire()]
  await lease.mcp('plain')
  await harness.erase('ada')
  assert.deepEqual(harness.countCloses(), { models: [1, 0], connections: [1] })
  await assert.rejects(lease.mcp('plain'), fails('user_erased'))
  assert.throws(() => lease.chat, fails('user_erased'))
  const next = await harness.user('ada').acquire()
  assert.deepEqual([next.incarnation, next.settings.version, next.settings.model], [2, 0, 'm'])
  assert.equal(harness.models.at(-1)?.request.credentials, null)
  assert.ok(other.chat)
  for (const one of [lease, next, other]) one.release()
  assert.deepEqual(harness.countCloses(), { models: [1, 0, 0], connections: [1] })
})

test('a change, an eviction and an erasure in one process reach the other processes', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const other = await harness.openInstance()
  const acquireInOther = async (): Promise<unknown[]> => {
    const lease = await other.user('ada').acquire()
    lease.release()
    return [lease.settings.model, lease.incarnation]
  }
  assert.deepEqual(await acquireInOther(), ['m', 1])
  await harness.user('ada').configure({ model: 'n' })
  assert.deepEqual(await acquireInOther(), ['n', 1])
  const lease = await other.user('ada').acquire()
  await harness.user('ada').evict()
  lease.release()
  await other.clock.pass(0)
  assert.deepEqual(other.countCloses().models, [1, 1])
  const cut = await other.user('ada').acquire()
  await harness.erase('ada')
  await assert.rejects(cut.mcp('plain'), fails('user_erased'))
  assert.deepEqual(await acquireInOther(), ['m', 2])
})

test('a shared store is read again after 30 s if all messages are lost, and at once after a gap', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const silentStore = { ...harness.store, traits: { ...harness.store.traits, shared: true } }
  const listeners: Parameters<typeof silentStore.bus.subscribe>[0][] = []
  silentStore.bus = {
    publish: async () => undefined,
    subscribe(listener) {
      listeners.push(listener)
      return () => undefined
    },
  }
  const other = await harness.openInstance({ store: silentStore })
  const modelInOther = async (): Promise<string | null> => {
    const lease = await other.user('ada').acquire()
    lease.release()
    return lease.settings.model
  }
  assert.equal(await modelInOther(), 'm')
  await harness.user('ada').configure({ model: 'n' })
  harness.clock.advance(30_000)
  assert.equal(await modelInOther(), 'm')
  harness.clock.advance(1)
  assert.equal(await modelInOther(), 'n')
  await harness.user('ada').configure({ model: 'm' })
  for (const listen of listeners) listen('gap')
  assert.equal(await modelInOther(), 'm')
  await harness.erase('ada')
  const stale = await other.user('ada').acquire()
  harness.clock.advance(30_001)
  await assert.rejects(stale.mcp('plain'), fails('user_erased'), 'even though no message announced the erasure')
  stale.release()
})

test('acquire fails when the store cannot be read, leaves no runtime in memory, and works again afterwards', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const { load } = harness.store.users
  harness.store.users.load = async () => {
    throw new Error('store down')
  }
  await assert.rejects(harness.user('ada').acquire(), /store down/)
  assert.deepEqual(harness.runtimes.active(), [])
  harness.store.users.load = load
  ;(await harness.user('ada').acquire()).release()
  harness.store.users.load = async () => {
    throw new Error('store down')
  }
  ;(await harness.user('ada').acquire()).release()
  harness.store.users.load = load
})

test('an eviction with a reason is logged for a user who exists and does not create a user', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  await harness.user('ada').configure({ model: 'n' })
  await harness.user('ada').evict({ reason: 'stuck', actor: 'ops' })
  await harness.user('unknown').evict({ reason: 'stuck' })
  const [event] = await harness.store.events.newest(harness.subject('ada'), { limit: 1 })
  const { type, data, actor, reason } = JSON.parse(event?.body ?? '')
  assert.deepEqual(
    { type, data, actor, reason },
    { type: 'admin_action', data: { action: 'evicted' }, actor: 'ops', reason: 'stuck' },
  )
  assert.equal(await harness.store.users.load(harness.subject('unknown')), undefined)
})

test('an eviction resolves when the unused clients are closed', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  ;(await harness.user('ada').acquire()).release()
  const closing = Promise.withResolvers<void>()
  harness.fakes.closeModel = () => closing.promise
  let isDone = false
  const evicting = harness
    .user('ada')
    .evict()
    .then(() => {
      isDone = true
    })
  await harness.clock.pass(0)
  assert.equal(isDone, false)
  closing.resolve()
  await evicting
})
