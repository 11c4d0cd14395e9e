import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onDiagnostic } from '../../src/core/diagnostics.ts'
import { fails, openRuntimeHarness, WITH_DEFAULTS } from '../support/runtime-harness.ts'

test('an evicted runtime closes at its last release, and other leases get a new runtime (RC-D05)', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const user = harness.user('ada')
  const [one, two] = [await user.acquire(), await user.acquire()]
  const client = await one.mcp('plain')
  await user.evict({ reason: 'test' })
  const after = await user.acquire()
  assert.notEqual(await after.mcp('plain'), client)
  assert.deepEqual(harness.countCloses(), { models: [0, 0], connections: [0, 0] })
  assert.deepEqual(
    harness.runtimes.active().map(({ inUse }) => inUse),
    [2, 1],
  )
  assert.equal(await one.mcp('plain'), client, 'a lease keeps its client')
  one.release()
  one.release()
  assert.deepEqual(harness.countCloses().models, [0, 0])
  two.release()
  await harness.clock.pass(0)
  assert.deepEqual(harness.countCloses(), { models: [1, 0], connections: [1, 0] })
  after.release()
  await harness.runtimes.close()
  assert.deepEqual(harness.countCloses(), { models: [1, 1], connections: [1, 1] })
})

test('changing the model keeps the MCP client, and a lease keeps its settings until its release', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const user = harness.user('ada')
  const before = await user.acquire()
  const client = await before.mcp('plain')
  await user.configure({ model: 'n' })
  const after = await user.acquire()
  assert.deepEqual([before.settings.model, after.settings.model], ['m', 'n'])
  assert.equal(await after.mcp('plain'), client)
  assert.equal((before.chat as unknown as { model: string }).model, 'm')
  before.release()
  await harness.clock.pass(0)
  assert.deepEqual(harness.countCloses(), { models: [1, 0], connections: [0] })
})

test('a new version of a secret replaces exactly the clients that were made with the old one', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const user = harness.user('ada')
  await user.setSecret('own', { token: 'first' })
  const lease = await user.acquire()
  const [plain, own] = [await lease.mcp('plain'), await lease.mcp('own')]
  await user.setSecret('own', { token: 'second' })
  const later = await user.acquire()
  assert.equal(await later.mcp('plain'), plain)
  assert.notEqual(await later.mcp('own'), own)
  assert.deepEqual(harness.connections[2]?.request.definition, {
    url: 'http://127.0.0.1:1/ada/mcp',
    headers: { authorization: 'Bearer second' },
  })
  await user.setSecret('local', { apiKey: 'mine' })
  ;(await user.acquire()).release()
  for (const one of [lease, later]) one.release()
  await harness.clock.pass(0)
  assert.deepEqual(harness.countCloses(), { models: [1, 0], connections: [0, 1, 0] })
})

test('removing a server from the settings closes its client, and later leases cannot connect to it', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const user = harness.user('ada')
  const lease = await user.acquire()
  await lease.mcp('plain')
  lease.release()
  await user.configure({ mcpServers: ['child'] })
  await harness.clock.pass(0)
  assert.deepEqual(harness.countCloses().connections, [1])
  await assert.rejects((await user.acquire()).mcp('plain'), fails('mcp_unknown'))
})

test('mcpServers allows the named servers, none when empty, and every configured one when no layer sets it', async () => {
  await using harness = await openRuntimeHarness()
  const user = harness.user('ada')
  assert.ok(await (await user.acquire()).mcp('plain'))
  await user.configure({ mcpServers: [] })
  await assert.rejects((await user.acquire()).mcp('plain'), fails('mcp_unknown'))
  await assert.rejects((await harness.user('bob').acquire()).mcp('nowhere'), fails('mcp_unknown'))
})

test('a runtime without a model can be leased; reading its model throws model_required', async () => {
  const lease = await (await openRuntimeHarness()).user('ada').acquire()
  assert.equal(lease.settings.provider, null)
  assert.throws(() => lease.model, fails('model_required'))
  assert.throws(() => lease.chat, fails('model_required'))
})

test('a sweep revokes a lease that is older than maxLeaseMs; the lease then throws closed', async () => {
  await using harness = await openRuntimeHarness({
    ...WITH_DEFAULTS,
    runtime: { ...WITH_DEFAULTS.runtime, maxLeaseMs: 1_000 },
  })
  const user = harness.user('ada')
  const overdue = await user.acquire()
  await overdue.mcp('plain')
  const outcomes: unknown[] = []
  const stop = onDiagnostic('runtime', ({ outcome }) => outcomes.push(outcome))
  harness.clock.advance(1_000)
  const recent = await user.acquire()
  await harness.runtimes.sweep()
  assert.ok(overdue.model)
  harness.clock.advance(1)
  await harness.runtimes.sweep()
  await assert.rejects(overdue.mcp('plain'), fails('closed'))
  assert.throws(() => overdue.model, fails('closed'))
  assert.ok(recent.model)
  assert.deepEqual(outcomes, ['warm', 'overdue'])
  overdue.release()
  assert.equal(harness.runtimes.active()[0]?.inUse, 1)
  recent.release()
  assert.equal(harness.runtimes.active()[0]?.inUse, 0)
  stop()
  await harness.runtimes.close()
})

test('mcp and release work when destructured, and mcp rejects invalid options', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const { mcp, release } = await harness.user('ada').acquire()
  assert.ok(await mcp('plain'))
  await assert.rejects(mcp('plain', { timeout: 5 } as object), fails('option_unknown'))
  await assert.rejects(mcp('plain', { signal: 'now' } as unknown as object), fails('argument_invalid'))
  await assert.rejects(mcp('plain', { signal: AbortSignal.abort(new Error('gone')) }), /gone/)
  release()
  await assert.rejects(mcp('plain'), fails('closed'))
})
