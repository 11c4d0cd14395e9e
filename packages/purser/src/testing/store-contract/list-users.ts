import assert from 'node:assert/strict'
import type { Facets } from '../../storage/commit.ts'
import type { ListedUser, Store, UserOrder, UserQuery } from '../../storage/store.ts'
import {
  AT,
  type ContractTest,
  createQuery,
  FACETS,
  HOSTILE_IDS,
  listIds,
  mustCommit,
  NAMESPACE,
  namespaceLog,
  withEvents,
} from './samples.ts'

interface Sample {
  readonly id: string
  readonly facets?: Partial<Facets>
  readonly seenAt?: number
  readonly at?: number
}

async function fill(store: Store, samples: readonly Sample[]): Promise<void> {
  for (const { id, facets, seenAt = null, at = AT } of samples)
    await mustCommit(store, { namespace: NAMESPACE, id }, { facets: { ...FACETS, ...facets }, seenAt, at })
}

/** All pages of a query with one user each, so that every user is the cursor once. */
async function listOneByOne(store: Store, query: Partial<UserQuery>): Promise<ListedUser[]> {
  const users: ListedUser[] = []
  for (;;) {
    const last = users.at(-1)
    const after = last && { value: last.value, id: last.id }
    const page = await store.users.list(createQuery({ ...query, limit: 1, after }))
    if (page.length === 0) return users
    assert.equal(page.length, 1)
    users.push(...page)
    assert.ok(users.length < 1_000, 'the cursor does not advance')
  }
}

const USERS: readonly Sample[] = [
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
  // The window of c has ended, and f has no cap.
  capUsed: 'cfdabge',
  peak: 'dabgcfe',
}

