import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalBus } from '../../src/drivers/local-bus.ts'
import { OtherProcesses } from '../../src/drivers/other-processes.ts'
import { ProcessMessages } from '../../src/drivers/process-messages.ts'
import type { BusMessage } from '../../src/storage/store.ts'
import { noPostgres, openPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, openRedis, sharedRedis } from '../support/redis-server.ts'
import { startChild } from '../support/start-child.ts'
import { temporaryPath } from '../support/temporary-store.ts'
import { nextMessage } from './next-message.ts'

test('a process that falls silent is reported once, one that ends or goes on is not', () => {
  const others = new OtherProcesses()
  others.heard('killed', 0)
  others.heard('ended', 0)
  others.heard('alive', 0)
  others.ended('ended')
  others.heard('alive', 3_000)
  assert.equal(others.takeSilent(4_999), false)
  assert.equal(others.takeSilent(5_000), true)
  assert.equal(others.takeSilent(5_001), false)
  others.heard('killed', 6_000)
  assert.equal(others.takeSilent(8_000), true, 'the one that was alive at 3,000')
  assert.equal(others.takeSilent(10_999), false)
  assert.equal(others.takeSilent(11_000), true, 'the one that was heard again')
})

test('a process that is forgotten because there are too many counts as silent', () => {
  const others = new OtherProcesses()
  for (let index = 0; index < 10_000; index++) others.heard(`process ${index}`, 0)
  assert.equal(others.takeSilent(1), false)
  others.heard('one more', 1)
  assert.equal(others.takeSilent(1), true)
})

test('what a process says about itself is not delivered, its messages and gaps are', () => {
  const local = createLocalBus()
  const received: (BusMessage | 'gap')[] = []
  local.subscribe((message) => received.push(message))
  const sender = new ProcessMessages({ origin: 'sender', maxPayloadBytes: 1_000 })
  const receiver = new ProcessMessages({ origin: 'receiver', maxPayloadBytes: 1_000 })
  const deliver = (payload: string): void => receiver.receive(payload, local)
  deliver(sender.openPayload())
  deliver(receiver.openPayload())
  assert.deepEqual(received, [])
  const message: BusMessage = { topic: 'context', namespace: 'n', user: 'ann' }
  sender.add(message)
  for (const payload of sender.take()) deliver(payload)
  sender.addGap()
  for (const payload of sender.take()) deliver(payload)
  deliver(sender.closedPayload())
  assert.deepEqual(received, [message, 'gap'])
})

/** Every client of a server can send on the channel of a store. */
const STRANGE_PAYLOADS = [
  '',
  'garbage',
  '[',
  '{}',
  'null',
  '7',
  '[]',
  '[7, 8]',
  '["x", null]',
  '["x", {"topic": "user"}]',
]

test('a payload that cannot be read is a gap, and a topic that is not known is delivered', () => {
  const local = createLocalBus()
  const received: unknown[] = []
  local.subscribe((message) => received.push(message))
  const receiver = new ProcessMessages({ origin: 'receiver', maxPayloadBytes: 1_000 })
  for (const payload of STRANGE_PAYLOADS) {
    receiver.receive(payload, local)
    assert.deepEqual(received.splice(0), ['gap'], payload)
  }
  const newer = { topic: 'of a newer version', namespace: 'n', more: [1] }
  receiver.receive(JSON.stringify(['x', newer, 'text']), local)
  assert.deepEqual(received, [newer, 'gap'])
})

test('a process goes on after strange payloads from PostgreSQL', { skip: noPostgres }, async () => {
  const server = await sharedPostgres()
  const url = server.url()
  const store = await openPostgres(url)
  await store.users.load({ namespace: 'processes', id: 'ann' })
  const channel = `purser_${new URL(url).searchParams.get('schema')}`
  for (const payload of STRANGE_PAYLOADS) {
    const gap = nextMessage(store, (message) => message === 'gap')
    await server.query(`SELECT pg_notify('${channel}', '${payload}')`)
    await gap
  }
  await store.close()
})

test('a process goes on after strange payloads from Redis', { skip: noRedis }, async () => {
  const server = await sharedRedis()
  const url = server.url()
  const store = await openRedis(url)
  await store.users.load({ namespace: 'processes', id: 'ann' })
  const [channel = ''] = await server.command<string[]>(
    'PUBSUB',
    'CHANNELS',
    `${new URL(url).searchParams.get('prefix')}*`,
  )
  for (const payload of STRANGE_PAYLOADS) {
    const gap = nextMessage(store, (message) => message === 'gap')
    await server.command('PUBLISH', channel, payload)
    await gap
  }
  await store.close()
})

/** A process may be killed between a commit and its message. */
async function expectGap(url: string, store: Awaited<ReturnType<typeof openPostgres>>): Promise<void> {
  await store.users.load({ namespace: 'processes', id: 'ann' })
  const args = [url, `${temporaryPath()}.received`]
  const child = startChild(new URL('children/listener.ts', import.meta.url), args)
  assert.equal(await child.line(), 'ready')
  const gap = nextMessage(store, (message) => message === 'gap')
  child.process.kill('SIGKILL')
  await child.exited
  await gap
  await store.close()
}

test('a process that is killed is noticed by those that listen on PostgreSQL', { skip: noPostgres }, async () => {
  const url = (await sharedPostgres()).url()
  await expectGap(url, await openPostgres(url))
})

test('a process that is killed is noticed by those that listen on Redis', { skip: noRedis }, async () => {
  const url = (await sharedRedis()).url()
  await expectGap(url, await openRedis(url))
})
