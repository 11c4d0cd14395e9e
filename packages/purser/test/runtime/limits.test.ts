import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDiagnostic } from '../../src/core/diagnostics.ts'
import type { Lease } from '../../src/runtime/api.ts'
import { fails, openRuntimeHarness, WITH_DEFAULTS } from '../support/runtime-harness.ts'

const HOUR = 3_600_000

test('the sweep evicts runtimes idle for longer than idleMs; a lease restarts the idle time, reads do not (RC-09, RC-10, RC-19)', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const reasons: (string | undefined)[] = []
  const stop = onDiagnostic('runtime', ({ outcome, reason }) => void (outcome === 'evicted' && reasons.push(reason)))
  for (const id of ['old', 'touched', 'leased']) (await harness.user(id).acquire()).release()
  const lease = await harness.user('leased').acquire()
  await harness.clock.pass(23 * HOUR)
  ;(await harness.user('touched').acquire()).release()
  harness.runtimes.active()
  await harness.user('old').settings()
  await harness.clock.pass(HOUR)
  assert.deepEqual(
    harness.runtimes
      .active()
      .map(({ user }) => user)
      .sort(),
    ['leased', 'old', 'touched'],
  )
  await harness.clock.pass(300_000)
  assert.deepEqual(
    harness.runtimes
      .active()
      .map(({ user }) => user)
      .sort(),
    ['leased', 'touched'],
  )
  assert.deepEqual(harness.countCloses().models, [1, 0, 0])
  lease.release()
  assert.deepEqual(await harness.runtimes.sweep(), { evicted: 0 })
  stop()
  assert.deepEqual(reasons, ['idle'])
  await harness.runtimes.close()
})

test('idleMs may be a fraction of an hour, and steps of the wall clock do not affect it (RC-13)', async () => {
  await using harness = await openRuntimeHarness({ runtime: { ...WITH_DEFAULTS.runtime, idleMs: 0.5 * HOUR } })
  ;(await harness.user('ada').acquire()).release()
  harness.clock.stepWall(86_400_000)
  assert.deepEqual(await harness.runtimes.sweep(), { evicted: 0 })
  harness.clock.stepWall(-2 * 86_400_000)
  harness.clock.stepMonotonic(0.5 * HOUR)
  assert.deepEqual(await harness.runtimes.sweep(), { evicted: 0 })
  harness.clock.stepMonotonic(1)
  assert.deepEqual(await harness.runtimes.sweep(), { evicted: 1 })
})

test('a runtime whose clients fail to close does not stop the sweep', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  for (const id of ['a', 'b', 'c']) (await harness.user(id).acquire()).release()
  harness.fakes.closeModel = async ({ user }) => {
    if (user.id !== 'c') throw new Error('will not close')
  }
  await harness.clock.pass(25 * HOUR)
  assert.deepEqual(harness.runtimes.active(), [])
  assert.deepEqual(harness.countCloses().models, [1, 1, 1])
})

test('an unused MCP client is closed after mcpIdleMs; one in a long call is not', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const long = await harness.user('ada').acquire()
  await long.mcp('plain')
  const short = await harness.user('ada').acquire()
  await short.mcp('child')
  short.release()
  await harness.clock.pass(900_000)
  assert.deepEqual(harness.countCloses().connections, [0, 0])
  await harness.clock.pass(300_000)
  assert.deepEqual(harness.countCloses().connections, [0, 1])
  long.release()
})

test('at maxLive the longest idle runtime is evicted; when all are leased, acquire throws runtime_busy and reads still work', async () => {
  await using harness = await openRuntimeHarness({ runtime: { ...WITH_DEFAULTS.runtime, maxLive: 3 } })
  for (const id of ['a', 'b', 'c']) (await harness.user(id).acquire()).release()
  ;(await harness.user('a').acquire()).release()
  const leases = [await harness.user('d').acquire(), await harness.user('a').acquire()]
  assert.deepEqual(
    harness.runtimes.active().map(({ user }) => user),
    ['a', 'c', 'd'],
  )
  leases.push(await harness.user('c').acquire())
  await assert.rejects(harness.user('e').acquire(), fails('runtime_busy'))
  assert.equal((await harness.user('e').settings()).provider, 'local')
  leases[0]?.release()
  ;(await harness.user('e').acquire()).release()
  for (const lease of leases) lease.release()
})

