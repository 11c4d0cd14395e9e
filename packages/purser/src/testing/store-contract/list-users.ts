import assert from 'node:assert/strict'
import type { Facets, ListedUser, Store, UserOrder, UserQuery } from '../../storage/store.ts'
import { AT, accept, FACETS, HOSTILE, idsOf, log, NAMESPACE, type Promised, queryOf, withEvents } from './samples.ts'

interface Sample {
  readonly id: string
  readonly facets?: Partial<Facets>
  readonly seenAt?: number
  readonly at?: number
}

async function fill(store: Store, samples: readonly Sample[]): Promise<void> {
  for (const { id, facets, seenAt = null, at = AT } of samples)
    await accept(store, { namespace: NAMESPACE, id }, { facets: { ...FACETS, ...facets }, seenAt, at })
}

/** All pages of a query, one user each, so that every user is once a cursor. */
async function walk(store: Store, query: Partial<UserQuery>): Promise<ListedUser[]> {
  const found: ListedUser[] = []
  for (;;) {
    const last = found.at(-1)
    const after = last && { value: last.value, id: last.id }
    const page = await store.users.list(queryOf({ ...query, limit: 1, after }))
    if (page.length === 0) return found
    assert.equal(page.length, 1)
    found.push(...page)
    assert.ok(found.length < 1_000, 'the cursor goes in circles')
  }
}

const CROWD: readonly Sample[] = [
  { id: 'a', seenAt: AT - 5, facets: { peak: 0.5, capUsed: 0.9, capUsedUntil: AT + 1 }, at: AT + 3 },
  { id: 'b', seenAt: AT - 5, facets: { peak: 0.5, capUsed: 0.9, capUsedUntil: AT + 2 }, at: AT + 3 },
  { id: 'c', seenAt: AT - 1, facets: { peak: 0.7, capUsed: 1.5, capUsedUntil: AT }, at: AT + 2 },
  { id: 'd', facets: { capUsed: 0.2, capUsedUntil: null }, at: AT + 1 },
  { id: 'e', seenAt: AT - 9, facets: { peak: 1, capUsed: 1, capUsedUntil: AT + 1 } },
  { id: 'f', facets: { peak: 0.7 } },
  { id: 'g', seenAt: AT - 5, facets: { peak: 0.5, capUsed: 0.9, capUsedUntil: AT + 1 } },
]

const ORDERS: Readonly<Record<UserOrder, string>> = {
  id: 'abcdefg',
  seenAt: 'dfeabgc',
  createdAt: 'efgdcab',
  // The window of c is over, and f has no cap.
  capUsed: 'cfdabge',
  peak: 'dabgcfe',
}

