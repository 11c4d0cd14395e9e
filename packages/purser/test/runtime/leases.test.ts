import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lease } from '../../src/runtime/port.ts'
import { onSignal } from '../../src/signals.ts'
import { fails, type House, openHouse } from './house.ts'

const LOCAL = { options: { defaults: { provider: 'local', mcpServers: ['plain', 'own', 'child'] } } }
const HOUR = 3_600_000

const closes = (house: House): { models: number[]; tools: number[] } => ({
  models: house.models.map((model) => model.closes),
  tools: house.tools.map((tools) => tools.closes),
})

test('R4 RC-D05: eviction waits for the lease, serves others from a new runtime, and closes at the last release', async () => {
  const house = await openHouse(LOCAL)
  const user = house.user('ada')
  const [one, two] = [await user.acquire(), await user.acquire()]
  const client = await one.mcp('plain')
  await user.evict({ reason: 'test' })
  const after = await user.acquire()
  assert.notEqual(await after.mcp('plain'), client)
  assert.deepEqual(closes(house), { models: [0, 0], tools: [1 - 1, 0] })
  assert.deepEqual(
    house.runtimes.active().map(({ inUse }) => inUse),
    [2, 1],
  )
  assert.equal(await one.mcp('plain'), client, 'a lease keeps what it has')
  one.release()
  one.release()
  assert.deepEqual(closes(house).models, [0, 0])
  two.release()
  await house.clock.pass(0)
  assert.deepEqual(closes(house), { models: [1, 0], tools: [1, 0] })
  after.release()
  await house.runtimes.close()
  assert.deepEqual(closes(house), { models: [1, 1], tools: [1, 1] })
})

test('R6 R7: changing the model keeps the MCP client, and a lease keeps its snapshot to the end', async () => {
  const house = await openHouse(LOCAL)
  const user = house.user('ada')
  const before = await user.acquire()
  const client = await before.mcp('plain')
  await user.configure({ model: 'n' })
  const after = await user.acquire()
  assert.deepEqual([before.settings.model, after.settings.model], ['m', 'n'])
  assert.equal(await after.mcp('plain'), client)
  assert.equal((before.chat as unknown as { model: string }).model, 'm')
  before.release()
  await house.clock.pass(0)
  assert.deepEqual(closes(house), { models: [1, 0], tools: [0] })
})

test('R7: a new version of a secret replaces exactly the clients that were made with it', async () => {
  const house = await openHouse(LOCAL)
  const user = house.user('ada')
  await user.setSecret('own', { token: 'first' })
  const lease = await user.acquire()
  const [plain, own] = [await lease.mcp('plain'), await lease.mcp('own')]
  await user.setSecret('own', { token: 'second' })
  const later = await user.acquire()
  assert.equal(await later.mcp('plain'), plain)
  assert.notEqual(await later.mcp('own'), own)
  assert.deepEqual(house.tools[2]?.order.definition, {
    url: 'http://127.0.0.1:1/ada/mcp',
    headers: { authorization: 'Bearer second' },
  })
  await user.setSecret('local', { apiKey: 'mine' })
  ;(await user.acquire()).release()
  for (const one of [lease, later]) one.release()
  await house.clock.pass(0)
  assert.deepEqual(closes(house), { models: [1, 0], tools: [0, 1, 0] })
})

test('a server that is taken out of the settings loses its client, and later leases do not get it', async () => {
  const house = await openHouse(LOCAL)
  const user = house.user('ada')
  const lease = await user.acquire()
  await lease.mcp('plain')
  lease.release()
  await user.configure({ mcpServers: ['child'] })
  await house.clock.pass(0)
  assert.deepEqual(closes(house).tools, [1])
  await assert.rejects((await user.acquire()).mcp('plain'), fails('mcp_unknown'))
})

test('which servers may be asked for: those named, none when the list is empty, any when no layer says', async () => {
  const house = await openHouse()
  const user = house.user('ada')
  assert.ok(await (await user.acquire()).mcp('plain'))
  await user.configure({ mcpServers: [] })
  await assert.rejects((await user.acquire()).mcp('plain'), fails('mcp_unknown'))
  await assert.rejects((await house.user('bob').acquire()).mcp('nowhere'), fails('mcp_unknown'))
})

test('a runtime without any model can still be leased; its model says what is missing', async () => {
  const lease = await (await openHouse()).user('ada').acquire()
  assert.equal(lease.settings.provider, null)
  assert.throws(() => lease.model, fails('model_required'))
  assert.throws(() => lease.chat, fails('model_required'))
})

