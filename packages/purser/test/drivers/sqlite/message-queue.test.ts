import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalBus, type LocalBus } from '../../../src/drivers/local-bus.ts'
import { createChangePoller } from '../../../src/drivers/sqlite/bus/change-poller.ts'
import { createMessageQueue, type MessageQueue } from '../../../src/drivers/sqlite/bus/message-queue.ts'
import { createCacheWriterCalls } from '../../../src/drivers/sqlite/cache/cache-writer.ts'
import { type Database, openDatabase } from '../../../src/drivers/sqlite/database.ts'
import { createWriterCalls } from '../../../src/drivers/sqlite/main/writer.ts'
import { migrate } from '../../../src/drivers/sqlite/migrate.ts'
import type { BusMessage } from '../../../src/storage/store.ts'
import { onThisThread } from '../../support/in-process-worker.ts'
import { newPath } from '../../support/temporary-store.ts'

const mailboxOn = (cache: Database, local: LocalBus, origin: string): MessageQueue =>
  createMessageQueue({ cache, writer: onThisThread(createCacheWriterCalls(cache)), local, origin })
const open = (path: string): ReturnType<typeof openDatabase> => openDatabase({ path, profile: 'rebuildable' })
const message = (detail: string): BusMessage => ({ topic: 'context', namespace: 'n', detail })

test('a listener that is too far behind is told that it may have missed something', async () => {
  const path = newPath()
  const [from, to] = [await open(path), await open(path)]
  const local = createLocalBus()
  const heard: unknown[] = []
  local.subscribe((told) => heard.push(told))
  const sender = mailboxOn(from, createLocalBus(), 'sender')
  const receiver = mailboxOn(to, local, 'receiver')
  receiver.listen()
  const sending = Array.from({ length: 1_100 }, (_, index) => sender.send(message(String(index))))
  await from.write(() => undefined)
  for (let turn = 0; from.prepare('SELECT max(sequence) AS last FROM messages_1').get()?.last !== 1_100; turn++) {
    assert.ok(turn < 10_000)
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  receiver.look()
  assert.deepEqual(heard, ['gap'])
  await Promise.all(sending)
  const last = sender.send(message('after the gap'))
  for (let turn = 0; heard.length < 2; turn++) {
    assert.ok(turn < 10_000)
    await new Promise<void>((resolve) => setImmediate(resolve))
    receiver.look()
  }
  assert.deepEqual(heard[1], message('after the gap'))
  await last
  const [kept] = from.prepare('SELECT count(*) AS messages FROM messages_1').all()
  assert.equal(kept?.messages, 1_000)
  await Promise.all([from.close(), to.close()])
})

test('messages that are gone unread are a gap for those who wanted them, not for those who sent them', async () => {
  const path = newPath()
  const [writing, reading] = [await open(path), await open(path)]
  const calls = onThisThread(createCacheWriterCalls(writing))
  const heard: Record<string, unknown[]> = { sender: [], receiver: [] }
  const [sender, receiver] = ['sender', 'receiver'].map((origin) => {
    const local = createLocalBus()
    local.subscribe((told) => heard[origin]?.push(told))
    const mailbox = createMessageQueue({ cache: reading, writer: calls, local, origin })
    mailbox.listen()
    return mailbox
  }) as [MessageQueue, MessageQueue]
  const sending = sender.send(message('unread'))
  await writing.write(() => undefined)
  await calls.call('dropMessages')
  for (const mailbox of [sender, receiver]) mailbox.look()
  await sending
  assert.deepEqual(heard, { sender: [], receiver: ['gap'] })
  await Promise.all([writing.close(), reading.close()])
})

test('commits of another connection are noticed once, own ones never', async () => {
  const path = newPath()
  const [own, other] = [await open(path), await open(path)]
  migrate(own.connection)
  const calls = createWriterCalls(own)
  const local = createLocalBus()
  const heard: unknown[] = []
  local.subscribe((told) => heard.push(told))
  let position = 0
  const commits = createChangePoller(onThisThread(calls), local, () => position)
  await commits.look()
  commits.uses('n')
  await calls.compareAndSetMeta('a', undefined, 'b')
  await commits.look()
  assert.deepEqual(heard, [])
  const elsewhere = createWriterCalls(other)
  await elsewhere.compareAndSetMeta('a', 'b', 'c')
  await commits.look()
  await commits.look()
  assert.deepEqual(heard, [{ topic: 'user', namespace: 'n' }])
  position = 7
  await elsewhere.compareAndSetMeta('a', 'c', 'd')
  await commits.look()
  assert.deepEqual(heard.slice(1), [
    { topic: 'user', namespace: 'n' },
    { topic: 'events', namespace: 'n' },
  ])
  await Promise.all([own.close(), other.close()])
})

test('a process is not told again what it has said itself', async () => {
  const path = newPath()
  const [own, other] = [await open(path), await open(path)]
  const local = createLocalBus()
  const heard: unknown[] = []
  local.subscribe((told) => heard.push(told))
  const mailbox = mailboxOn(own, local, 'own')
  const elsewhere = mailboxOn(other, createLocalBus(), 'other')
  mailbox.listen()
  await mailbox.send(message('mine'))
  const sending = elsewhere.send(message('theirs'))
  for (let turn = 0; heard.length === 0; turn++) {
    assert.ok(turn < 10_000)
    await new Promise<void>((resolve) => setImmediate(resolve))
    mailbox.look()
  }
  await sending
  assert.deepEqual(heard, [message('theirs')])
  await mailbox.close()
  assert.equal(other.prepare('SELECT count(*) AS listeners FROM listeners_1').get()?.listeners, 0)
  await Promise.all([own.close(), other.close()])
})
