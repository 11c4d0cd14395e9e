import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDiagnostic } from '../../src/core/diagnostics.ts'
import type { Lease } from '../../src/runtime/api.ts'
import { closesOf, FURNISHED, fails, openHouse } from '../support/runtime-harness.ts'

const HOUR = 3_600_000

test('RC-09 RC-10 RC-19 R10: the timer evicts what was idle for strictly longer, a touch saves it, looks do not', async () => {
  const house = await openHouse(FURNISHED)
  const reasons: (string | undefined)[] = []
  const stop = onDiagnostic('runtime', ({ outcome, reason }) => void (outcome === 'evicted' && reasons.push(reason)))
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
  assert.deepEqual(closesOf(house).models, [1, 0, 0])
  lease.release()
  assert.deepEqual(await house.runtimes.sweep(), { evicted: 0 })
  stop()
  assert.deepEqual(reasons, ['idle'])
  await house.runtimes.close()
})

test('RC-13: the idle limit takes fractions of an hour; a clock step of a day either way evicts and saves nobody', async () => {
  const house = await openHouse({ options: { ...FURNISHED.options, idleMs: 0.5 * HOUR } })
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
  const house = await openHouse(FURNISHED)
  for (const id of ['a', 'b', 'c']) (await house.user(id).acquire()).release()
  house.behaviour.closeModel = async ({ user }) => {
    if (user.id !== 'c') throw new Error('will not close')
  }
  await house.clock.pass(25 * HOUR)
  assert.deepEqual(house.runtimes.active(), [])
  assert.deepEqual(closesOf(house).models, [1, 1, 1])
})

test('an MCP client that nobody holds is closed after mcpIdleMs, one in a long call is not', async () => {
  const house = await openHouse(FURNISHED)
  const long = await house.user('ada').acquire()
  await long.mcp('plain')
  const short = await house.user('ada').acquire()
  await short.mcp('child')
  short.release()
  await house.clock.pass(900_000)
  assert.deepEqual(closesOf(house).tools, [0, 0])
  await house.clock.pass(300_000)
  assert.deepEqual(closesOf(house).tools, [0, 1])
  long.release()
})

test('R11: at maxLive the longest unused goes; when all are leased the next is runtime_busy, and reads are not', async () => {
  const house = await openHouse({ options: { ...FURNISHED.options, maxLive: 3 } })
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
  const house = await openHouse({ options: { ...FURNISHED.options, maxMcpProcesses: 2 } })
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
  assert.deepEqual([house.tools.length, closesOf(house).tools], [2, [1, 0]])
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

test('RC-25 R20: a warm acquire and release touches neither the store nor a timer', async () => {
  const house = await openHouse(FURNISHED)
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
  const house = await openHouse(FURNISHED)
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

test('R20: each way a runtime is taken into use, refused or let go of can be counted', async () => {
  const house = await openHouse({ options: { defaults: { provider: 'local' }, maxLive: 1 } })
  const seen: string[] = []
  const stop = onDiagnostic('runtime', ({ outcome, reason }) => {
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
    'evicted capacity',
    'cold',
    'evicted evicted',
    'cold',
    'evicted erased',
  ])
})

test('R11: a process that was let go of but is still in use is no place that will soon be free', async () => {
  const house = await openHouse({ options: { ...FURNISHED.options, maxMcpProcesses: 1 } })
  const lease = await house.user('ada').acquire()
  await lease.mcp('child')
  await house.user('ada').evict()
  const other = await house.user('bob').acquire()
  await assert.rejects(other.mcp('child'), fails('runtime_busy'))
  lease.release()
  assert.ok(await other.mcp('child'))
  other.release()
})