test('RC-D06 R5: 1,000 parallel first uses open one runtime, one model and one MCP client', async () => {
  const house = await openHouse(LOCAL)
  const leases = await Promise.all(Array.from({ length: 1_000 }, () => house.user('ada').acquire()))
  const clients = await Promise.all(leases.map((lease) => lease.mcp('plain')))
  assert.equal(new Set(clients).size, 1)
  assert.deepEqual([house.models.length, house.tools.length, house.runtimes.active().length], [1, 1, 1])
  for (const lease of leases) lease.release()
  await house.user('ada').evict()
  assert.deepEqual(closes(house), { models: [1], tools: [1] })
})

test('R5: a failed opening is told to all who waited, the next call tries again, and further failures back off', async () => {
  const house = await openHouse(LOCAL)
  let attempts = 0
  house.behaviour.openTools = async () => {
    attempts++
    throw new Error('refused')
  }
  const lease = await house.user('ada').acquire()
  const waiting = await Promise.allSettled(Array.from({ length: 100 }, () => lease.mcp('plain')))
  assert.ok(waiting.every((one) => one.status === 'rejected' && one.reason.code === 'mcp_unavailable'))
  assert.equal(attempts, 1)
  await assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  assert.equal(attempts, 2)
  await assert.rejects(
    lease.mcp('plain'),
    (error: { details: { retryAfterMs: number } }) => error.details.retryAfterMs === 1_000,
  )
  assert.equal(attempts, 2, 'too early: not tried')
  house.clock.advance(1_000)
  await assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  house.clock.advance(1_999)
  await assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  assert.equal(attempts, 3)
  house.clock.advance(1)
  house.behaviour.openTools = async () => undefined
  assert.ok(await lease.mcp('plain'))
  lease.release()
})

test('R5: one waiter that leaves does not cancel the opening for the others', async () => {
  const house = await openHouse(LOCAL)
  const opening = Promise.withResolvers<void>()
  house.behaviour.openTools = () => opening.promise
  const lease = await house.user('ada').acquire()
  const leaving = new AbortController()
  const left = lease.mcp('plain', { signal: leaving.signal })
  const stays = lease.mcp('plain')
  await house.clock.pass(0)
  leaving.abort(new Error('gone'))
  await assert.rejects(left, /gone/)
  opening.resolve()
  assert.ok(await stays)
  await assert.rejects(lease.mcp('plain', { signal: AbortSignal.abort(new Error('before')) }), /before/)
  await assert.rejects(house.user('ada').acquire({ signal: AbortSignal.abort(new Error('before')) }), /before/)
  lease.release()
})

test('a server that does not answer for 30 s is given up, and what opens too late is closed once', async () => {
  const house = await openHouse(LOCAL)
  const opening = Promise.withResolvers<void>()
  house.behaviour.openTools = () => opening.promise
  const lease = await house.user('ada').acquire()
  const refused = assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  await house.clock.pass(30_000)
  await refused
  opening.resolve()
  await house.clock.pass(0)
  assert.deepEqual(closes(house).tools, [1])
  lease.release()
})

test('what opens after its runtime was evicted and left, or after close, is closed exactly once', async () => {
  for (const leave of [(house: House) => house.user('ada').evict(), (house: House) => house.runtimes.close()]) {
    const house = await openHouse(LOCAL)
    const opening = Promise.withResolvers<void>()
    house.behaviour.openTools = () => opening.promise
    const lease = await house.user('ada').acquire()
    const waiting = lease.mcp('plain').catch((error: unknown) => error)
    await house.clock.pass(0)
    lease.release()
    const left = leave(house)
    opening.resolve()
    assert.equal(((await waiting) as { code: string }).code, 'closed')
    await left
    assert.deepEqual(closes(house), { models: [1], tools: [1] })
  }
})

test('R18: a broken client is given to nobody any more; those who hold it keep it until they leave', async () => {
  const house = await openHouse(LOCAL)
  const [one, two] = [await house.user('ada').acquire(), await house.user('ada').acquire()]
  const client = await one.mcp('plain')
  house.tools[0]?.breakIt()
  house.tools[0]?.breakIt()
  assert.notEqual(await two.mcp('plain'), client)
  assert.notEqual(await one.mcp('plain'), client, 'also the same lease gets a fresh one')
  assert.deepEqual(closes(house).tools, [0, 0])
  one.release()
  await house.clock.pass(0)
  assert.deepEqual(closes(house).tools, [1, 0])
  two.release()
})