test('at maxMcpProcesses the longest idle process is closed before the next one is opened', async () => {
  await using harness = await openRuntimeHarness({ runtime: { ...WITH_DEFAULTS.runtime, maxMcpProcesses: 2 } })
  const use = async (id: string): Promise<Lease> => {
    const lease = await harness.user(id).acquire()
    await lease.mcp('child')
    return lease
  }
  ;(await use('a')).release()
  ;(await use('b')).release()
  const closing = Promise.withResolvers<void>()
  harness.fakes.disconnect = () => closing.promise
  const third = use('c')
  await harness.clock.pass(0)
  assert.deepEqual([harness.connections.length, harness.countCloses().connections], [2, [1, 0]])
  closing.resolve()
  const leases = [await third, await use('b')]
  await assert.rejects(use('d'), fails('runtime_busy'))
  assert.ok(await (await harness.user('d').acquire()).mcp('plain'), 'a connection over HTTP needs no process')
  leases[0]?.release()
  leases.push(await use('d'))
  assert.deepEqual(
    harness.connections.map(({ request, closes }) => [request.server, closes]),
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

test('a user has at most 16 live models', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'open', model: 'z' } } })
  for (let index = 0; index < 100; index++) {
    ;(await harness.user('ada').acquire({ override: { model: `m${index}` } })).release()
  }
  await harness.clock.pass(0)
  assert.equal(harness.models.filter((model) => model.closes === 0).length, 16)
  const leases: Lease[] = []
  for (let index = 0; index < 16; index++)
    leases.push(await harness.user('ada').acquire({ override: { model: `m${index}` } }))
  await assert.rejects(harness.user('ada').acquire({ override: { model: 'one more' } }), fails('runtime_busy'))
  for (const lease of leases) lease.release()
})

test('a warm acquire and release uses neither the store nor a timer (RC-25)', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  ;(await harness.user('ada').acquire()).release()
  const { timers } = harness.clock
  for (const name of ['load', 'record', 'records'] as const) {
    harness.store.users[name] = async () => assert.fail(`${name} was called`)
  }
  for (let index = 0; index < 1_000; index++) (await harness.user('ada').acquire()).release()
  assert.equal(harness.clock.timers, timers)
  assert.equal(harness.models.length, 1)
})

test('active lists user, version, use and clients, and no secret', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  await harness.user('ada').configure({ model: 'n' })
  await harness.user('ada').setSecret('own', { token: 'canary' })
  const lease = await harness.user('ada').acquire()
  await lease.mcp('own')
  assert.deepEqual(harness.runtimes.active(), [
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
  harness.clock.advance(1_234)
  assert.deepEqual(
    harness.runtimes.active().map(({ inUse, idleMs }) => ({ inUse, idleMs })),
    [{ inUse: 0, idleMs: 1_234 }],
  )
})

test('every acquisition, refusal and eviction of a runtime is published', async () => {
  await using harness = await openRuntimeHarness({ runtime: { defaults: { provider: 'local' }, maxLive: 1 } })
  const seen: string[] = []
  const stop = onDiagnostic('runtime', ({ outcome, reason }) => {
    seen.push(reason === undefined ? outcome : `${outcome} ${reason}`)
  })
  const lease = await harness.user('ada').acquire()
  ;(await harness.user('ada').acquire()).release()
  await assert.rejects(harness.user('bob').acquire(), fails('runtime_busy'))
  lease.release()
  ;(await harness.user('bob').acquire()).release()
  await harness.user('bob').evict()
  await harness.user('eve').acquire()
  await harness.erase('eve')
  await harness.runtimes.close({ timeoutMs: 0 })
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

test('an evicted process that is still in use counts for maxMcpProcesses until its release', async () => {
  await using harness = await openRuntimeHarness({ runtime: { ...WITH_DEFAULTS.runtime, maxMcpProcesses: 1 } })
  const lease = await harness.user('ada').acquire()
  await lease.mcp('child')
  await harness.user('ada').evict()
  const other = await harness.user('bob').acquire()
  await assert.rejects(other.mcp('child'), fails('runtime_busy'))
  lease.release()
  assert.ok(await other.mcp('child'))
  other.release()
})
