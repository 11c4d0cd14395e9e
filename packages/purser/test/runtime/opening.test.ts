import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fails, openRuntimeHarness, type RuntimeHarness, WITH_DEFAULTS } from '../support/runtime-harness.ts'

test('1,000 concurrent first uses open one runtime, one model and one MCP client (RC-D06)', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const leases = await Promise.all(Array.from({ length: 1_000 }, () => harness.user('ada').acquire()))
  const clients = await Promise.all(leases.map((lease) => lease.mcp('plain')))
  assert.equal(new Set(clients).size, 1)
  assert.deepEqual([harness.models.length, harness.connections.length, harness.runtimes.active().length], [1, 1, 1])
  for (const lease of leases) lease.release()
  await harness.user('ada').evict()
  assert.deepEqual(harness.countCloses(), { models: [1], connections: [1] })
})

test('a failed connection rejects all waiting calls, the next call tries again, and further failures back off', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  let attempts = 0
  harness.fakes.connect = async () => {
    attempts++
    throw new Error('refused')
  }
  const lease = await harness.user('ada').acquire()
  const waiting = await Promise.allSettled(Array.from({ length: 100 }, () => lease.mcp('plain')))
  assert.ok(waiting.every((one) => one.status === 'rejected' && one.reason.code === 'mcp_unavailable'))
  assert.equal(attempts, 1)
  await assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  assert.equal(attempts, 2)
  await assert.rejects(
    lease.mcp('plain'),
    (error: { details: { retryAfterMs: number } }) => error.details.retryAfterMs === 1_000,
  )
  assert.equal(attempts, 2, 'during the back-off it is not tried')
  harness.clock.advance(1_000)
  await assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  harness.clock.advance(1_999)
  await assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  assert.equal(attempts, 3)
  harness.clock.advance(1)
  harness.fakes.connect = async () => undefined
  assert.ok(await lease.mcp('plain'))
  lease.release()
})

test('aborting one waiting call does not cancel the connection for the other calls', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const opening = Promise.withResolvers<void>()
  harness.fakes.connect = () => opening.promise
  const lease = await harness.user('ada').acquire()
  const leaving = new AbortController()
  const left = lease.mcp('plain', { signal: leaving.signal })
  const stays = lease.mcp('plain')
  await harness.clock.pass(0)
  leaving.abort(new Error('gone'))
  await assert.rejects(left, /gone/)
  opening.resolve()
  assert.ok(await stays)
  await assert.rejects(lease.mcp('plain', { signal: AbortSignal.abort(new Error('before')) }), /before/)
  await assert.rejects(harness.user('ada').acquire({ signal: AbortSignal.abort(new Error('before')) }), /before/)
  lease.release()
})

test('a server that does not answer within 30 s is unavailable, and a connection that opens later is closed once', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const opening = Promise.withResolvers<void>()
  harness.fakes.connect = () => opening.promise
  const lease = await harness.user('ada').acquire()
  const refused = assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  await harness.clock.pass(30_000)
  await refused
  opening.resolve()
  await harness.clock.pass(0)
  assert.deepEqual(harness.countCloses().connections, [1])
  lease.release()
})

test('a connection that opens after its runtime was evicted and released, or after close, is closed exactly once', async () => {
  for (const leave of [
    (harness: RuntimeHarness) => harness.user('ada').evict(),
    (harness: RuntimeHarness) => harness.runtimes.close(),
  ]) {
    await using harness = await openRuntimeHarness(WITH_DEFAULTS)
    const opening = Promise.withResolvers<void>()
    harness.fakes.connect = () => opening.promise
    const lease = await harness.user('ada').acquire()
    const waiting = lease.mcp('plain').catch((error: unknown) => error)
    await harness.clock.pass(0)
    lease.release()
    const left = leave(harness)
    opening.resolve()
    assert.equal(((await waiting) as { code: string }).code, 'closed')
    await left
    assert.deepEqual(harness.countCloses(), { models: [1], connections: [1] })
  }
})

test('a broken client is not given to further calls and closes when its leases end', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const [one, two] = [await harness.user('ada').acquire(), await harness.user('ada').acquire()]
  const client = await one.mcp('plain')
  harness.connections[0]?.break()
  harness.connections[0]?.break()
  assert.notEqual(await two.mcp('plain'), client)
  assert.notEqual(await one.mcp('plain'), client, 'the same lease gets a new one as well')
  assert.deepEqual(harness.countCloses().connections, [0, 0])
  one.release()
  await harness.clock.pass(0)
  assert.deepEqual(harness.countCloses().connections, [1, 0])
  two.release()
})

test('a missing secret field that a server requires is secret_missing with the name of the field', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const lease = await harness.user('ada').acquire()
  await assert.rejects(lease.mcp('own'), fails('secret_missing'))
  await harness.user('ada').setSecret('own', { other: 'x' })
  await assert.rejects(lease.mcp('own'), (error: { details: object }) => {
    assert.deepEqual(error.details, { name: 'own', field: 'token' })
    return true
  })
  lease.release()
})

test('users who wait for a server that hangs do not delay users of another server', async () => {
  await using harness = await openRuntimeHarness(WITH_DEFAULTS)
  const hanging = Promise.withResolvers<void>()
  let opening = 0
  harness.fakes.connect = ({ server }) => {
    if (server !== 'plain') return Promise.resolve()
    opening++
    return hanging.promise
  }
  const waiting = Array.from({ length: 100 }, async (_, index) => {
    await using lease = await harness.user(`user-${index}`).acquire()
    return await lease.mcp('plain')
  })
  await harness.clock.pass(0)
  assert.equal(opening, 32)
  await using lease = await harness.user('ada').acquire()
  assert.ok(await lease.mcp('child'))
  hanging.resolve()
  assert.equal((await Promise.all(waiting)).length, 100)
})