test('R3 RC-D17: a close that throws or hangs is reported after 5 s, stalls nobody, and is not repeated', async () => {
  const house = await openHouse(LOCAL)
  const reported: string[] = []
  const stop = onSignal(
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
  assert.deepEqual(closes(house), { models: [1, 0], tools: [1] })
})

test('RC-09 RC-10 RC-19 R10: the timer evicts what was idle for strictly longer, a touch saves it, looks do not', async () => {
  const house = await openHouse(LOCAL)
  const reasons: (string | undefined)[] = []
  const stop = onSignal('runtime', ({ outcome, reason }) => void (outcome === 'evicted' && reasons.push(reason)))
  for (const id of ['old', 'touched', 'leased']) (await house.user(id).acquire()).release()
  const lease = await house.user('leased').acquire()
  await house.clock.pass(23 * HOUR)
  ;(await house.user('touched').acquire()).release()
  house.runtimes.active()
  await house.user('old').settings()
  await house.clock.pass(HOUR)
  assert.deepEqual(
    house.runtimes
      .active()
      .map(({ user }) => user)
      .sort(),
    ['leased', 'old', 'touched'],
  )
  await house.clock.pass(300_000)
  assert.deepEqual(
    house.runtimes
      .active()
      .map(({ user }) => user)
      .sort(),
    ['leased', 'touched'],
  )
  assert.deepEqual(closes(house).models, [1, 0, 0])
  lease.release()
  assert.deepEqual(await house.runtimes.sweep(), { evicted: 0 })
  stop()
  assert.deepEqual(reasons, ['idle'])
  await house.runtimes.close()
})

test('RC-13: the idle limit takes fractions of an hour; a clock step of a day either way evicts and saves nobody', async () => {
  const house = await openHouse({ options: { ...LOCAL.options, idleMs: 0.5 * HOUR } })
  ;(await house.user('ada').acquire()).release()
  house.clock.stepWall(86_400_000)
  assert.deepEqual(await house.runtimes.sweep(), { evicted: 0 })
  house.clock.stepWall(-2 * 86_400_000)
  house.clock.stepMonotonic(0.5 * HOUR)
  assert.deepEqual(await house.runtimes.sweep(), { evicted: 0 })
  house.clock.stepMonotonic(1)
  assert.deepEqual(await house.runtimes.sweep(), { evicted: 1 })
})

test('R10: one runtime whose clients will not close does not stop the sweep', async () => {
  const house = await openHouse(LOCAL)
  for (const id of ['a', 'b', 'c']) (await house.user(id).acquire()).release()
  house.behaviour.closeModel = async ({ user }) => {
    if (user.id !== 'c') throw new Error('will not close')
  }
  await house.clock.pass(25 * HOUR)
  assert.deepEqual(house.runtimes.active(), [])
  assert.deepEqual(closes(house).models, [1, 1, 1])
})

test('an MCP client that nobody holds is closed after mcpIdleMs, one in a long call is not', async () => {
  const house = await openHouse(LOCAL)
  const long = await house.user('ada').acquire()
  await long.mcp('plain')
  const short = await house.user('ada').acquire()
  await short.mcp('child')
  short.release()
  await house.clock.pass(900_000)
  assert.deepEqual(closes(house).tools, [0, 0])
  await house.clock.pass(300_000)
  assert.deepEqual(closes(house).tools, [0, 1])
  long.release()
})

test('R11: at maxLive the longest unused goes; when all are leased the next is runtime_busy, and reads are not', async () => {
  const house = await openHouse({ options: { ...LOCAL.options, maxLive: 3 } })
  for (const id of ['a', 'b', 'c']) (await house.user(id).acquire()).release()
  ;(await house.user('a').acquire()).release()
  const leases = [await house.user('d').acquire(), await house.user('a').acquire()]
  assert.deepEqual(
    house.runtimes.active().map(({ user }) => user),
    ['a', 'c', 'd'],
  )
  leases.push(await house.user('c').acquire())
  await assert.rejects(house.user('e').acquire(), fails('runtime_busy'))
  assert.equal((await house.user('e').settings()).provider, 'local')
  leases[0]?.release()
  ;(await house.user('e').acquire()).release()
  for (const lease of leases) lease.release()
})

test('R11: at maxMcpProcesses the idle one longest unused is closed first, and only then the next is opened', async () => {
  const house = await openHouse({ options: { ...LOCAL.options, maxMcpProcesses: 2 } })
  const use = async (id: string): Promise<Lease> => {
    const lease = await house.user(id).acquire()
    await lease.mcp('child')
    return lease
  }
  ;(await use('a')).release()
  ;(await use('b')).release()
  const closing = Promise.withResolvers<void>()
  house.behaviour.closeTools = () => closing.promise
  const third = use('c')
  await house.clock.pass(0)
  assert.deepEqual([house.tools.length, closes(house).tools], [2, [1, 0]])
  closing.resolve()
  const leases = [await third, await use('b')]
  await assert.rejects(use('d'), fails('runtime_busy'))
  assert.ok(await (await house.user('d').acquire()).mcp('plain'), 'a connection over HTTP needs no such place')
  leases[0]?.release()
  leases.push(await use('d'))
  assert.deepEqual(
    house.tools.map((tools) => [tools.order.server, tools.closes]),
    [
      ['child', 1],
      ['child', 0],
      ['child', 1],
      ['plain', 0],
      ['child', 0],
    ],
  )
  for (const lease of leases) lease.release()
})

test('R11: a user who asks for ever new models keeps at most 16 of them live', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'open', model: 'z' } } })
  for (let index = 0; index < 100; index++) {
    ;(await house.user('ada').acquire({ override: { model: `m${index}` } })).release()
  }
  await house.clock.pass(0)
  assert.equal(house.models.filter((model) => model.closes === 0).length, 16)
  const leases: Lease[] = []
  for (let index = 0; index < 16; index++)
    leases.push(await house.user('ada').acquire({ override: { model: `m${index}` } }))
  await assert.rejects(house.user('ada').acquire({ override: { model: 'one more' } }), fails('runtime_busy'))
  for (const lease of leases) lease.release()
})

