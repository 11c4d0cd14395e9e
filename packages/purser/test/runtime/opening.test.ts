import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closesOf, FURNISHED, fails, type House, openHouse } from '../support/runtime-harness.ts'

test('RC-D06 R5: 1,000 parallel first uses open one runtime, one model and one MCP client', async () => {
  const house = await openHouse(FURNISHED)
  const leases = await Promise.all(Array.from({ length: 1_000 }, () => house.user('ada').acquire()))
  const clients = await Promise.all(leases.map((lease) => lease.mcp('plain')))
  assert.equal(new Set(clients).size, 1)
  assert.deepEqual([house.models.length, house.tools.length, house.runtimes.active().length], [1, 1, 1])
  for (const lease of leases) lease.release()
  await house.user('ada').evict()
  assert.deepEqual(closesOf(house), { models: [1], tools: [1] })
})

test('R5: a failed opening is told to all who waited, the next call tries again, and further failures back off', async () => {
  const house = await openHouse(FURNISHED)
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
  const house = await openHouse(FURNISHED)
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
  const house = await openHouse(FURNISHED)
  const opening = Promise.withResolvers<void>()
  house.behaviour.openTools = () => opening.promise
  const lease = await house.user('ada').acquire()
  const refused = assert.rejects(lease.mcp('plain'), fails('mcp_unavailable'))
  await house.clock.pass(30_000)
  await refused
  opening.resolve()
  await house.clock.pass(0)
  assert.deepEqual(closesOf(house).tools, [1])
  lease.release()
})

test('what opens after its runtime was evicted and left, or after close, is closed exactly once', async () => {
  for (const leave of [(house: House) => house.user('ada').evict(), (house: House) => house.runtimes.close()]) {
    const house = await openHouse(FURNISHED)
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
    assert.deepEqual(closesOf(house), { models: [1], tools: [1] })
  }
})

test('R18: a broken client is given to nobody any more; those who hold it keep it until they leave', async () => {
  const house = await openHouse(FURNISHED)
  const [one, two] = [await house.user('ada').acquire(), await house.user('ada').acquire()]
  const client = await one.mcp('plain')
  house.tools[0]?.breakIt()
  house.tools[0]?.breakIt()
  assert.notEqual(await two.mcp('plain'), client)
  assert.notEqual(await one.mcp('plain'), client, 'also the same lease gets a fresh one')
  assert.deepEqual(closesOf(house).tools, [0, 0])
  one.release()
  await house.clock.pass(0)
  assert.deepEqual(closesOf(house).tools, [1, 0])
  two.release()
})

test('a missing field of a secret that a server needs is secret_missing, told by its name', async () => {
  const house = await openHouse(FURNISHED)
  const lease = await house.user('ada').acquire()
  await assert.rejects(lease.mcp('own'), fails('secret_missing'))
  await house.user('ada').setSecret('own', { other: 'x' })
  await assert.rejects(lease.mcp('own'), (error: { details: object }) => {
    assert.deepEqual(error.details, { name: 'own', field: 'token' })
    return true
  })
  lease.release()
})

test('R14: users who wait for a server that hangs hold up nobody who uses another', async () => {
  const house = await openHouse(FURNISHED)
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
