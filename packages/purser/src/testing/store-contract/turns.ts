import assert from 'node:assert/strict'
import { MAX_TRIMMED_TURNS, type Recorded } from '../../storage/commit.ts'
import type { StoredTurn } from '../../storage/turn-store.ts'
import { ann, bob, type ContractTest, createErasure, mustCommit, NAMESPACE, tryCommit } from './samples.ts'

function turn(id: string, outcome = 'completed'): StoredTurn {
  return { id, outcome, value: `["${id}", "a b", "\\u0000 ä"]` }
}

function recorded(turns: readonly StoredTurn[], keepTurns?: number): { readonly recorded: Recorded } {
  return { recorded: { turns, keepTurns, userSums: [], sums: [] } }
}

const idsOf = (turns: readonly StoredTurn[]): string[] => turns.map(({ id }) => id)

const ALL = { order: 'ascending', limit: 100 } as const

export const turns: readonly ContractTest[] = [
  {
    name: 'turns are read as they were written, in the order of their ids, in both directions and in pages',
    async run(store) {
      await mustCommit(store, ann, recorded([turn('3', 'failed'), turn('1')]))
      await mustCommit(store, bob, recorded([turn('2'), turn('4', 'refused')]))
      assert.deepEqual(await store.turns.ofUser(ann, ALL), [turn('1'), turn('3', 'failed')])
      assert.deepEqual(await store.turns.ofNamespace(NAMESPACE, ALL), [
        { ...turn('1'), user: 'ann' },
        { ...turn('2'), user: 'bob' },
        { ...turn('3', 'failed'), user: 'ann' },
        { ...turn('4', 'refused'), user: 'bob' },
      ])
      const newest = { order: 'descending', limit: 2 } as const
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, newest)), ['4', '3'])
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, { ...newest, after: '3' })), ['2', '1'])
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, { ...ALL, after: '25' })), ['3', '4'])
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, { ...newest, from: '4' })), ['4'])
      assert.deepEqual(idsOf(await store.turns.ofUser(ann, { ...ALL, from: '2' })), ['3'])
      assert.deepEqual(idsOf(await store.turns.ofUser(ann, { ...newest, after: '3' })), ['1'])
      assert.deepEqual(await store.turns.ofNamespace('other', ALL), [])
    },
  },
  {
    name: 'turns are selected by outcome',
    async run(store) {
      const outcomes = ['completed', 'failed', 'refused']
      const all = Array.from({ length: 30 }, (_, index) => turn(String(100 + index), outcomes[index % 3]))
      await mustCommit(store, ann, recorded(all))
      for (const outcome of outcomes) {
        const expected = idsOf(all.filter((one) => one.outcome === outcome))
        const selected = { ...ALL, outcome }
        assert.deepEqual(idsOf(await store.turns.ofUser(ann, selected)), expected)
        assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, selected)), expected)
        const page = { outcome, order: 'descending', limit: 2, after: expected[5] } as const
        assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, page)), [expected[4], expected[3]])
      }
      assert.deepEqual(await store.turns.ofUser(ann, { ...ALL, outcome: 'cancelled' }), [])
    },
  },
  {
    name: 'only the turns with the highest ids stay',
    async run(store) {
      await mustCommit(store, bob, recorded([turn('0')]))
      await mustCommit(store, ann, recorded([turn('1'), turn('2')], 3))
      await mustCommit(store, ann, { expect: 1, ...recorded([turn('4'), turn('3'), turn('5')], 3) })
      assert.deepEqual(idsOf(await store.turns.ofUser(ann, ALL)), ['3', '4', '5'])
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, ALL)), ['0', '3', '4', '5'])
      await mustCommit(store, ann, { expect: 2, ...recorded([], 0) })
      assert.deepEqual(await store.turns.ofUser(ann, ALL), [])
    },
  },
  {
    name: 'where far too many turns are stored, each commit removes the oldest ones of that user',
    async run(store) {
      const stored = Array.from({ length: 2 * MAX_TRIMMED_TURNS + 10 }, (_, index) => turn(String(10_000 + index)))
      await mustCommit(store, ann, recorded(stored))
      await mustCommit(store, bob, recorded([turn('0'), turn('1'), turn('2')]))
      const page = { order: 'ascending', limit: 2 * stored.length } as const
      let expect = 1
      for (let most = stored.length - MAX_TRIMMED_TURNS; most > 0; most -= MAX_TRIMMED_TURNS) {
        expect = await mustCommit(store, ann, { expect, ...recorded([], 10) })
        const ids = idsOf(await store.turns.ofUser(ann, page))
        assert.ok(ids.length <= Math.max(10, most) && ids.length >= 10, `${ids.length} are left`)
        assert.deepEqual(ids, idsOf(stored.slice(-ids.length)))
      }
      assert.deepEqual(idsOf(await store.turns.ofUser(ann, page)), idsOf(stored.slice(-10)))
      assert.equal((await store.turns.ofNamespace(NAMESPACE, page)).length, 13)
    },
  },
  {
    name: 'a refused commit records nothing',
    async run(store) {
      await mustCommit(store, ann, recorded([turn('1')]))
      assert.equal((await tryCommit(store, ann, { expect: 7, ...recorded([turn('2')], 1) })).ok, false)
      assert.deepEqual(idsOf(await store.turns.ofUser(ann, ALL)), ['1'])
    },
  },
  {
    name: 'old turns are removed in slices',
    async run(store) {
      await mustCommit(store, ann, recorded(['1', '3', '5'].map((id) => turn(id))))
      await mustCommit(store, bob, recorded(['2', '4'].map((id) => turn(id))))
      assert.equal(await store.turns.sweep(NAMESPACE, '5', 3), 3)
      assert.equal(await store.turns.sweep('other', '9', 3), 0)
      assert.equal(await store.turns.sweep(NAMESPACE, '5', 3), 1)
      assert.equal(await store.turns.sweep(NAMESPACE, '5', 3), 0)
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, ALL)), ['5'])
      assert.deepEqual(idsOf(await store.turns.ofUser(ann, ALL)), ['5'])
    },
  },
  {
    name: 'an erasure removes the turns of the user and counts them',
    async run(store) {
      await mustCommit(store, ann, recorded([turn('1'), turn('2')]))
      await mustCommit(store, bob, recorded([turn('3')]))
      const outcome = await store.users.erase(ann, await createErasure(store, ann))
      assert.equal(outcome.ok && outcome.counts.turns, 2)
      assert.deepEqual(await store.turns.ofUser(ann, ALL), [])
      assert.deepEqual(idsOf(await store.turns.ofNamespace(NAMESPACE, ALL)), ['3'])
      await mustCommit(store, ann, { incarnation: 2 })
      assert.deepEqual(await store.turns.ofUser(ann, ALL), [])
    },
  },
  {
    name: 'turns survive a restart',
    durable: true,
    async run(store, reopen) {
      await mustCommit(store, ann, recorded([turn('1')]))
      assert.deepEqual(await (await reopen()).turns.ofUser(ann, ALL), [turn('1')])
    },
  },
]