test('R19: close waits for leases to its deadline, cuts, closes each client once and leaves no timer', async () => {
  const house = await openHouse(LOCAL)
  const kept = await house.user('ada').acquire()
  await kept.mcp('plain')
  const returned = await house.user('bob').acquire()
  const closing = house.runtimes.close({ timeoutMs: 1_000 })
  await assert.rejects(house.user('ada').acquire(), fails('closed'))
  await assert.rejects(house.user('ada').settings(), fails('closed'))
  returned.release()
  await house.clock.pass(999)
  assert.deepEqual(closes(house), { models: [0, 0], tools: [0] })
  await house.clock.pass(1)
  await closing
  assert.deepEqual(closes(house), { models: [1, 1], tools: [1] })
  await assert.rejects(kept.mcp('plain'), fails('closed'))
  kept.release()
  await house.runtimes.close()
  assert.deepEqual(closes(house), { models: [1, 1], tools: [1] })
  assert.equal(house.clock.timers, 0)
})

test('R20: erasing cuts the leases of that user alone, and the next life starts from nothing', async () => {
  const house = await openHouse(LOCAL)
  await house.user('ada').configure({ model: 'n' })
  await house.user('ada').setSecret('local', { apiKey: 'mine' })
  const [lease, other] = [await house.user('ada').acquire(), await house.user('bob').acquire()]
  await lease.mcp('plain')
  await house.erase('ada')
  assert.deepEqual(closes(house), { models: [1, 0], tools: [1] })
  await assert.rejects(lease.mcp('plain'), fails('user_erased'))
  assert.throws(() => lease.chat, fails('user_erased'))
  const next = await house.user('ada').acquire()
  assert.deepEqual([next.incarnation, next.settings.version, next.settings.model], [2, 0, 'm'])
  assert.equal(house.models.at(-1)?.order.credentials, null)
  assert.ok(other.chat)
  for (const one of [lease, next, other]) one.release()
  assert.deepEqual(closes(house), { models: [1, 0, 0], tools: [1] })
})

test('R13: a change, an eviction and an erasure in one process reach the others', async () => {
  const house = await openHouse(LOCAL)
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
  assert.deepEqual(closes(other).models, [1, 1])
  const cut = await other.user('ada').acquire()
  await house.erase('ada')
  await assert.rejects(cut.mcp('plain'), fails('user_erased'))
  assert.deepEqual(await acquireThere(), ['m', 2])
})

