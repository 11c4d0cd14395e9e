import assert from 'node:assert/strict'
import {
  AT,
  ann,
  bob,
  type ContractTest,
  createErasure,
  listIds,
  mustCommit,
  NAMESPACE,
  namespaceLog,
  tagOf,
  tryCommit,
  withEvents,
} from './samples.ts'

const RECORDS = [
  { kind: 'note', name: '1', value: 'a' },
  { kind: 'note', name: '2', value: 'b' },
  { kind: 'settings', name: '', value: '{}' },
]
const REPLY = { key: 'key', digest: 'digest', result: '{}', expiresAt: AT + 1 }

export const erasure: readonly ContractTest[] = [
  {
    name: 'an erased user is absent from every read, and the outcome counts the removed rows',
    async run(store) {
      await mustCommit(store, ann, { ...withEvents(1, 3), records: RECORDS, replies: [REPLY] })
      const outcome = await store.users.erase(ann, await createErasure(store, ann))
      assert.ok(outcome.ok)
      assert.deepEqual(
        { ...outcome.counts },
        { user: 1, events: 3, turns: 0, usage: 0, note: 2, settings: 1, answers: 0 },
      )
      assert.equal(await store.users.purge(), store.traits.wipesFiles !== false)
      assert.equal(await store.users.load(ann), undefined)
      assert.equal(await store.users.record(ann, 'note', '1'), undefined)
      assert.deepEqual(await store.users.records(ann, 'note', { limit: 9, order: 'ascending' }), [])
      assert.equal(await store.users.reply(ann, 'key'), undefined)
      assert.deepEqual(await store.events.newest(ann, { limit: 9 }), [])
      assert.equal(await store.events.position(NAMESPACE, 'event 1'), undefined)
      assert.deepEqual(await listIds(store), [])
    },
  },
  {
    name: 'an erasure that was decided on another revision writes nothing',
    async run(store) {
      const revision = await mustCommit(store, ann, withEvents(1, 1))
      const erasure = await createErasure(store, ann)
      assert.deepEqual(await store.users.erase(ann, { ...erasure, revision: revision + 1 }), { ok: false })
      assert.equal((await store.users.load(ann))?.revision, revision)
      assert.equal((await store.users.erase(ann, { ...erasure, revision })).ok, true)
      assert.deepEqual(await store.users.erase(ann, { ...erasure, revision }), { ok: false })
    },
  },
  {
    name: 'an erasure writes its event to the log of the namespace in the same step',
    async run(store) {
      await mustCommit(store, ann, withEvents(1, 3))
      await store.users.erase(ann, await createErasure(store, ann))
      const tail = await store.events.tail(NAMESPACE, { after: 0, limit: 9 })
      assert.deepEqual(
        tail.map(({ user, event }) => [user, event.type]),
        [['', 'user_erased']],
      )
      assert.equal((await store.users.load(namespaceLog))?.head?.sequence, 1)
    },
  },
  {
    name: 'no commit decided before an erasure restores the user, and the next incarnation starts empty',
    async run(store) {
      const expect = await mustCommit(store, ann, {
        ...withEvents(1, 3, { id: 'first' }),
        records: RECORDS,
        replies: [REPLY],
      })
      await store.users.erase(ann, await createErasure(store, ann))
      assert.deepEqual(await tryCommit(store, ann, { expect }), { ok: false })
      assert.deepEqual(
        await tryCommit(store, ann),
        { ok: false },
        'a commit that creates the user, decided before the erasure',
      )
      assert.equal(await store.users.nextIncarnation(NAMESPACE, tagOf(ann)), 2)
      await mustCommit(store, ann, { incarnation: 2, ...withEvents(1, 1, { id: 'second' }) })
      const row = await store.users.load(ann)
      assert.deepEqual([row?.incarnation, row?.head?.sequence], [2, 1])
      assert.deepEqual(await store.users.records(ann, 'note', { limit: 9, order: 'ascending' }), [])
      assert.equal((await store.events.newest(ann, { limit: 9 })).length, 1)
      assert.equal(await store.users.reply(ann, 'key'), undefined)
    },
  },
  {
    name: 'an erasure decided on an outdated state is refused and changes nothing',
    async run(store) {
      await mustCommit(store, ann, { records: RECORDS })
      const valid = await createErasure(store, ann)
      assert.deepEqual(await store.users.erase(ann, { ...valid, incarnation: 2 }), { ok: false })
      const late = { ...valid, log: { ...valid.log, expect: 7 } }
      assert.deepEqual(await store.users.erase(ann, late), { ok: false })
      assert.equal(await store.users.record(ann, 'note', '1'), 'a')
      assert.equal(await store.users.nextIncarnation(NAMESPACE, tagOf(ann)), 1)
      assert.ok((await store.users.erase(ann, valid)).ok)
      assert.deepEqual(await store.users.erase(ann, valid), { ok: false }, 'an incarnation ends once')
    },
  },
  {
    name: 'an absent user can be erased, which refuses the commits decided before',
    async run(store) {
      const outcome = await store.users.erase(ann, await createErasure(store, ann))
      assert.ok(outcome.ok)
      assert.deepEqual([outcome.counts.user, outcome.counts.events], [0, 0])
      assert.deepEqual(await tryCommit(store, ann), { ok: false })
      await mustCommit(store, ann, { incarnation: 2 })
    },
  },
  {
    name: 'an erasure does not change other users or other namespaces',
    async run(store) {
      const twin = { namespace: 'other', id: ann.id }
      await mustCommit(store, ann, { ...withEvents(1, 2, { id: 'ann' }), records: RECORDS })
      for (const user of [bob, twin])
        await mustCommit(store, user, {
          ...withEvents(1, 2, { id: user.id + user.namespace }),
          records: RECORDS,
          replies: [REPLY],
        })
      const before = [await store.users.load(bob), await store.users.load(twin)]
      await store.users.erase(ann, await createErasure(store, ann))
      assert.deepEqual([await store.users.load(bob), await store.users.load(twin)], before)
      for (const user of [bob, twin]) {
        assert.equal((await store.users.records(user, 'note', { limit: 9, order: 'ascending' })).length, 2)
        assert.equal((await store.events.oldest(user, { after: 0, limit: 9 })).length, 2)
        assert.notEqual(await store.users.reply(user, 'key'), undefined)
      }
      assert.equal(await store.users.nextIncarnation('other', tagOf(ann)), 1)
    },
  },
  {
    name: 'an erasure whose log event violates a constraint changes nothing',
    async run(store) {
      await mustCommit(store, ann, { ...withEvents(1, 1, { id: 'taken' }), records: RECORDS })
      const valid = await createErasure(store, ann)
      const invalid = valid.log.events.map((event) => ({ ...event, id: 'taken 1' }))
      await assert.rejects(store.users.erase(ann, { ...valid, log: { ...valid.log, events: invalid } }))
      assert.equal(await store.users.record(ann, 'note', '1'), 'a')
      assert.equal(await store.users.nextIncarnation(NAMESPACE, tagOf(ann)), 1)
    },
  },
]
