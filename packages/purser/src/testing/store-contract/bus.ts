import assert from 'node:assert/strict'
import type { BusMessage } from '../../storage/store.ts'
import { accept, ann, NAMESPACE, type Promised, withEvents, write } from './samples.ts'

export const news: readonly Promised[] = [
  {
    name: 'a value about the store changes only from what was expected',
    async show({ meta }) {
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
    name: 'a message reaches every listener here, the publisher too, until it stops listening',
    async show({ bus }) {
      const heard: unknown[][] = [[], []]
      const stops = heard.map((list) => bus.subscribe((message) => list.push(message)))
      const message: BusMessage = { topic: 'context', namespace: NAMESPACE, user: 'ann', detail: 'profile' }
      await bus.publish(message)
      assert.deepEqual(heard, [[message], [message]])
      stops[0]?.()
      await bus.publish(message)
      assert.deepEqual(
        heard.map((list) => list.length),
        [1, 2],
      )
      stops[1]?.()
    },
  },
  {
    name: 'a commit is told of before it is acknowledged, a refused one not at all',
    async show(store) {
      const heard: string[] = []
      const stop = store.bus.subscribe((message) => {
        heard.push(message === 'gap' ? 'gap' : `${message.topic} ${message.namespace} ${message.user}`)
      })
      const expect = await accept(store, ann, { records: [{ kind: 'note', name: '', value: '' }] })
      assert.deepEqual(heard, [`user ${NAMESPACE} ann`])
      await accept(store, ann, { expect, ...withEvents(1, 1) })
      assert.deepEqual(heard.slice(1), [`user ${NAMESPACE} ann`, `events ${NAMESPACE} ann`])
      await write(store, ann)
      assert.equal(heard.length, 3)
      stop()
    },
  },
  {
    name: 'a closed store can be closed again',
    async show(store) {
      await accept(store, ann)
      await Promise.all([store.close(), store.close()])
      await store.close()
    },
  },
  {
    name: 'what is waiting when the store is closed is written',
    durable: true,
    async show(store, reopen) {
      const waiting = accept(store, ann)
      const again = await reopen()
      await waiting
      assert.notEqual(await again.users.load(ann), undefined)
    },
  },
]
