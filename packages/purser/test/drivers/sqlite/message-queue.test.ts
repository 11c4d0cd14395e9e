import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalBus, type LocalBus } from '../../../src/drivers/local-bus.ts'
import { createChangePoller } from '../../../src/drivers/sqlite/bus/change-poller.ts'
import { createMessageQueue, type MessageQueue } from '../../../src/drivers/sqlite/bus/message-queue.ts'
import { createCacheWriterCalls } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { type Database, openDatabase } from '../../../src/drivers/sqlite/database.ts'
import { createWriterCalls } from '../../../src/drivers/sqlite/main/writer.ts'
import { migrate } from '../../../src/drivers/sqlite/migrate.ts'
import type { BusMessage } from '../../../src/storage/store.ts'
import { createInProcessWorker } from '../../support/in-process-worker.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

const createQueue = (cache: Database, local: LocalBus, origin: string): MessageQueue =>
  createMessageQueue({ cache, writer: createInProcessWorker(createCacheWriterCalls(cache)), local, origin })
const open = (path: string): ReturnType<typeof openDatabase> => openDatabase({ path, profile: 'rebuildable' })
const message = (detail: string): BusMessage => ({ topic: 'context', namespace: 'n', detail })

test('a listener that is too far behind receives a gap', async () => {
  const path = temporaryPath()
  const [from, to] = [await open(path), await open(path)]
  const local = createLocalBus()
  const received: unknown[] = []
  local.subscribe((message) => received.push(message))
  const sender = createQueue(from, createLocalBus(), 'sender')
  const receiver = createQueue(to, local, 'receiver')
  receiver.listen()
  const sending = Array.from({ length: 1_100 }, (_, index) => sender.send(message(String(index))))
  await from.write(() => undefined)
  for (let turn = 0; from.prepare('SELECT max(sequence) AS last FROM messages_1').get()?.last !== 1_100; turn++) {
    assert.ok(turn < 10_000)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  receiver.poll()
  assert.deepEqual(received, ['gap'])
  await Promise.all(sending)
  const last = sender.send(message('after the gap'))
  for (let turn = 0; received.length < 2; turn++) {
    assert.ok(turn < 10_000)
    await new Promise<void>((resolve) => setImmediate(resolve))
    receiver.poll()
  }
  assert.deepEqual(received[1], message('after the gap'))
  await last
  assert.equal(from.prepare('SELECT count(*) AS messages FROM messages_1').get()?.messages, 1_000)
  await Promise.all([from.close(), to.close()])
})

test('messages dropped unread are a gap for their receivers, and not for their sender', async () => {
  const path = temporaryPath()
  const [writing, reading] = [await open(path), await open(path)]
  const calls = createInProcessWorker(createCacheWriterCalls(writing))
  const received: Record<string, unknown[]> = { sender: [], receiver: [] }
  const [sender, receiver] = ['sender', 'receiver'].map((origin) => {
    const local = createLocalBus()
    local.subscribe((message) => received[origin]?.push(message))
    const queue = createMessageQueue({ cache: reading, writer: calls, local, origin })
    queue.listen()
    return queue
  }) as [MessageQueue, MessageQueue]
  const sending = sender.send(message('unread'))
  await writing.write(() => undefined)
  await calls.call('dropMessages')
  for (const queue of [sender, receiver]) queue.poll()
  await sending
  assert.deepEqual(received, { sender: [], receiver: ['gap'] })
  await Promise.all([writing.close(), reading.close()])
})

test('the change poller reports commits of other connections once, own commits never, and asks only after a commit', async () => {
  const path = temporaryPath()
  const [own, other, main] = [await open(path), await open(path), await open(path)]
  migrate(own.connection)
  const calls = createWriterCalls(own)
  const local = createLocalBus()
  const received: unknown[] = []
  local.subscribe((message) => received.push(message))
  let position = 0
  let asked = 0
  const hasForeignCommits = (): boolean => {
    asked++
    return calls.hasForeignCommits()
  }
  const writer = createInProcessWorker({ ...calls, hasForeignCommits })
  const changes = createChangePoller({ main, writer, local, newestPosition: () => position })
  await changes.poll()
  changes.watch('n')
  await calls.compareAndSetMeta('a', undefined, 'b')
  await changes.poll()
  assert.deepEqual(received, [])
  assert.equal(asked, 2)
  for (let poll = 0; poll < 3; poll++) await changes.poll()
  assert.equal(asked, 2)
  const otherCalls = createWriterCalls(other)
  await otherCalls.compareAndSetMeta('a', 'b', 'c')
  await changes.poll()
  await changes.poll()
  assert.deepEqual(received, [{ topic: 'user', namespace: 'n' }])
  position = 7
  await otherCalls.compareAndSetMeta('a', 'c', 'd')
  await changes.poll()
  assert.deepEqual(received.slice(1), [
    { topic: 'user', namespace: 'n' },
    { topic: 'events', namespace: 'n' },
  ])
  await Promise.all([own.close(), other.close(), main.close()])
})

test('a process does not receive its own messages from the queue', async () => {
  const path = temporaryPath()
  const [own, other] = [await open(path), await open(path)]
  const local = createLocalBus()
  const received: unknown[] = []
  local.subscribe((message) => received.push(message))
  const queue = createQueue(own, local, 'own')
  const otherQueue = createQueue(other, createLocalBus(), 'other')
  queue.listen()
  await queue.send(message('mine'))
  const sending = otherQueue.send(message('theirs'))
  for (let turn = 0; received.length === 0; turn++) {
    assert.ok(turn < 10_000)
    await new Promise<void>((resolve) => setImmediate(resolve))
    queue.poll()
  }
  await sending
  assert.deepEqual(received, [message('theirs')])
  await queue.close()
  assert.equal(other.prepare('SELECT count(*) AS listeners FROM listeners_1').get()?.listeners, 0)
  await Promise.all([own.close(), other.close()])
})
