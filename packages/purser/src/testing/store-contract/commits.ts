import assert from 'node:assert/strict'
import {
  AT,
  ann,
  bob,
  type ContractTest,
  createCommit,
  createEvent,
  FACETS,
  HOSTILE_IDS,
  mustCommit,
  NAMESPACE,
  tagOf,
  tryCommit,
  withEvents,
} from './samples.ts'

const USAGE = '{"messages":{"2026-03-01":1}}'

export const commits: readonly ContractTest[] = [
  {
    name: 'an unknown user is absent, and reads create nothing',
    async run({ users }) {
      assert.equal(await users.load(ann), undefined)
      assert.equal(await users.record(ann, 'settings', ''), undefined)
      assert.deepEqual(await users.records(ann, 'note', { limit: 10, order: 'ascending' }), [])
      assert.equal(await users.reply(ann, 'key'), undefined)
      assert.equal(await users.nextIncarnation(NAMESPACE, tagOf(ann)), 1)
      assert.equal((await users.overview(NAMESPACE)).users, 0)
    },
  },
  {
    name: 'a commit is stored unchanged, and what it leaves out stays as it was',
    async run(store) {
      await mustCommit(store, ann, { ...withEvents(1, 2), measured: '{"turns":1}', usage: USAGE, seenAt: AT })
      const created = await store.users.load(ann)
      assert.deepEqual(created, {
        incarnation: 1,
        revision: created?.revision,
        head: { sequence: 2, mac: 'mac 2' },
        headMac: 'head 2',
        state: '{"at":2}',
        measured: '{"turns":1}',
        stamps: { createdAt: AT, updatedAt: AT, seenAt: AT },
        usage: USAGE,
      })
      await mustCommit(store, ann, { expect: created?.revision ?? 0, at: AT + 5, seenAt: AT + 5 })
      const touched = await store.users.load(ann)
      const stamps = { createdAt: AT, updatedAt: AT + 5, seenAt: AT + 5 }
      assert.deepEqual(touched, { ...created, revision: touched?.revision, stamps })
    },
  },
  {
    name: 'a user without events has no head, no state, no measured state and no usage',
    async run(store) {
      await mustCommit(store, ann)
      const row = await store.users.load(ann)
      assert.deepEqual([row?.head, row?.headMac, row?.state, row?.measured, row?.usage], [null, null, null, null, null])
      assert.equal(row?.stamps.seenAt, null)
    },
  },
  {
    name: 'every commit changes the revision, and the outcome contains the new one',
    async run(store) {
      const seen = new Set<number>()
      let revision = await mustCommit(store, ann)
      for (let round = 0; round < 5; round++) {
        seen.add(revision)
        assert.equal((await store.users.load(ann))?.revision, revision)
        revision = await mustCommit(store, ann, { expect: revision })
      }
      assert.equal(seen.size, 5)
    },
  },
  {
    name: 'a commit decided on another revision is refused, and no part of it is written',
    async run(store) {
      const revision = await mustCommit(store, ann)
      const before = await store.users.load(ann)
      const late = { ...withEvents(1, 1), records: [{ kind: 'note', name: 'n', value: 'v' }], usage: USAGE }
      for (const expect of [null, revision - 1, revision + 1]) {
        assert.deepEqual(await tryCommit(store, ann, { ...late, expect }), { ok: false })
      }
      assert.deepEqual(await store.users.load(ann), before)
      assert.deepEqual(await store.events.newest(ann, { limit: 10 }), [])
      assert.equal(await store.users.record(ann, 'note', 'n'), undefined)
    },
  },
  {
    name: 'a commit that expects a revision is refused for an absent user, and creates nothing',
    async run(store) {
      assert.deepEqual(await tryCommit(store, ann, { expect: 1 }), { ok: false })
      assert.equal(await store.users.load(ann), undefined)
    },
  },
  {
    name: 'a commit of another incarnation is refused',
    async run(store) {
      assert.deepEqual(await tryCommit(store, ann, { incarnation: 2 }), { ok: false })
      const expect = await mustCommit(store, ann)
      assert.deepEqual(await tryCommit(store, ann, { expect, incarnation: 2 }), { ok: false })
    },
  },
  {
    name: 'of many concurrent commits on one revision exactly one is accepted (BL-D05)',
    async run(store) {
      const first = await Promise.all(Array.from({ length: 20 }, () => tryCommit(store, ann)))
      assert.equal(first.filter(({ ok }) => ok).length, 1)
      const expect = (await store.users.load(ann))?.revision ?? 0
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => tryCommit(store, ann, { expect })))
      assert.equal(outcomes.filter(({ ok }) => ok).length, 1)
    },
  },
  {
    name: 'a commit that violates a constraint fails alone, and 63 concurrent commits are written',
    async run(store) {
      await mustCommit(store, ann, withEvents(1, 1))
      const invalid = createCommit(ann, {
        expect: (await store.users.load(ann))?.revision ?? 0,
        records: [{ kind: 'note', name: 'n', value: 'never written' }],
        // This sequence exists.
        events: [createEvent(1, { id: 'another' })],
      })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 64 }, (_, index) =>
          index === 31
            ? store.users.commit(ann, invalid)
            : tryCommit(store, { namespace: NAMESPACE, id: `user ${index}` }, withEvents(1, 1, { id: `of ${index}` })),
        ),
      )
      const rejected = outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))
      assert.deepEqual(rejected, [31])
      assert.equal((await store.users.overview(NAMESPACE)).users, 64)
      assert.equal(await store.users.record(ann, 'note', 'n'), undefined)
      assert.equal((await store.users.load(ann))?.revision, invalid.expect)
      await mustCommit(store, ann, { expect: invalid.expect, ...withEvents(2, 2) })
    },
  },
  {
    name: 'NaN is rejected, not stored',
    async run(store) {
      await assert.rejects(tryCommit(store, ann, { facets: { ...FACETS, peak: Number.NaN } }))
      await assert.rejects(tryCommit(store, ann, { facets: { ...FACETS, capUsed: Number.NaN } }))
      assert.equal(await store.users.load(ann), undefined)
    },
  },
  {
    name: 'usage is replaced as a whole, with or without anything else',
    async run(store) {
      let expect = await mustCommit(store, ann, { usage: USAGE })
      const stored = async (): Promise<string | null | undefined> => (await store.users.load(ann))?.usage
      assert.equal(await stored(), USAGE)
      expect = await mustCommit(store, ann, { expect, seenAt: AT })
      assert.equal(await stored(), USAGE)
      expect = await mustCommit(store, ann, { expect, usage: '{"a\\"b":{"c\\nd":9007199254740991}}', seenAt: AT })
      assert.equal(await stored(), '{"a\\"b":{"c\\nd":9007199254740991}}')
      await mustCommit(store, ann, { expect, usage: '{}', ...withEvents(1, 1) })
      assert.equal(await stored(), '{}')
    },
  },
  {
    name: 'ids and namespaces with special characters are separate, byte for byte (BL-D10)',
    async run(store) {
      for (const id of HOSTILE_IDS) {
        await mustCommit(store, { namespace: NAMESPACE, id }, { measured: JSON.stringify(id) })
        await mustCommit(store, { namespace: id, id }, { measured: JSON.stringify([id]) })
      }
      for (const id of HOSTILE_IDS) {
        assert.equal((await store.users.load({ namespace: NAMESPACE, id }))?.measured, JSON.stringify(id))
        assert.equal((await store.users.load({ namespace: id, id }))?.measured, JSON.stringify([id]))
      }
      assert.equal((await store.users.overview(NAMESPACE)).users, HOSTILE_IDS.length)
    },
  },
  {
    name: 'text with NUL and values of 1 MB are read as they were written',
    async run(store) {
      const nul = 'a\0b'
      const large = 'ä😀\0'.repeat(150_000)
      const record = { kind: nul, name: nul, value: large }
      await mustCommit(store, bob, { records: [record], ...withEvents(1, 1, { body: large }), measured: nul })
      assert.equal(await store.users.record(bob, nul, nul), large)
      assert.equal(await store.users.record(bob, 'a', 'a'), undefined)
      assert.equal((await store.events.newest(bob, { limit: 1 }))[0]?.body, large)
      assert.equal((await store.users.load(bob))?.measured, nul)
    },
  },
  {
    name: 'acknowledged commits are there when the store is opened again',
    durable: true,
    async run(store, reopen) {
      await mustCommit(store, ann, { ...withEvents(1, 3), usage: USAGE, measured: '{"turns":2}' })
      const row = await store.users.load(ann)
      const events = await store.events.oldest(ann, { after: 0, limit: 10 })
      const again = await reopen()
      assert.deepEqual(await again.users.load(ann), row)
      assert.deepEqual(await again.events.oldest(ann, { after: 0, limit: 10 }), events)
    },
  },
]
