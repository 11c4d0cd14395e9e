import assert from 'node:assert/strict'
import {
  AT,
  accept,
  ann,
  bob,
  erasureOf,
  idsOf,
  log,
  NAMESPACE,
  type Promised,
  tagOf,
  withEvents,
  write,
} from './samples.ts'

const OWN = [
  { kind: 'note', name: '1', value: 'a' },
  { kind: 'note', name: '2', value: 'b' },
  { kind: 'settings', name: '', value: '{}' },
]
const REPLY = { key: 'key', digest: 'digest', result: '{}', expiresAt: AT + 1 }

export const erasure: readonly Promised[] = [
  {
    name: 'an erased user is gone in every way of looking, with a receipt of what went',
    async show(store) {
      await accept(store, ann, { ...withEvents(1, 3), records: OWN, replies: [REPLY] })
      const outcome = await store.users.erase(ann, await erasureOf(store, ann))
      assert.ok(outcome.ok)
      assert.deepEqual({ ...outcome.counts }, { user: 1, events: 3, note: 2, settings: 1, answers: 0 })
      assert.equal(await store.users.purge(), true)
      assert.equal(await store.users.load(ann), undefined)
      assert.equal(await store.users.record(ann, 'note', '1'), undefined)
      assert.deepEqual(await store.users.records(ann, 'note', { limit: 9, order: 'ascending' }), [])
      assert.equal(await store.users.reply(ann, 'key'), undefined)
      assert.deepEqual(await store.events.newest(ann, { limit: 9 }), [])
      assert.equal(await store.events.position(NAMESPACE, 'event 1'), undefined)
      assert.deepEqual(await idsOf(store), [])
    },
  },
  {
    name: 'the log of the namespace gets its event in the same step',
    async show(store) {
      await accept(store, ann, withEvents(1, 3))
      await store.users.erase(ann, await erasureOf(store, ann))
      const tail = await store.events.tail(NAMESPACE, { after: 0, limit: 9 })
      assert.deepEqual(
        tail.map(({ user, event }) => [user, event.type]),
        [['', 'user_erased']],
      )
      assert.equal((await store.users.load(log))?.head?.sequence, 1)
    },
  },
  {
    name: 'nothing on its way brings an erased user back, and a new life starts empty',
    async show(store) {
      const expect = await accept(store, ann, { ...withEvents(1, 3, { id: 'first' }), records: OWN, replies: [REPLY] })
      await store.users.erase(ann, await erasureOf(store, ann))
      assert.deepEqual(await write(store, ann, { expect }), { ok: false })
      assert.deepEqual(await write(store, ann), { ok: false }, 'created by a call that began before')
      assert.equal(await store.users.nextIncarnation(NAMESPACE, tagOf(ann)), 2)
      await accept(store, ann, { incarnation: 2, ...withEvents(1, 1, { id: 'second' }) })
      const row = await store.users.load(ann)
      assert.deepEqual([row?.incarnation, row?.head?.sequence], [2, 1])
      assert.deepEqual(await store.users.records(ann, 'note', { limit: 9, order: 'ascending' }), [])
      assert.equal((await store.events.newest(ann, { limit: 9 })).length, 1)
      assert.equal(await store.users.reply(ann, 'key'), undefined)
    },
  },
  {
    name: 'erasing on an outdated view is refused and changes nothing',
    async show(store) {
      await accept(store, ann, { records: OWN })
      const good = await erasureOf(store, ann)
      assert.deepEqual(await store.users.erase(ann, { ...good, incarnation: 2 }), { ok: false })
      const late = { ...good, log: { ...good.log, expect: 7 } }
      assert.deepEqual(await store.users.erase(ann, late), { ok: false })
      assert.equal(await store.users.record(ann, 'note', '1'), 'a')
      assert.equal(await store.users.nextIncarnation(NAMESPACE, tagOf(ann)), 1)
      assert.ok((await store.users.erase(ann, good)).ok)
      assert.deepEqual(await store.users.erase(ann, good), { ok: false }, 'a life ends once')
    },
  },
  {
    name: 'a user who was never stored can be erased: what is on its way is refused as well',
    async show(store) {
      const outcome = await store.users.erase(ann, await erasureOf(store, ann))
      assert.ok(outcome.ok)
      assert.deepEqual([outcome.counts.user, outcome.counts.events], [0, 0])
      assert.deepEqual(await write(store, ann), { ok: false })
      await accept(store, ann, { incarnation: 2 })
    },
  },
  {
    name: 'other users and other namespaces are untouched by an erasure',
    async show(store) {
      const twin = { namespace: 'elsewhere', id: ann.id }
      await accept(store, ann, { ...withEvents(1, 2, { id: 'ann' }), records: OWN })
      for (const user of [bob, twin])
        await accept(store, user, {
          ...withEvents(1, 2, { id: user.id + user.namespace }),
          records: OWN,
          replies: [REPLY],
        })
      const before = [await store.users.load(bob), await store.users.load(twin)]
      await store.users.erase(ann, await erasureOf(store, ann))
      assert.deepEqual([await store.users.load(bob), await store.users.load(twin)], before)
      for (const user of [bob, twin]) {
        assert.equal((await store.users.records(user, 'note', { limit: 9, order: 'ascending' })).length, 2)
        assert.equal((await store.events.oldest(user, { after: 0, limit: 9 })).length, 2)
        assert.notEqual(await store.users.reply(user, 'key'), undefined)
      }
      assert.equal(await store.users.nextIncarnation('elsewhere', tagOf(ann)), 1)
    },
  },
  {
    name: 'an erasure with a log that cannot be written leaves the user as they were',
    async show(store) {
      await accept(store, ann, { ...withEvents(1, 1, { id: 'taken' }), records: OWN })
      const good = await erasureOf(store, ann)
      const poisoned = good.log.events.map((event) => ({ ...event, id: 'taken 1' }))
      await assert.rejects(store.users.erase(ann, { ...good, log: { ...good.log, events: poisoned } }))
      assert.equal(await store.users.record(ann, 'note', '1'), 'a')
      assert.equal(await store.users.nextIncarnation(NAMESPACE, tagOf(ann)), 1)
    },
  },
]
