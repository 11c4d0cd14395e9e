import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ACCEPTED, DOWN, openWebhookWorld, refused, type Sent, type WebhookWorld } from '../support/webhook-world.ts'

const URL = 'http://receiver.example/'
const HOUR_MS = 3_600_000

async function openWithWebhook(): Promise<{
  world: WebhookWorld
  id: string
  instance: ReturnType<WebhookWorld['open']>
}> {
  const world = await openWebhookWorld()
  const instance = world.open()
  const { id } = await instance.webhooks.create({ url: URL, types: ['app:seen'] }, 'root')
  return { world, id, instance }
}

async function record(world: WebhookWorld, user: string, count = 1): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++) ids.push((await world.purser.user(user).ledger.record('app:seen')).id)
  return ids
}

/** The ids in the order in which they were first accepted. */
function acceptedIds(accepted: readonly Sent[]): string[] {
  return [...new Set(accepted.map(({ id }) => id))]
}

function assertInOrder(accepted: readonly Sent[]): void {
  const last = new Map<string, number>()
  const seen = new Set<string>()
  for (const { id, user, sequence } of accepted) {
    if (seen.has(id)) continue
    seen.add(id)
    assert.ok(sequence > (last.get(user) ?? 0), `${user} ${sequence} after ${last.get(user)}`)
    last.set(user, sequence)
  }
}

test('a receiver that is down for an hour gets everything afterwards, in the order of each user', async () => {
  const { world, id, instance } = await openWithWebhook()
  await using _ = world
  const accepted: Sent[] = []
  let isDown = true
  world.answer = (sent) => {
    if (isDown) return DOWN
    accepted.push(sent)
    return ACCEPTED
  }
  const ids: string[] = []
  for (let round = 0; round < 10; round++) {
    for (let user = 0; user < 40; user++) ids.push(...(await record(world, `user-${user}`)))
    await world.pass(HOUR_MS / 10, 30_000)
  }
  assert.ok(world.sent.length > 20 && world.sent.length < 200, `${world.sent.length} attempts in an hour`)
  const [status] = await instance.webhooks.list()
  assert.deepEqual([status?.isFailing, status?.lastError, status?.dead], [true, 'ECONNREFUSED', 0])
  isDown = false
  await world.passUntil(() => accepted.length >= ids.length, 10 * 60_000)
  assert.deepEqual(acceptedIds(accepted).sort(), ids.toSorted())
  assertInOrder(accepted)
  await world.pass(10_000)
  assert.equal(accepted.length, ids.length, 'nothing twice')
  assert.deepEqual(await instance.webhooks.deliveries(id, 'pending'), [])
})

test('one event that is always refused delays its own user only, and is dead after a day', async () => {
  const { world, id, instance } = await openWithWebhook()
  await using _ = world
  world.answer = ({ user, sequence }) => (user === 'ann' && sequence === 1 ? refused(500) : ACCEPTED)
  const [poison] = await record(world, 'ann')
  const [after] = await record(world, 'ann')
  const others = await record(world, 'bob', 3)
  await world.pass(HOUR_MS, 10_000)
  const accepted = world.sent.filter((sent) => sent.id !== poison).map((sent) => sent.id)
  assert.deepEqual(accepted, others)
  const [pending] = (await instance.webhooks.deliveries(id, 'pending'))?.slice(-1) ?? []
  assert.deepEqual([pending?.id, pending?.lastError], [poison, 'status 500'])
  assert.ok(
    (pending?.attempts ?? 0) >= 12 && (pending?.attempts ?? 0) <= 40,
    `${pending?.attempts} attempts in an hour`,
  )
  world.clock.stepWall(24 * HOUR_MS)
  await world.pass(10 * 60_000, 60_000)
  const [dead] = (await instance.webhooks.deliveries(id, 'dead')) ?? []
  assert.deepEqual([dead?.id, dead?.state, dead?.lastError], [poison, 'dead', 'status 500'])
  assert.equal(world.sent.at(-1)?.id, after)
  world.answer = () => ACCEPTED
  assert.equal(await instance.webhooks.retry(id, poison as string), true)
  await world.pass(1_000)
  assert.deepEqual([world.sent.at(-1)?.id, (await instance.webhooks.list())[0]?.dead], [poison, 0])
  assert.equal(await instance.webhooks.retry(id, poison as string), false)
})

