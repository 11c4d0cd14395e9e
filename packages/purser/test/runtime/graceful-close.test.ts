import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDiagnostic } from '../../src/core/diagnostics.ts'
import { closesOf, FURNISHED, fails, openHouse } from '../support/runtime-harness.ts'

test('R3 RC-D17: a close that throws or hangs is reported after 5 s, stalls nobody, and is not repeated', async () => {
  const house = await openHouse(FURNISHED)
  const reported: string[] = []
  const stop = onDiagnostic(
    'client',
    ({ kind, outcome, reason }) => void reported.push(`${kind} ${outcome} ${reason ?? ''}`.trim()),
  )
  house.behaviour.closeTools = () => new Promise(() => undefined)
  house.behaviour.closeModel = async () => {
    throw new Error('will not close')
  }
  const lease = await house.user('ada').acquire()
  await lease.mcp('plain')
  const evicting = house.user('ada').evict()
  lease.release()
  await evicting
  ;(await house.user('ada').acquire()).release()
  await house.clock.pass(5_000)
  stop()
  assert.deepEqual(reported, [
    'model opened',
    'mcp opened',
    'model close_failed evicted',
    'model opened',
    'mcp close_failed evicted',
  ])
  assert.deepEqual(closesOf(house), { models: [1, 0], tools: [1] })
})

test('R19: close waits for leases to its deadline, cuts, closes each client once and leaves no timer', async () => {
  const house = await openHouse(FURNISHED)
  const kept = await house.user('ada').acquire()
  await kept.mcp('plain')
  const returned = await house.user('bob').acquire()
  const closing = house.runtimes.close({ timeoutMs: 1_000 })
  await assert.rejects(house.user('ada').acquire(), fails('closed'))
  await assert.rejects(house.user('ada').settings(), fails('closed'))
  returned.release()
  await house.clock.pass(999)
  assert.deepEqual(closesOf(house), { models: [0, 0], tools: [0] })
  await house.clock.pass(1)
  await closing
  assert.deepEqual(closesOf(house), { models: [1, 1], tools: [1] })
  await assert.rejects(kept.mcp('plain'), fails('closed'))
  kept.release()
  await house.runtimes.close()
  assert.deepEqual(closesOf(house), { models: [1, 1], tools: [1] })
  assert.equal(house.clock.timers, 0)
})

test('R20: erasing cuts the leases of that user alone, and the next life starts from nothing', async () => {
  const house = await openHouse(FURNISHED)
  await house.user('ada').configure({ model: 'n' })
  await house.user('ada').setSecret('local', { apiKey: 'mine' })
  const [lease, other] = [await house.user('ada').acquire(), await house.user('bob').acquire()]
  await lease.mcp('plain')
  await house.erase('ada')
  assert.deepEqual(closesOf(house), { models: [1, 0], tools: [1] })
  await assert.rejects(lease.mcp('plain'), fails('user_erased'))
  assert.throws(() => lease.chat, fails('user_erased'))
  const next = await house.user('ada').acquire()
  assert.deepEqual([next.incarnation, next.settings.version, next.settings.model], [2, 0, 'm'])
  assert.equal(house.models.at(-1)?.order.credentials, null)
  assert.ok(other.chat)
  for (const one of [lease, next, other]) one.release()
  assert.deepEqual(closesOf(house), { models: [1, 0, 0], tools: [1] })
})

test('R13: a change, an eviction and an erasure in one process reach the others', async () => {
  const house = await openHouse(FURNISHED)
  const other = await house.sibling()
  const acquireThere = async (): Promise<unknown[]> => {
    const lease = await other.user('ada').acquire()
    lease.release()
    return [lease.settings.model, lease.incarnation]
  }
  assert.deepEqual(await acquireThere(), ['m', 1])
  await house.user('ada').configure({ model: 'n' })
  assert.deepEqual(await acquireThere(), ['n', 1])
  const lease = await other.user('ada').acquire()
  await house.user('ada').evict()
  lease.release()
  await other.clock.pass(0)
  assert.deepEqual(closesOf(other).models, [1, 1])
  const cut = await other.user('ada').acquire()
  await house.erase('ada')
  await assert.rejects(cut.mcp('plain'), fails('user_erased'))
  assert.deepEqual(await acquireThere(), ['m', 2])
})

test('R13: with all news lost, a shared store is read again after 30 s; a gap is healed at once', async () => {
  const house = await openHouse(FURNISHED)
  const deaf = { ...house.store, traits: { ...house.store.traits, shared: true } }
  const listeners: Parameters<typeof deaf.bus.subscribe>[0][] = []
  deaf.bus = {
    publish: async () => undefined,
    subscribe(listener) {
      listeners.push(listener)
      return () => undefined
    },
  }
  const other = await house.sibling({ store: deaf })
  const modelThere = async (): Promise<string | null> => {
    const lease = await other.user('ada').acquire()
    lease.release()
    return lease.settings.model
  }
  assert.equal(await modelThere(), 'm')
  await house.user('ada').configure({ model: 'n' })
  house.clock.advance(30_000)
  assert.equal(await modelThere(), 'm')
  house.clock.advance(1)
  assert.equal(await modelThere(), 'n')
  await house.user('ada').configure({ model: 'm' })
  for (const hear of listeners) hear('gap')
  assert.equal(await modelThere(), 'm')
  await house.erase('ada')
  const stale = await other.user('ada').acquire()
  house.clock.advance(30_001)
  await assert.rejects(stale.mcp('plain'), fails('user_erased'), 'even where nobody told of the erasure')
  stale.release()
})

test('a store that cannot be read fails the acquisition, leaves nothing behind, and works again afterwards', async () => {
  const house = await openHouse(FURNISHED)
  const { load } = house.store.users
  house.store.users.load = async () => {
    throw new Error('store down')
  }
  await assert.rejects(house.user('ada').acquire(), /store down/)
  assert.deepEqual(house.runtimes.active(), [])
  house.store.users.load = load
  ;(await house.user('ada').acquire()).release()
  house.store.users.load = async () => {
    throw new Error('store down')
  }
  ;(await house.user('ada').acquire()).release()
  house.store.users.load = load
})

test('an eviction with a reason is in the log of a user who exists, and creates nobody', async () => {
  const house = await openHouse(FURNISHED)
  await house.user('ada').configure({ model: 'n' })
  await house.user('ada').evict({ reason: 'stuck', actor: 'ops' })
  await house.user('nobody').evict({ reason: 'stuck' })
  const [event] = await house.store.events.newest(house.subject('ada'), { limit: 1 })
  const { type, data, actor, reason } = JSON.parse(event?.body ?? '')
  assert.deepEqual(
    { type, data, actor, reason },
    { type: 'admin_action', data: { action: 'evicted' }, actor: 'ops', reason: 'stuck' },
  )
  assert.equal(await house.store.users.load(house.subject('nobody')), undefined)
})

test('an eviction resolves when what nobody holds is closed', async () => {
  const house = await openHouse(FURNISHED)
  ;(await house.user('ada').acquire()).release()
  const closing = Promise.withResolvers<void>()
  house.behaviour.closeModel = () => closing.promise
  let isDone = false
  const evicting = house
    .user('ada')
    .evict()
    .then(() => {
      isDone = true
    })
  await house.clock.pass(0)
  assert.equal(isDone, false)
  closing.resolve()
  await evicting
})
