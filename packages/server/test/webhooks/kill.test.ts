import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createJitter } from 'purser/internal'
import { printSeed, rounds, seed } from '../../../purser/test/support/fuzz-options.ts'
import { noPostgres, sharedPostgres } from '../../../purser/test/support/postgres-server.ts'
import { noRedis, sharedRedis } from '../../../purser/test/support/redis-server.ts'
import { startChild } from '../../../purser/test/support/start-child.ts'
import { temporaryPath } from '../../../purser/test/support/temporary-store.ts'
import { type FastWebhooks, openFastWebhooks } from '../support/fast-webhooks.ts'
import { openWebhookReceiver, type ReceivedWebhook, type WebhookReceiver } from '../support/webhook-receiver.ts'

/* Webhooks on every durable store: processes that are killed, receivers that fail, and two instances. */

const PROGRAM = new URL('delivering-process.ts', import.meta.url)
const EVENTS_PER_PROCESS = 4

const STORES = [
  {
    name: 'SQLite',
    noServer: false,
    kills: rounds(1_000, 2),
    url: async () => `sqlite:${temporaryPath()}`,
  },
  { name: 'PostgreSQL', noServer: noPostgres, kills: rounds(200, 1), url: async () => (await sharedPostgres()).url() },
  { name: 'Redis', noServer: noRedis, kills: rounds(200, 1), url: async () => (await sharedRedis()).url() },
] as const
/** A process that starts, or that waits for the lease of a killed one, leaves the processor to those of other stores. */
const PARALLEL_STORES = rounds(5, 1)

printSeed('killed deliveries of webhooks')
for (const { name, noServer, kills, url } of STORES) {
  test(`${name}: a process that is killed around an acknowledgement, ${kills} times, loses nothing`, {
    skip: noServer,
  }, async () => {
    const stores = Array.from({ length: PARALLEL_STORES }, (_, index) => index)
    const done = await Promise.all(
      stores.map(async (index) => killDeliveries(await url(), kills / PARALLEL_STORES, `${seed}/${name}/${index}`)),
    )
    assert.equal(
      done.reduce((sum, killed) => sum + killed, 0),
      kills,
    )
  })

  test(`${name}: a receiver that fails gets everything, and another instance goes on`, { skip: noServer }, async () => {
    const store = await url()
    await using receiver = await openWebhookReceiver()
    await createWebhook(store, receiver.url)
    let failures = 3
    receiver.answer = (response) => response.writeHead(failures-- > 0 ? 500 : 204).end()
    const [first, second] = [await openFastWebhooks(store), await openFastWebhooks(store)]
    for (const { webhooks } of [first, second]) webhooks.start()
    const ids = [...(await record(first, 6)), ...(await record(second, 6))]
    await receiver.receive(ids.length + 3)
    const accepted = acceptedIds(receiver.received, 3)
    assert.deepEqual(accepted.toSorted(), ids.toSorted())
    await closeAll(first)
    ids.push(...(await record(second, 4)))
    await receiver.receive(ids.length + 3)
    assert.deepEqual(acceptedIds(receiver.received, 3).toSorted(), ids.toSorted())
    checkReceived(receiver.received)
    await closeAll(second)
  })
}

/** Delivers events of one store by processes that are killed, and by one more to its end. Resolves to the kills. */
async function killDeliveries(store: string, kills: number, randomSeed: string): Promise<number> {
  const random = createJitter(randomSeed)
  await using receiver = await openWebhookReceiver()
  await createWebhook(store, receiver.url)
  const ids: string[] = []
  let killed = 0
  for (; killed < kills; killed++) ids.push(...(await deliverUntilKilled(store, receiver, random)))
  const last = startChild(PROGRAM, [store, '1'])
  receiver.answer = (response) => response.writeHead(204).end()
  ids.push(...(JSON.parse(await last.line()) as string[]))
  const received = new Set(receiver.received.map(({ id }) => id))
  while (!ids.every((id) => received.has(id))) {
    await receiver.receive(receiver.received.length + 1)
    for (const { id } of receiver.received) received.add(id)
  }
  last.process.kill('SIGKILL')
  await last.exited
  checkReceived(receiver.received)
  return killed
}

/**
 * Resolves to the ids of the events that the process recorded. It is killed at its first, second or third request, before
 * the answer or right after it.
 */
async function deliverUntilKilled(store: string, receiver: WebhookReceiver, random: () => number): Promise<string[]> {
  const child = startChild(PROGRAM, [store, String(EVENTS_PER_PROCESS)])
  const target = receiver.received.length + 1 + Math.floor(random() * 3)
  const isAnswered = random() < 0.5
  receiver.answer = (response) => {
    if (receiver.received.length < target) response.writeHead(204).end()
    else if (isAnswered) response.writeHead(204).end(() => child.process.kill('SIGKILL'))
    else child.process.kill('SIGKILL')
  }
  const ids = JSON.parse(await child.line()) as string[]
  await child.exited
  assert.equal(child.process.signalCode, 'SIGKILL')
  return ids
}

async function createWebhook(store: string, receiver: string): Promise<void> {
  const opened = await openFastWebhooks(store)
  await opened.webhooks.create({ url: receiver, types: ['app:seen'] }, 'root')
  await closeAll(opened)
}

async function closeAll({ webhooks, purser }: FastWebhooks): Promise<void> {
  await webhooks.close()
  await purser.close()
}

async function record({ purser }: FastWebhooks, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++)
    ids.push((await purser.user(`user-${index % 2}`).ledger.record('app:seen')).id)
  return ids
}

/** The ids of all requests but the first ones, which failed. */
function acceptedIds(received: readonly ReceivedWebhook[], failed: number): string[] {
  return received.slice(failed).map(({ id }) => id)
}

/** Repeats have the same id and the same body, and the first request of each event is in the order of its user. */
function checkReceived(received: readonly ReceivedWebhook[]): void {
  const bodies = new Map<string, string>()
  const sequences = new Map<string, number>()
  for (const { id, body, event } of received) {
    const before = bodies.get(id)
    if (before === undefined) {
      assert.ok(event.sequence > (sequences.get(event.user) ?? 0), `${event.user}: ${event.sequence} is late`)
      sequences.set(event.user, event.sequence)
      bodies.set(id, body)
    } else assert.equal(body, before)
    assert.equal(event.id, id)
  }
}
