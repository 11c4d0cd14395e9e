import assert from 'node:assert/strict'
import type { Counter } from '../../storage/store.ts'
import {
  AT,
  accept,
  ann,
  bob,
  commitOf,
  eventOf,
  FACETS,
  HOSTILE,
  NAMESPACE,
  type Promised,
  tagOf,
  withEvents,
  write,
} from './samples.ts'

const MESSAGES: Counter = { limit: 'messages', window: '2026-03-01', value: 1 }

export const commits: readonly Promised[] = [
  {
    name: 'an unknown user is not there, and looking creates nothing',
    async show({ users }) {
      assert.equal(await users.load(ann), undefined)
      assert.equal(await users.record(ann, 'settings', ''), undefined)
      assert.deepEqual(await users.records(ann, 'note', { limit: 10, order: 'ascending' }), [])
      assert.equal(await users.reply(ann, 'key'), undefined)
      assert.equal(await users.nextIncarnation(NAMESPACE, tagOf(ann)), 1)
      assert.equal((await users.overview(NAMESPACE)).users, 0)
    },
  },
  {
    name: 'a commit is stored as it was given, and what it leaves out stays',
    async show(store) {
      await accept(store, ann, { ...withEvents(1, 2), measured: '{"turns":1}', counters: [MESSAGES], seenAt: AT })
      const created = await store.users.load(ann)
      assert.deepEqual(created, {
        incarnation: 1,
        revision: created?.revision,
        head: { sequence: 2, mac: 'mac 2' },
        headMac: 'head 2',
        state: '{"at":2}',
        measured: '{"turns":1}',
        stamps: { createdAt: AT, updatedAt: AT, seenAt: AT },
        counters: [MESSAGES],
      })
      await accept(store, ann, { expect: created?.revision ?? 0, at: AT + 5, seenAt: AT + 5 })
      const touched = await store.users.load(ann)
      const stamps = { createdAt: AT, updatedAt: AT + 5, seenAt: AT + 5 }
      assert.deepEqual(touched, { ...created, revision: touched?.revision, stamps })
    },
  },
  {
    name: 'a user without events has no head, no state and nothing measured',
    async show(store) {
      await accept(store, ann)
      const row = await store.users.load(ann)
      assert.deepEqual([row?.head, row?.headMac, row?.state, row?.measured], [null, null, null, null])
      assert.equal(row?.stamps.seenAt, null)
    },
  },
  {
    name: 'every commit changes the revision, and the outcome tells it',
    async show(store) {
      const seen = new Set<number>()
      let revision = await accept(store, ann)
      for (let round = 0; round < 5; round++) {
        seen.add(revision)
        assert.equal((await store.users.load(ann))?.revision, revision)
        revision = await accept(store, ann, { expect: revision })
      }
      assert.equal(seen.size, 5)
    },
  },
  {
    name: 'a commit decided on another revision is refused whole',
    async show(store) {
      const revision = await accept(store, ann)
      const before = await store.users.load(ann)
      const late = { ...withEvents(1, 1), records: [{ kind: 'note', name: 'n', value: 'v' }], counters: [MESSAGES] }
      for (const expect of [null, revision - 1, revision + 1]) {
        assert.deepEqual(await write(store, ann, { ...late, expect }), { ok: false })
      }
      assert.deepEqual(await store.users.load(ann), before)
      assert.deepEqual(await store.events.newest(ann, { limit: 10 }), [])
      assert.equal(await store.users.record(ann, 'note', 'n'), undefined)
    },
  },
  {
    name: 'a commit to a user who does not exist is refused when it expects one, and creates nothing',
    async show(store) {
      assert.deepEqual(await write(store, ann, { expect: 1 }), { ok: false })
      assert.equal(await store.users.load(ann), undefined)
    },
  },
  {
    name: 'a commit of another incarnation is refused',
    async show(store) {
      assert.deepEqual(await write(store, ann, { incarnation: 2 }), { ok: false })
      const expect = await accept(store, ann)
      assert.deepEqual(await write(store, ann, { expect, incarnation: 2 }), { ok: false })
    },
  },
  {
    name: 'of many commits on one revision exactly one is accepted (BL-D05)',
    async show(store) {
      const first = await Promise.all(Array.from({ length: 20 }, () => write(store, ann)))
      assert.equal(first.filter(({ ok }) => ok).length, 1)
      const expect = (await store.users.load(ann))?.revision ?? 0
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => write(store, ann, { expect })))
      assert.equal(outcomes.filter(({ ok }) => ok).length, 1)
    },
  },
  {
    name: 'a commit that cannot be written fails alone: 63 others beside it go through',
    async show(store) {
      await accept(store, ann, withEvents(1, 1))
      const poisoned = commitOf(ann, {
        expect: (await store.users.load(ann))?.revision ?? 0,
        records: [{ kind: 'note', name: 'n', value: 'must not stay' }],
        // The sequence is taken.
        events: [eventOf(1, { id: 'another' })],
      })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 64 }, (_, index) =>
          index === 31
            ? store.users.commit(ann, poisoned)
            : write(store, { namespace: NAMESPACE, id: `user ${index}` }, withEvents(1, 1, { id: `of ${index}` })),
        ),
      )
      const rejected = outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))
      assert.deepEqual(rejected, [31])
      assert.equal((await store.users.overview(NAMESPACE)).users, 64)
      assert.equal(await store.users.record(ann, 'note', 'n'), undefined)
      assert.equal((await store.users.load(ann))?.revision, poisoned.expect)
      await accept(store, ann, { expect: poisoned.expect, ...withEvents(2, 2) })
    },
  },
  {
    name: 'numbers that are none are refused, not stored',
    async show(store) {
      await assert.rejects(write(store, ann, { counters: [{ ...MESSAGES, value: Number.NaN }] }))
      await assert.rejects(write(store, ann, { facets: { ...FACETS, capUsed: Number.NaN } }))
      assert.equal(await store.users.load(ann), undefined)
    },
  },
  {
    name: 'counters are set and dropped one by one, under any names',
    async show(store) {
      const counters: Counter[] = [
        MESSAGES,
        { limit: 'messages', window: '2026-03-02', value: 0.1 + 0.2 },
        { limit: 'a","b', window: 'c\nd', value: 2 ** 53 - 1 },
        { limit: '__proto__', window: '__proto__', value: -1 },
        { limit: '', window: '', value: 0 },
      ]
      let expect = await accept(store, ann, { counters })
      const stored = async (): Promise<readonly Counter[]> => sorted((await store.users.load(ann))?.counters ?? [])
      assert.deepEqual(await stored(), sorted(counters))
      const raised = { ...MESSAGES, value: 7 }
      expect = await accept(store, ann, { expect, counters: [raised], dropCounters: counters.slice(1, 3) })
      assert.deepEqual(await stored(), sorted([raised, ...counters.slice(3)]))
      await accept(store, ann, { expect, dropCounters: [{ limit: 'never', window: 'there' }] })
      assert.deepEqual(await stored(), sorted([raised, ...counters.slice(3)]))
    },
  },
  {
    name: 'hostile ids and namespaces are kept apart, byte for byte (BL-D10)',
    async show(store) {
      for (const id of HOSTILE) {
        await accept(store, { namespace: NAMESPACE, id }, { measured: JSON.stringify(id) })
        await accept(store, { namespace: id, id }, { measured: JSON.stringify([id]) })
      }
      for (const id of HOSTILE) {
        assert.equal((await store.users.load({ namespace: NAMESPACE, id }))?.measured, JSON.stringify(id))
        assert.equal((await store.users.load({ namespace: id, id }))?.measured, JSON.stringify([id]))
      }
      assert.equal((await store.users.overview(NAMESPACE)).users, HOSTILE.length)
    },
  },
  {
    name: 'text with NUL and values of 1 MB come back as they were',
    async show(store) {
      const nul = 'a\0b'
      const large = 'ä😀\0'.repeat(150_000)
      const record = { kind: nul, name: nul, value: large }
      await accept(store, bob, { records: [record], ...withEvents(1, 1, { body: large }), measured: nul })
      assert.equal(await store.users.record(bob, nul, nul), large)
      assert.equal(await store.users.record(bob, 'a', 'a'), undefined)
      assert.equal((await store.events.newest(bob, { limit: 1 }))[0]?.body, large)
      assert.equal((await store.users.load(bob))?.measured, nul)
    },
  },
  {
    name: 'what was acknowledged is there when the store is opened again',
    durable: true,
    async show(store, reopen) {
      await accept(store, ann, { ...withEvents(1, 3), counters: [MESSAGES], measured: '{"turns":2}' })
      const row = await store.users.load(ann)
      const events = await store.events.oldest(ann, { after: 0, limit: 10 })
      const again = await reopen()
      assert.deepEqual(await again.users.load(ann), row)
      assert.deepEqual(await again.events.oldest(ann, { after: 0, limit: 10 }), events)
    },
  },
]

function sorted(counters: readonly Counter[]): Counter[] {
  return [...counters].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}
