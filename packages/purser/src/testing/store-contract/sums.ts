import assert from 'node:assert/strict'
import type { Recorded } from '../../storage/commit.ts'
import { SUM_AMOUNTS, type SumAmount, type SumIncrement } from '../../storage/sum-store.ts'
import { ann, bob, type ContractTest, createErasure, mustCommit, NAMESPACE, tryCommit } from './samples.ts'

/** A row with these first amounts. */
function sum(day: string, hour: number, key: string, ...amounts: readonly SumAmount[]): SumIncrement {
  return { day, hour, key, amounts: Array.from({ length: SUM_AMOUNTS }, (_, index) => amounts[index] ?? 0) }
}

function recorded(userSums: readonly SumIncrement[], sums = userSums): { readonly recorded: Recorded } {
  return { recorded: { turns: [], userSums, sums } }
}

const ALL = { from: '0000', to: '9999', limit: 100 }

export const sums: readonly ContractTest[] = [
  {
    name: 'sums are added up by user, day, hour and key, and by namespace',
    async run(store) {
      await mustCommit(store, ann, recorded([sum('2026-03-01', 5, 'b "\n', 1, 2), sum('2026-03-01', 5, 'a', 1)]))
      await mustCommit(store, ann, { expect: 1, ...recorded([sum('2026-03-01', 5, 'b "\n', 3, 0, 7)]) })
      await mustCommit(store, bob, recorded([sum('2026-02-28', 5, 'a', 5), sum('2026-03-01', 40, 'a', 1)]))
      const ofAnn = [sum('2026-03-01', 5, 'a', 1), sum('2026-03-01', 5, 'b "\n', 4, 2, 7)]
      assert.deepEqual(await store.sums.ofUser(ann, ALL), ofAnn)
      const [first, second] = [sum('2026-02-28', 5, 'a', 5), sum('2026-03-01', 40, 'a', 1)]
      assert.deepEqual(await store.sums.ofUser(bob, ALL), [first, second])
      assert.deepEqual(await store.sums.ofNamespace(NAMESPACE, ALL), [first, ...ofAnn, second])
      assert.deepEqual(await store.sums.ofNamespace('other', ALL), [])
    },
  },
  {
    name: 'sums are read by days and in pages',
    async run(store) {
      const rows = ['2026-01-01', '2026-01-02', '2026-01-03'].flatMap((day) =>
        [7, 11].flatMap((hour) => ['a', 'ä', '😀'].map((key) => sum(day, hour, key, 1))),
      )
      await mustCommit(store, ann, recorded(rows))
      const range = { from: '2026-01-02', to: '2026-01-03' }
      const expected = rows.filter(({ day }) => day === '2026-01-02')
      for (const read of [
        (page: typeof ALL) => store.sums.ofUser(ann, page),
        (page: typeof ALL) => store.sums.ofNamespace(NAMESPACE, page),
      ]) {
        assert.deepEqual(await read({ ...ALL, ...range }), expected)
        const found: SumIncrement[] = []
        for (let size = 4; size === 4; ) {
          const page = await read({ ...ALL, limit: 4, ...(found.length === 0 ? {} : { after: found.at(-1) }) })
          found.push(...page)
          size = page.length
        }
        assert.deepEqual(found, rows)
      }
    },
  },
  {
    name: 'sums of users are added up in the order of their ids',
    async run(store) {
      await mustCommit(store, bob, recorded([sum('2026-01-01', 1, 'a', 1, 2), sum('2026-01-02', 1, 'b', 10)]))
      await mustCommit(store, ann, recorded([sum('2026-01-01', 1, 'a', 5), sum('2026-01-05', 1, 'a', 100)]))
      await mustCommit(store, { ...ann, id: 'without' })
      const amounts = (...first: number[]): readonly SumAmount[] => sum('', 0, '', ...first).amounts
      const range = { from: '2026-01-01', to: '2026-01-05', limit: 9 }
      assert.deepEqual(await store.sums.ofUsers(NAMESPACE, range), [
        { user: 'ann', amounts: amounts(5) },
        { user: 'bob', amounts: amounts(11, 2) },
      ])
      assert.deepEqual(await store.sums.ofUsers(NAMESPACE, { ...range, limit: 1 }), [
        { user: 'ann', amounts: amounts(5) },
      ])
      assert.deepEqual(await store.sums.ofUsers(NAMESPACE, { ...range, after: 'ann' }), [
        { user: 'bob', amounts: amounts(11, 2) },
      ])
      assert.deepEqual(await store.sums.ofUsers(NAMESPACE, { ...range, from: '2026-01-03' }), [])
    },
  },
  {
    name: 'sums beyond 2^53 are exact, and very large ones do not fail a commit',
    async run(store) {
      const large = String(2n ** 53n + 1n)
      await mustCommit(store, ann, recorded([sum('2026-01-01', 1, 'a', large, Number.MAX_SAFE_INTEGER)]))
      await mustCommit(store, ann, { expect: 1, ...recorded([sum('2026-01-01', 1, 'a', large, 2)]) })
      const expected = [sum('2026-01-01', 1, 'a', String(2n ** 54n + 2n), String(2n ** 53n + 1n))]
      assert.deepEqual(await store.sums.ofUser(ann, ALL), expected)
      assert.deepEqual(await store.sums.ofNamespace(NAMESPACE, ALL), expected)
      assert.deepEqual(await store.sums.ofUsers(NAMESPACE, ALL), [{ user: 'ann', amounts: expected[0]?.amounts }])
      const most = '99999999999999999'
      const rows = recorded(Array.from({ length: 200 }, () => sum('2026-01-01', 1, 'a', most)))
      const outcome = await tryCommit(store, ann, { expect: 2, ...rows })
      assert.ok(outcome.ok)
      const [row] = await store.sums.ofUser(ann, ALL)
      assert.ok(BigInt(row?.amounts[0] ?? 0) >= 10n ** 17n)
    },
  },
  {
    name: 'a refused commit adds nothing',
    async run(store) {
      await mustCommit(store, ann, recorded([sum('2026-01-01', 1, 'a', 1)]))
      assert.equal((await tryCommit(store, ann, { expect: 5, ...recorded([sum('2026-01-01', 1, 'a', 1)]) })).ok, false)
      assert.deepEqual(await store.sums.ofNamespace(NAMESPACE, ALL), [sum('2026-01-01', 1, 'a', 1)])
    },
  },
  {
    name: 'old sums of the namespace and of users are removed in slices',
    async run(store) {
      const old = Array.from({ length: 5 }, (_, hour) => sum('2026-01-01', hour, 'a', 1))
      const recent = sum('2026-01-02', 1, 'a', 1)
      await mustCommit(store, ann, recorded([...old, recent]))
      await mustCommit(store, bob, recorded([...old, recent]))
      assert.equal(await store.sums.sweep('other', '2026-01-02', 3), 0)
      for (let slice = 0; (await store.sums.sweep(NAMESPACE, '2026-01-02', 3)) > 0; slice++) assert.ok(slice < 20)
      assert.deepEqual(await store.sums.ofUser(ann, ALL), [recent])
      assert.deepEqual(await store.sums.ofUser(bob, ALL), [recent])
      assert.deepEqual(await store.sums.ofNamespace(NAMESPACE, ALL), [
        { ...recent, amounts: sum('', 0, '', 2).amounts },
      ])
    },
  },
  {
    name: 'an erasure removes the sums of the user and leaves those of the namespace',
    async run(store) {
      const rows = [sum('2026-01-01', 1, 'a', 1, 2), sum('2026-01-01', 2, 'a b', 1)]
      await mustCommit(store, ann, recorded(rows))
      const outcome = await store.users.erase(ann, await createErasure(store, ann))
      assert.equal(outcome.ok && outcome.counts.usage, 2)
      assert.deepEqual(await store.sums.ofUser(ann, ALL), [])
      assert.deepEqual(await store.sums.ofUsers(NAMESPACE, ALL), [])
      assert.deepEqual(await store.sums.ofNamespace(NAMESPACE, ALL), rows)
      await mustCommit(store, ann, { incarnation: 2 })
      assert.deepEqual(await store.sums.ofUser(ann, ALL), [])
    },
  },
]