export const listing: readonly Promised[] = [
  {
    name: 'no users give an empty page',
    async show(store) {
      assert.deepEqual(await store.users.list(queryOf()), [])
      await fill(store, [{ id: 'a' }])
      assert.deepEqual(await idsOf(store, { limit: 0 }), [])
      assert.deepEqual(await idsOf(store, { namespace: 'elsewhere' }), [])
      assert.deepEqual(await idsOf(store, { after: { value: 'a', id: 'a' } }), [])
      assert.deepEqual(await idsOf(store, { prefix: 'b' }), [])
    },
  },
  {
    name: 'a listed user is the row as it is loaded, and tells what it was ordered by',
    async show(store) {
      const user = { namespace: NAMESPACE, id: 'a' }
      await accept(store, user, { ...withEvents(1, 1), seenAt: AT, counters: [{ limit: 'l', window: 'w', value: 1 }] })
      const [listed] = await store.users.list(queryOf({ orderBy: 'seenAt' }))
      assert.deepEqual(listed, { id: 'a', value: AT, row: await store.users.load(user) })
    },
  },
  ...(Object.keys(ORDERS) as UserOrder[]).map(
    (orderBy): Promised => ({
      name: `users by ${orderBy}, both ways, with cursors at equal values`,
      async show(store) {
        await fill(store, CROWD)
        const expected = [...ORDERS[orderBy]]
        assert.deepEqual(await idsOf(store, { orderBy }), expected)
        assert.deepEqual(await idsOf(store, { orderBy, order: 'descending' }), expected.toReversed())
        for (const order of ['ascending', 'descending'] as const) {
          const walked = (await walk(store, { orderBy, order })).map(({ id }) => id)
          assert.deepEqual(walked, order === 'ascending' ? expected : expected.toReversed())
          const first = await store.users.list(queryOf({ orderBy, order, limit: 3 }))
          const cursor = first.at(-1)
          const after = cursor && { value: cursor.value, id: cursor.id }
          assert.deepEqual(await idsOf(store, { orderBy, order, limit: 3, after }), walked.slice(3, 6))
        }
      },
    }),
  ),
  {
    name: 'filters hold together, and with every order',
    async show(store) {
      await fill(store, [
        { id: 'a1', facets: { phase: 'warm', riskLevel: 'high', peak: 1 }, seenAt: AT },
        { id: 'a2', facets: { phase: 'warm', blocked: true }, seenAt: AT - 1 },
        { id: 'b1', facets: { riskLevel: 'high', capUsed: 1, capUsedUntil: AT + 1 } },
        { id: 'b2', facets: { phase: 'warm', riskLevel: 'high', blocked: true } },
      ])
      for (const orderBy of Object.keys(ORDERS) as UserOrder[]) {
        const found = async (query: Partial<UserQuery>): Promise<string> =>
          (await idsOf(store, { ...query, orderBy })).sort().join(' ')
        assert.equal(await found({ phase: 'warm' }), 'a1 a2 b2')
        assert.equal(await found({ phase: 'warm', riskLevel: 'high' }), 'a1 b2')
        assert.equal(await found({ riskLevel: 'high', blocked: false }), 'a1 b1')
        assert.equal(await found({ blocked: true }), 'a2 b2')
        assert.equal(await found({ blocked: true, prefix: 'b' }), 'b2')
        assert.equal(await found({ seenSince: AT - 1 }), 'a1 a2')
        assert.equal(await found({ seenSince: AT, phase: 'warm' }), 'a1')
        assert.equal(await found({ capUsed: 0.5 }), 'b1')
        assert.equal(await found({ capUsed: 0 }), 'a1 a2 b1 b2')
        assert.equal(await found({ phase: 'Warm' }), '')
      }
    },
  },
  {
    name: 'a window that is over is not near its cap (BL-D09)',
    async show(store) {
      await fill(store, CROWD)
      assert.deepEqual(await idsOf(store, { capUsed: 0.9 }), ['a', 'b', 'e', 'g'])
      assert.deepEqual(await idsOf(store, { capUsed: 0.9, now: AT + 1 }), ['b'])
      assert.deepEqual(await idsOf(store, { capUsed: 0.1, now: AT + 9 }), ['d'], 'a use without an end stays')
      const [first] = await store.users.list(queryOf({ orderBy: 'capUsed', order: 'descending', now: AT + 1 }))
      assert.deepEqual([first?.id, first?.value], ['b', 0.9])
    },
  },
  {
    name: 'a prefix is taken literally and byte for byte',
    async show(store) {
      await fill(
        store,
        [...HOSTILE, 'ab', 'aB', 'a\u{10ffff}', 'a\u{10ffff}z', 'b', '\ud7ff', '\ue000'].map((id) => ({ id })),
      )
      assert.deepEqual(await idsOf(store, { prefix: 'a\u{10ffff}' }), ['a\u{10ffff}', 'a\u{10ffff}z'])
      assert.deepEqual(await idsOf(store, { prefix: '%' }), ['%'])
      assert.deepEqual(await idsOf(store, { prefix: '_' }), ['_', '__proto__'])
      assert.deepEqual(await idsOf(store, { prefix: '\ud7ff' }), ['\ud7ff'])
      assert.deepEqual((await idsOf(store, { prefix: 'a' })).length, 7)
      assert.deepEqual(await idsOf(store, { prefix: '' }), await idsOf(store))
    },
  },
  {
    name: 'facets follow every commit',
    async show(store) {
      const user = { namespace: NAMESPACE, id: 'a' }
      let expect = await accept(store, user, { facets: { ...FACETS, capUsed: 0.1, capUsedUntil: AT + 10 }, seenAt: AT })
      const steps: Partial<Facets>[] = [
        { capUsed: 0.2, capUsedUntil: AT + 10 },
        { capUsed: 0.3, capUsedUntil: AT + 20 },
        { phase: 'warm', capUsed: 0.3, capUsedUntil: AT + 20 },
        { phase: 'warm', riskLevel: 'high', blocked: true, peak: 2 },
        {},
      ]
      for (const step of steps) {
        const facets = { ...FACETS, ...step }
        expect = await accept(store, user, { expect, facets, seenAt: AT })
        const { phase, riskLevel, blocked, capUsed, capUsedUntil } = facets
        const now = (capUsedUntil ?? AT) - 1
        assert.deepEqual(await idsOf(store, { phase, riskLevel, blocked, capUsed, now, orderBy: 'capUsed' }), ['a'])
        const [byPeak] = await store.users.list(queryOf({ orderBy: 'peak' }))
        assert.equal(byPeak?.value, facets.peak)
      }
    },
  },
  {
    name: 'the overview counts users, and the log of the namespace is none',
    async show(store) {
      await fill(store, [
        { id: 'a', facets: { phase: 'warm' } },
        { id: 'b', facets: { phase: '__proto__', riskLevel: 'high', blocked: true } },
        { id: 'c', facets: { phase: 'warm' } },
      ])
      await accept(store, log, withEvents(1, 1))
      const overview = await store.users.overview(NAMESPACE)
      assert.equal(overview.users, 3)
      assert.equal(overview.blocked, 1)
      assert.deepEqual(Object.entries(overview.phases).sort(), [
        ['__proto__', 1],
        ['warm', 2],
      ])
      assert.deepEqual(Object.entries(overview.riskLevels).sort(), [
        ['high', 1],
        ['low', 2],
      ])
      assert.deepEqual(await idsOf(store), ['a', 'b', 'c'])
    },
  },
]
