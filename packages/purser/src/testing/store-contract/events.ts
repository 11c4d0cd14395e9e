import assert from 'node:assert/strict'
import type { Store, TailEvent } from '../../storage/store.ts'
import { ann, bob, type ContractTest, createEvent, mustCommit, NAMESPACE, withEvents } from './samples.ts'

async function newest(store: Store, page: Parameters<Store['events']['newest']>[1]): Promise<number[]> {
  return (await store.events.newest(ann, page)).map(({ sequence }) => sequence)
}

async function oldest(store: Store, after: number, limit: number): Promise<number[]> {
  return (await store.events.oldest(ann, { after, limit })).map(({ sequence }) => sequence)
}

export const events: readonly ContractTest[] = [
  {
    name: 'events are read newest first below a sequence, with exact limits (BL-D17)',
    async run(store) {
      await mustCommit(store, ann, withEvents(1, 5))
      await mustCommit(store, bob, withEvents(1, 1, { id: 'of bob' }))
      assert.deepEqual(await newest(store, { limit: 10 }), [5, 4, 3, 2, 1])
      assert.deepEqual(await newest(store, { limit: 2 }), [5, 4])
      assert.deepEqual(await newest(store, { limit: 2, before: 4 }), [3, 2])
      assert.deepEqual(await newest(store, { limit: 2, before: 1 }), [])
      assert.deepEqual(await newest(store, { limit: 0 }), [])
      const [event] = await store.events.newest(ann, { limit: 1 })
      assert.deepEqual(event, createEvent(5, { id: 'event 5' }))
    },
  },
  {
    name: 'events are filtered by type',
    async run(store) {
      const mixed = [createEvent(1, { type: 'a' }), createEvent(2, { type: 'b' }), createEvent(3, { type: 'a' })]
      await mustCommit(store, ann, { ...withEvents(1, 3), events: mixed })
      assert.deepEqual(await newest(store, { limit: 10, types: ['a'] }), [3, 1])
      assert.deepEqual(await newest(store, { limit: 1, types: ['a'], before: 3 }), [1])
      assert.deepEqual(await newest(store, { limit: 10, types: ['a', 'b'] }), [3, 2, 1])
      assert.deepEqual(await newest(store, { limit: 10, types: ['%', 'A'] }), [])
      assert.deepEqual(await newest(store, { limit: 10, types: [] }), [])
    },
  },
  {
    name: 'events are filtered by a period, also where a clock was set back',
    async run(store) {
      const instants = [1_000, 3_000, 2_000, 4_000]
      const logged = instants.map((at, index) => createEvent(index + 1, { at, type: index % 2 === 0 ? 'a' : 'b' }))
      await mustCommit(store, ann, { ...withEvents(1, 4), events: logged })
      assert.deepEqual(await newest(store, { limit: 10, from: 2_000 }), [4, 3, 2])
      assert.deepEqual(await newest(store, { limit: 10, to: 3_000 }), [3, 1])
      assert.deepEqual(await newest(store, { limit: 10, from: 2_000, to: 4_000 }), [3, 2])
      assert.deepEqual(await newest(store, { limit: 1, from: 2_000, before: 4 }), [3])
      assert.deepEqual(await newest(store, { limit: 10, from: 2_000, to: 5_000, types: ['a'] }), [3])
      assert.deepEqual(await newest(store, { limit: 10, from: 4_000, to: 4_000 }), [])
      assert.deepEqual(await newest(store, { limit: 10, from: 1_000, types: [] }), [])
    },
  },
  {
    name: 'events are read oldest first above a sequence, also more than 1,000 at a time',
    async run(store) {
      await mustCommit(store, ann, withEvents(1, 1_500))
      assert.deepEqual(await oldest(store, 0, 3), [1, 2, 3])
      assert.deepEqual(await oldest(store, 1_498, 3), [1_499, 1_500])
      assert.deepEqual(await oldest(store, 1_500, 3), [])
      assert.deepEqual(await oldest(store, 0, 0), [])
      const all = await oldest(store, 0, 5_000)
      assert.deepEqual([all.length, all.at(0), all.at(-1)], [1_500, 1, 1_500])
      assert.equal((await newest(store, { limit: 1_000 })).length, 1_000)
    },
  },
  {
    name: 'a commit drops the events below a sequence, and no others',
    async run(store) {
      const expect = await mustCommit(store, ann, withEvents(1, 5))
      await mustCommit(store, ann, { expect, ...withEvents(6, 6), dropEventsBelow: 5 })
      assert.deepEqual(await oldest(store, 0, 10), [5, 6])
      assert.equal(await store.events.position(NAMESPACE, 'event 4'), undefined)
      assert.deepEqual(
        (await store.events.tail(NAMESPACE, { after: 0, limit: 10 })).map(({ event }) => event.sequence),
        [5, 6],
      )
    },
  },
  {
    name: 'the tail has every event of the namespace once, in commit order',
    async run(store) {
      assert.equal(await store.events.position(NAMESPACE), 0)
      assert.deepEqual(await store.events.tail(NAMESPACE, { after: 0, limit: 10 }), [])
      const expect = await mustCommit(store, ann, withEvents(1, 2, { id: 'ann' }))
      await mustCommit(store, bob, withEvents(1, 1, { id: 'bob' }))
      await mustCommit(store, { namespace: 'other', id: 'ann' }, withEvents(1, 1, { id: 'ann' }))
      await mustCommit(store, ann, { expect, ...withEvents(3, 3, { id: 'ann' }) })
      const all = await store.events.tail(NAMESPACE, { after: 0, limit: 10 })
      const format = (entries: readonly TailEvent[]): string[] =>
        entries.map(({ user, event }) => `${user} ${event.id}`)
      assert.deepEqual(format(all), ['ann ann 1', 'ann ann 2', 'bob bob 1', 'ann ann 3'])
      const positions = all.map(({ position }) => position)
      assert.deepEqual(
        positions,
        [...new Set(positions)].sort((a, b) => a - b),
        'positions grow',
      )
      const after = positions[1] ?? 0
      assert.deepEqual(format(await store.events.tail(NAMESPACE, { after, limit: 1 })), ['bob bob 1'])
      assert.equal(await store.events.position(NAMESPACE, 'ann 2'), after)
      assert.equal(await store.events.position(NAMESPACE), positions.at(-1))
      assert.equal(await store.events.position('other', 'bob 1'), undefined)
      assert.equal(await store.events.position(NAMESPACE, 'unknown 1'), undefined)
    },
  },
  {
    name: 'a second event with the same id is rejected',
    async run(store) {
      await mustCommit(store, ann, withEvents(1, 1))
      await assert.rejects(mustCommit(store, bob, withEvents(1, 1)))
      assert.equal(await store.users.load(bob), undefined)
    },
  },
]