test('an answer that asks for time is given it, up to an hour', async () => {
  const { world } = await openWithWebhook()
  await using _ = world
  world.answer = () => (world.sent.length === 1 ? refused(429, 20 * 60_000) : ACCEPTED)
  await record(world, 'ann')
  await world.passUntil(() => world.sent.length === 2)
  const [first, second] = world.sent
  const waitMs = (second?.at ?? 0) - (first?.at ?? 0)
  assert.ok(waitMs >= 20 * 60_000 && waitMs < 21 * 60_000, `${waitMs} ms`)
})

test('events of an erased user that wait are dropped', async () => {
  const { world, id, instance } = await openWithWebhook()
  await using _ = world
  world.answer = () => DOWN
  const erased = await record(world, 'ann', 3)
  const others = await record(world, 'bob')
  await world.pass(60_000)
  await world.purser.user('ann').erase({ actor: 'ana', reason: 'asked' })
  world.answer = () => ACCEPTED
  const before = world.sent.length
  await world.passUntil(() => world.sent.length > before)
  await world.pass(10 * 60_000, 5_000)
  assert.deepEqual(
    world.sent.slice(before).map((sent) => sent.id),
    others,
  )
  assert.deepEqual(await instance.webhooks.deliveries(id, 'pending'), [])
  assert.deepEqual(await instance.webhooks.retry(id, erased[0] as string), false)
})

test('a webhook that is switched off gets what happened meanwhile when it is switched on; a deleted one gets nothing', async () => {
  const { world, id, instance } = await openWithWebhook()
  await using _ = world
  await instance.webhooks.change(id, { enabled: false })
  const ids = await record(world, 'ann', 2)
  await world.pass(60_000)
  assert.equal(world.sent.length, 0)
  await instance.webhooks.change(id, { enabled: true, url: 'http://other.example/' })
  await world.passUntil(() => world.sent.length === 2)
  assert.deepEqual(
    world.sent.map((sent) => [sent.id, sent.url]),
    ids.map((event) => [event, 'http://other.example/']),
  )
  await instance.webhooks.remove(id)
  await record(world, 'ann')
  await world.pass(60_000)
  assert.equal(world.sent.length, 2)
})

test('a receiver that never answers is cut when the instance stops, and gets the event again', async () => {
  const { world, instance } = await openWithWebhook()
  await using _ = world
  world.answer = (_sent, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(DOWN)))
  const [event] = await record(world, 'ann')
  await world.passUntil(() => world.sent.length === 1)
  const closing = instance.webhooks.close()
  await world.pass(3_000)
  await closing
  world.answer = () => ACCEPTED
  world.open()
  await world.passUntil(() => world.sent.length === 2)
  assert.deepEqual([world.sent[1]?.id, world.sent[1]?.instance], [event, 1])
})

test('one instance delivers at a time; another one goes on when it ends or is killed', async () => {
  const { world, instance } = await openWithWebhook()
  await using _ = world
  const others = [world.open(), world.open()]
  await record(world, 'ann', 5)
  await world.pass(60_000)
  assert.deepEqual(new Set(world.sent.map((sent) => sent.instance)), new Set([0]))
  assert.equal(world.sent.length, 5)
  instance.kill()
  await record(world, 'ann', 5)
  await world.passUntil(() => world.sent.length === 10, 60_000)
  const second = world.sent.at(-1)?.instance
  assert.ok(second === 1 || second === 2)
  const closing = others[second - 1]?.webhooks.close()
  await world.pass(3_000)
  await closing
  await record(world, 'ann', 5)
  await world.passUntil(() => world.sent.length === 15, 20_000)
  assert.equal(world.sent.at(-1)?.instance, 3 - second)
  assert.equal(new Set(world.sent.map((sent) => sent.id)).size, 15)
})

test('a clock that is set back delays nothing', async () => {
  const { world } = await openWithWebhook()
  await using _ = world
  world.answer = () => (world.sent.length === 1 ? DOWN : ACCEPTED)
  await record(world, 'ann')
  await world.passUntil(() => world.sent.length === 1)
  world.clock.stepWall(-365 * 24 * HOUR_MS)
  await world.passUntil(() => world.sent.length === 2, 60_000)
})
