import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDiagnostic } from '../../src/core/diagnostics.ts'
import { closesOf, FURNISHED, fails, openHouse } from '../support/runtime-harness.ts'

test('R4 RC-D05: eviction waits for the lease, serves others from a new runtime, and closes at the last release', async () => {
  const house = await openHouse(FURNISHED)
  const user = house.user('ada')
  const [one, two] = [await user.acquire(), await user.acquire()]
  const client = await one.mcp('plain')
  await user.evict({ reason: 'test' })
  const after = await user.acquire()
  assert.notEqual(await after.mcp('plain'), client)
  assert.deepEqual(closesOf(house), { models: [0, 0], tools: [1 - 1, 0] })
  assert.deepEqual(
    house.runtimes.active().map(({ inUse }) => inUse),
    [2, 1],
  )
  assert.equal(await one.mcp('plain'), client, 'a lease keeps what it has')
  one.release()
  one.release()
  assert.deepEqual(closesOf(house).models, [0, 0])
  two.release()
  await house.clock.pass(0)
  assert.deepEqual(closesOf(house), { models: [1, 0], tools: [1, 0] })
  after.release()
  await house.runtimes.close()
  assert.deepEqual(closesOf(house), { models: [1, 1], tools: [1, 1] })
})

test('R6 R7: changing the model keeps the MCP client, and a lease keeps its snapshot to the end', async () => {
  const house = await openHouse(FURNISHED)
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
  assert.deepEqual(closesOf(house), { models: [1, 0], tools: [0] })
})

test('R7: a new version of a secret replaces exactly the clients that were made with it', async () => {
  const house = await openHouse(FURNISHED)
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
  assert.deepEqual(closesOf(house), { models: [1, 0], tools: [0, 1, 0] })
})

test('a server that is taken out of the settings loses its client, and later leases do not get it', async () => {
  const house = await openHouse(FURNISHED)
  const user = house.user('ada')
  const lease = await user.acquire()
  await lease.mcp('plain')
  lease.release()
  await user.configure({ mcpServers: ['child'] })
  await house.clock.pass(0)
  assert.deepEqual(closesOf(house).tools, [1])
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

test('R4: a lease that is out for longer than maxLeaseMs is taken back by a sweep, and says so', async () => {
  const house = await openHouse({ ...FURNISHED, options: { ...FURNISHED.options, maxLeaseMs: 1_000 } })
  const user = house.user('ada')
  const old = await user.acquire()
  await old.mcp('plain')
  const told: unknown[] = []
  const stop = onDiagnostic('runtime', ({ outcome }) => told.push(outcome))
  house.clock.advance(1_000)
  const young = await user.acquire()
  await house.runtimes.sweep()
  assert.ok(old.model)
  house.clock.advance(1)
  await house.runtimes.sweep()
  await assert.rejects(old.mcp('plain'), fails('closed'))
  assert.throws(() => old.model, fails('closed'))
  assert.ok(young.model)
  assert.deepEqual(told, ['warm', 'overdue'])
  old.release()
  assert.equal(house.runtimes.active()[0]?.inUse, 1)
  young.release()
  assert.equal(house.runtimes.active()[0]?.inUse, 0)
  stop()
  await house.runtimes.close()
})

test('mcp and release work taken out of the lease, and what mcp does not know is refused', async () => {
  const house = await openHouse(FURNISHED)
  const { mcp, release } = await house.user('ada').acquire()
  assert.ok(await mcp('plain'))
  await assert.rejects(mcp('plain', { timeout: 5 } as object), fails('option_unknown'))
  await assert.rejects(mcp('plain', { signal: 'now' } as unknown as object), fails('argument_invalid'))
  await assert.rejects(mcp('plain', { signal: AbortSignal.abort(new Error('gone')) }), /gone/)
  release()
  await assert.rejects(mcp('plain'), fails('closed'))
})
