import assert from 'node:assert/strict'
import type { BusMessage } from '../../storage/store.ts'
import { ann, type ContractTest, mustCommit, NAMESPACE, tryCommit, withEvents } from './samples.ts'

export const bus: readonly ContractTest[] = [
  {
    name: 'compareAndSet writes a value about the store only if the stored one is as expected',
    async run({ meta }) {
      assert.equal(await meta.get('a'), undefined)
      assert.equal(await meta.compareAndSet('a', 'x', 'y'), false)
      assert.equal(await meta.compareAndSet('a', undefined, 'x'), true)
      assert.equal(await meta.compareAndSet('a', undefined, 'y'), false)
      assert.equal(await meta.get('a'), 'x')
      assert.equal(await meta.compareAndSet('a', 'x', 'y\0z'), true)
      assert.equal(await meta.get('a'), 'y\0z')
      const racers = ['1', '2', '3'].map((value) => meta.compareAndSet('race', undefined, value))
      assert.equal((await Promise.all(racers)).filter(Boolean).length, 1)
    },
  },
  {
    name: 'a message is delivered to every listener of the process, the publisher included, until it unsubscribes',
    async run({ bus }) {
      const received: unknown[][] = [[], []]
      const unsubscribe = received.map((list) => bus.subscribe((message) => list.push(message)))
      const message: BusMessage = { topic: 'context', namespace: NAMESPACE, user: 'ann', detail: 'profile' }
      await bus.publish(message)
      assert.deepEqual(received, [[message], [message]])
      unsubscribe[0]?.()
      await bus.publish(message)
      assert.deepEqual(
        received.map((list) => list.length),
        [1, 2],
      )
      unsubscribe[1]?.()
    },
  },
  {
    name: 'listeners are notified of a commit before it is acknowledged, and never of a refused one',
    async run(store) {
      const received: string[] = []
      const unsubscribe = store.bus.subscribe((message) => {
        received.push(message === 'gap' ? 'gap' : `${message.topic} ${message.namespace} ${message.user}`)
      })
      const expect = await mustCommit(store, ann, { records: [{ kind: 'note', name: '', value: '' }] })
      assert.deepEqual(received, [`user ${NAMESPACE} ann`])
      await mustCommit(store, ann, { expect, ...withEvents(1, 1) })
      assert.deepEqual(received.slice(1), [`user ${NAMESPACE} ann`, `events ${NAMESPACE} ann`])
      await tryCommit(store, ann)
      assert.equal(received.length, 3)
      unsubscribe()
    },
  },
  {
    name: 'close can be called again',
    async run(store) {
      await mustCommit(store, ann)
      await Promise.all([store.close(), store.close()])
      await store.close()
    },
  },
  {
    name: 'pending writes are written before the store is closed',
    durable: true,
    async run(store, reopen) {
      const pending = mustCommit(store, ann)
      const again = await reopen()
      await pending
      assert.notEqual(await again.users.load(ann), undefined)
    },
  },
]