test('R13: with all news lost, a shared store is read again after 30 s; a gap is healed at once', async () => {
  const house = await openHouse(LOCAL)
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
  const house = await openHouse(LOCAL)
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

test('RC-25 R20: a warm acquire and release touches neither the store nor a timer', async () => {
  const house = await openHouse(LOCAL)
  ;(await house.user('ada').acquire()).release()
  const { timers } = house.clock
  for (const name of ['load', 'record', 'records'] as const) {
    house.store.users[name] = async () => assert.fail(`${name} was called`)
  }
  for (let index = 0; index < 1_000; index++) (await house.user('ada').acquire()).release()
  assert.equal(house.clock.timers, timers)
  assert.equal(house.models.length, 1)
})

test('the admin view shows user, version, use and clients, and nothing secret', async () => {
  const house = await openHouse(LOCAL)
  await house.user('ada').configure({ model: 'n' })
  await house.user('ada').setSecret('own', { token: 'canary' })
  const lease = await house.user('ada').acquire()
  await lease.mcp('own')
  assert.deepEqual(house.runtimes.active(), [
    {
      user: 'ada',
      version: 1,
      inUse: 1,
      idleMs: 0,
      clients: [
        { kind: 'model', name: 'local/n', state: 'open', inUse: 1 },
        { kind: 'mcp', name: 'own', state: 'open', inUse: 1 },
      ],
    },
  ])
  lease.release()
  house.clock.advance(1_234)
  assert.deepEqual(
    house.runtimes.active().map(({ inUse, idleMs }) => ({ inUse, idleMs })),
    [{ inUse: 0, idleMs: 1_234 }],
  )
})

test('a missing field of a secret that a server needs is secret_missing, told by its name', async () => {
  const house = await openHouse(LOCAL)
  const lease = await house.user('ada').acquire()
  await assert.rejects(lease.mcp('own'), fails('secret_missing'))
  await house.user('ada').setSecret('own', { other: 'x' })
  await assert.rejects(lease.mcp('own'), (error: { details: object }) => {
    assert.deepEqual(error.details, { name: 'own', field: 'token' })
    return true
  })
  lease.release()
})

test('an eviction with a reason is in the log of a user who exists, and creates nobody', async () => {
  const house = await openHouse(LOCAL)
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
  const house = await openHouse(LOCAL)
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

test('R20: each way a runtime is taken into use, refused or let go of can be counted', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' }, maxLive: 1 } })
  const seen: string[] = []
  const stop = onSignal('runtime', ({ outcome, reason }) => {
    seen.push(reason === undefined ? outcome : `${outcome} ${reason}`)
  })
  const lease = await house.user('ada').acquire()
  ;(await house.user('ada').acquire()).release()
  await assert.rejects(house.user('bob').acquire(), fails('runtime_busy'))
  lease.release()
  ;(await house.user('bob').acquire()).release()
  await house.user('bob').evict()
  await house.user('eve').acquire()
  await house.erase('eve')
  await house.runtimes.close({ timeoutMs: 0 })
  stop()
  assert.deepEqual(seen, [
    'cold',
    'warm',
    'refused runtime_busy',
    'evicted crowded',
    'cold',
    'evicted evicted',
    'cold',
    'evicted erased',
  ])
})

test('R11: a process that was let go of but is still in use is no place that will soon be free', async () => {
  const house = await openHouse({ options: { ...LOCAL.options, maxMcpProcesses: 1 } })
  const lease = await house.user('ada').acquire()
  await lease.mcp('child')
  await house.user('ada').evict()
  const other = await house.user('bob').acquire()
  await assert.rejects(other.mcp('child'), fails('runtime_busy'))
  lease.release()
  assert.ok(await other.mcp('child'))
  other.release()
})

test('R14: users who wait for a server that hangs hold up nobody who uses another', async () => {
  const house = await openHouse(LOCAL)
  const hanging = Promise.withResolvers<void>()
  let opening = 0
  house.behaviour.openTools = ({ server }) => {
    if (server !== 'plain') return Promise.resolve()
    opening++
    return hanging.promise
  }
  const waiting = Array.from({ length: 100 }, async (_, index) => {
    await using lease = await house.user(`user-${index}`).acquire()
    return await lease.mcp('plain')
  })
  await house.clock.pass(0)
  assert.equal(opening, 32)
  await using lease = await house.user('ada').acquire()
  assert.ok(await lease.mcp('child'))
  hanging.resolve()
  assert.equal((await Promise.all(waiting)).length, 100)
})