export const listUsers: readonly ContractTest[] = [
  {
    name: 'without matching users a page is empty',
    async run(store) {
      assert.deepEqual(await store.users.list(createQuery()), [])
      await fill(store, [{ id: 'a' }])
      assert.deepEqual(await listIds(store, { limit: 0 }), [])
      assert.deepEqual(await listIds(store, { namespace: 'other' }), [])
      assert.deepEqual(await listIds(store, { after: { value: 'a', id: 'a' } }), [])
      assert.deepEqual(await listIds(store, { prefix: 'b' }), [])
    },
  },
  {
    name: 'a listed user has the row that load returns, and the value it was ordered by',
    async run(store) {
      const user = { namespace: NAMESPACE, id: 'a' }
      await mustCommit(store, user, {
        ...withEvents(1, 1),
        seenAt: AT,
        usage: '{"l":{"w":1}}',
      })
      const [listed] = await store.users.list(createQuery({ orderBy: 'seenAt' }))
      assert.deepEqual(listed, { id: 'a', value: AT, row: await store.users.load(user) })
    },
  },
  ...(Object.keys(ORDERS) as UserOrder[]).map(
    (orderBy): ContractTest => ({
      name: `users are ordered by ${orderBy} in both directions, with cursors at equal values`,
      async run(store) {
        await fill(store, USERS)
        const expected = [...ORDERS[orderBy]]
        assert.deepEqual(await listIds(store, { orderBy }), expected)
        assert.deepEqual(await listIds(store, { orderBy, order: 'descending' }), expected.toReversed())
        for (const order of ['ascending', 'descending'] as const) {
          const listed = (await listOneByOne(store, { orderBy, order })).map(({ id }) => id)
          assert.deepEqual(listed, order === 'ascending' ? expected : expected.toReversed())
          const first = await store.users.list(createQuery({ orderBy, order, limit: 3 }))
          const cursor = first.at(-1)
          const after = cursor && { value: cursor.value, id: cursor.id }
          assert.deepEqual(await listIds(store, { orderBy, order, limit: 3, after }), listed.slice(3, 6))
        }
      },
    }),
  ),
  {
    name: 'filters combine with each other and with every order',
    async run(store) {
      await fill(store, [
        { id: 'a1', facets: { phase: 'warm', riskLevel: 'high', peak: 1 }, seenAt: AT },
        { id: 'a2', facets: { phase: 'warm', blocked: true }, seenAt: AT - 1 },
        { id: 'b1', facets: { riskLevel: 'high', capUsed: 1, capUsedUntil: AT + 1 } },
        { id: 'b2', facets: { phase: 'warm', riskLevel: 'high', blocked: true } },
      ])
      for (const orderBy of Object.keys(ORDERS) as UserOrder[]) {
        const idsWith = async (query: Partial<UserQuery>): Promise<string> =>
          (await listIds(store, { ...query, orderBy })).sort().join(' ')
        assert.equal(await idsWith({ phase: 'warm' }), 'a1 a2 b2')
        assert.equal(await idsWith({ phase: 'warm', riskLevel: 'high' }), 'a1 b2')
        assert.equal(await idsWith({ riskLevel: 'high', blocked: false }), 'a1 b1')
        assert.equal(await idsWith({ blocked: true }), 'a2 b2')
        assert.equal(await idsWith({ blocked: true, prefix: 'b' }), 'b2')
        assert.equal(await idsWith({ seenSince: AT - 1 }), 'a1 a2')
        assert.equal(await idsWith({ seenSince: AT, phase: 'warm' }), 'a1')
        assert.equal(await idsWith({ seenBefore: AT }), 'a2 b1 b2')
        assert.equal(await idsWith({ contains: '2' }), 'a2 b2')
        assert.equal(await idsWith({ contains: '2', phase: 'warm', seenBefore: AT - 1 }), 'b2')
        assert.equal(await idsWith({ capUsed: 0.5 }), 'b1')
        assert.equal(await idsWith({ capUsed: 0 }), 'a1 a2 b1 b2')
        assert.equal(await idsWith({ phase: 'Warm' }), '')
        assert.equal(await idsWith({ contains: 'A' }), '')
      }
    },
  },
  {
    name: 'an offset passes over users of the order, and a count has all that match',
    async run(store) {
      await fill(store, USERS)
      for (const orderBy of Object.keys(ORDERS) as UserOrder[]) {
        for (const order of ['ascending', 'descending'] as const) {
          const all = await listIds(store, { orderBy, order })
          for (const offset of [0, 1, 3, 6, 7, 9])
            assert.deepEqual(await listIds(store, { orderBy, order, limit: 2, offset }), all.slice(offset, offset + 2))
          const after = {
            value: (await store.users.list(createQuery({ orderBy, order })))[1]?.value ?? null,
            id: all[1],
          }
          const page = { orderBy, order, limit: 2, offset: 1, after: { ...after, id: after.id ?? '' } }
          assert.deepEqual(await listIds(store, page), all.slice(3, 5))
          assert.equal(await store.users.count(createQuery({ orderBy, order, limit: 2, offset: 3 })), 7)
        }
      }
      assert.equal(await store.users.count(createQuery({ capUsed: 0.9 })), 4)
      assert.equal(await store.users.count(createQuery({ capUsed: 0.9, now: AT + 1 })), 1)
      assert.equal(await store.users.count(createQuery({ seenSince: AT - 5, contains: 'b' })), 1)
      assert.equal(await store.users.count(createQuery({ namespace: 'other' })), 0)
    },
  },
  {
    name: 'in a window that has ended, nothing of the cap is used (BL-D09)',
    async run(store) {
      await fill(store, USERS)
      assert.deepEqual(await listIds(store, { capUsed: 0.9 }), ['a', 'b', 'e', 'g'])
      assert.deepEqual(await listIds(store, { capUsed: 0.9, now: AT + 1 }), ['b'])
      assert.deepEqual(await listIds(store, { capUsed: 0.1, now: AT + 9 }), ['d'], 'a window without an end')
      const [first] = await store.users.list(createQuery({ orderBy: 'capUsed', order: 'descending', now: AT + 1 }))
      assert.deepEqual([first?.id, first?.value], ['b', 0.9])
    },
  },
  {
    name: 'a prefix is matched literally, byte for byte',
    async run(store) {
      await fill(
        store,
        [...HOSTILE_IDS, 'ab', 'aB', 'a\u{10ffff}', 'a\u{10ffff}z', 'b', '\ud7ff', '\ue000'].map((id) => ({ id })),
      )
      assert.deepEqual(await listIds(store, { prefix: 'a\u{10ffff}' }), ['a\u{10ffff}', 'a\u{10ffff}z'])
      assert.deepEqual(await listIds(store, { prefix: '%' }), ['%'])
      assert.deepEqual(await listIds(store, { prefix: '_' }), ['_', '__proto__'])
      assert.deepEqual(await listIds(store, { prefix: '\ud7ff' }), ['\ud7ff'])
      assert.deepEqual((await listIds(store, { prefix: 'a' })).length, 7)
      assert.deepEqual(await listIds(store, { prefix: '' }), await listIds(store))
    },
  },
  {
    name: 'every commit updates the facets',
    async run(store) {
      const user = { namespace: NAMESPACE, id: 'a' }
      let expect = await mustCommit(store, user, {
        facets: { ...FACETS, capUsed: 0.1, capUsedUntil: AT + 10 },
        seenAt: AT,
      })
      const steps: Partial<Facets>[] = [
        { capUsed: 0.2, capUsedUntil: AT + 10 },
        { capUsed: 0.3, capUsedUntil: AT + 20 },
        { phase: 'warm', capUsed: 0.3, capUsedUntil: AT + 20 },
        { phase: 'warm', riskLevel: 'high', blocked: true, peak: 2 },
        {},
      ]
      for (const step of steps) {
        const facets = { ...FACETS, ...step }
        expect = await mustCommit(store, user, { expect, facets, seenAt: AT })
        const { phase, riskLevel, blocked, capUsed, capUsedUntil } = facets
        const now = (capUsedUntil ?? AT) - 1
        assert.deepEqual(await listIds(store, { phase, riskLevel, blocked, capUsed, now, orderBy: 'capUsed' }), ['a'])
        const [byPeak] = await store.users.list(createQuery({ orderBy: 'peak' }))
        assert.equal(byPeak?.value, facets.peak)
      }
    },
  },
  {
    name: 'the overview counts users, and not the log of the namespace',
    async run(store) {
      await fill(store, [
        { id: 'a', facets: { phase: 'warm' } },
        { id: 'b', facets: { phase: '__proto__', riskLevel: 'high', blocked: true } },
        { id: 'c', facets: { phase: 'warm' } },
      ])
      await mustCommit(store, namespaceLog, withEvents(1, 1))
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
      assert.deepEqual(await listIds(store), ['a', 'b', 'c'])
    },
  },
]
