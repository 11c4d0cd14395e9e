import assert from 'node:assert/strict'
import type { RowStore, StoredRow } from '../../storage/row-store.ts'
import type { Store } from '../../storage/store.ts'
import {
  AT,
  ann,
  bob,
  type ContractTest,
  createErasure,
  createEvent,
  FACETS,
  listIds,
  mustCommit,
  NAMESPACE,
  namespaceLog,
  tagOf,
  withEvents,
} from './samples.ts'

async function readAll(rows: RowStore, limit: number, maxBytes?: number): Promise<StoredRow[]> {
  const all: StoredRow[] = []
  let after: string | undefined
  do {
    const page = await rows.read({ after, limit, maxBytes })
    assert.ok(page.rows.length <= limit)
    // All but the last row of a page are below the limit.
    const size = page.rows.slice(0, -1).reduce((sum, row) => sum + textBytes(row), 0)
    assert.ok(maxBytes === undefined || size < maxBytes, `a page of ${size} bytes and one more row`)
    all.push(...page.rows)
    after = page.next
  } while (after !== undefined)
  return all
}

function textBytes(row: StoredRow): number {
  if (row.type === 'record') return row.value.length
  if (row.type === 'reply') return row.reply.result.length
  return row.type === 'event' ? row.event.body.length : 0
}

const USER: StoredRow = {
  type: 'user',
  namespace: NAMESPACE,
  id: 'ann',
  row: {
    incarnation: 3,
    revision: 77,
    head: { sequence: 9, mac: 'mac 9' },
    headMac: 'head\0mac',
    state: '{"a":1}',
    measured: null,
    usage: '{}',
    stamps: { createdAt: AT, updatedAt: AT + 0.5, seenAt: null },
  },
  facets: { ...FACETS, phase: 'w\u0001', blocked: true, capUsed: 0.5, capUsedUntil: AT + 9 },
}
const NOTE: StoredRow = { type: 'record', namespace: NAMESPACE, id: 'ann', kind: 'note', name: '\0', value: 'x\0' }
const REPLY: StoredRow = {
  type: 'reply',
  namespace: NAMESPACE,
  id: 'ann',
  reply: { key: 'k', digest: 'd', result: 'r', expiresAt: AT },
}
const EVENT: StoredRow = { type: 'event', namespace: NAMESPACE, id: 'ann', event: createEvent(9) }
const TURN: Extract<StoredRow, { type: 'turn' }> = {
  type: 'turn',
  namespace: NAMESPACE,
  id: 'ann',
  turn: { id: 'turn-1', outcome: 'failed', value: 'v\u0001' },
}
const AMOUNTS = [1, 2, 3, 4, 5, 6, String(2n ** 54n), 8]
const USER_SUM: Extract<StoredRow, { type: 'user_sum' }> = {
  type: 'user_sum',
  namespace: NAMESPACE,
  id: 'ann',
  sum: { day: '2026-03-01', hour: 7, key: 'k', amounts: AMOUNTS },
}
const SUM: Extract<StoredRow, { type: 'sum' }> = {
  type: 'sum',
  namespace: NAMESPACE,
  sum: { ...USER_SUM.sum, key: 'l' },
}
const ROWS: readonly StoredRow[] = [
  { type: 'incarnation', namespace: NAMESPACE, tag: tagOf(bob), next: 4 },
  USER,
  NOTE,
  REPLY,
  EVENT,
  TURN,
  USER_SUM,
  SUM,
  { type: 'meta', name: 'copied', value: 'text' },
]

const DAYS = { from: '0000', to: '9999', limit: 9 }

async function readSamples(store: Store): Promise<unknown[]> {
  return [
    await store.users.load(ann),
    await store.users.record(ann, 'note', '\0'),
    await store.users.reply(ann, 'k'),
    await store.events.oldest(ann, { after: 0, limit: 9 }),
    await store.users.nextIncarnation(NAMESPACE, tagOf(bob)),
    await store.meta.get('copied'),
    await store.turns.ofUser(ann, { order: 'ascending', limit: 9 }),
    await store.sums.ofUser(ann, DAYS),
    await store.sums.ofNamespace(NAMESPACE, DAYS),
  ]
}

export const rows: readonly ContractTest[] = [
  {
    name: 'rows are written as they are, and again without an effect',
    async run(store) {
      if (store.rows === undefined) return
      await store.rows.write(ROWS)
      const { row } = USER as Extract<StoredRow, { type: 'user' }>
      const { reply } = REPLY as Extract<StoredRow, { type: 'reply' }>
      const expected = [row, 'x\0', reply, [createEvent(9)], 4, 'text', [TURN.turn], [USER_SUM.sum], [SUM.sum]]
      assert.deepEqual(await readSamples(store), expected)
      await store.rows.write(ROWS)
      assert.deepEqual(await readSamples(store), expected)
      assert.deepEqual(await listIds(store, { blocked: true, phase: 'w\u0001', capUsed: 0.4 }), ['ann'])
      await mustCommit(store, ann, { expect: 77, incarnation: 3, ...withEvents(10, 10) })
      assert.deepEqual((await store.users.load(ann))?.revision, 78)
    },
  },
  {
    name: 'a page of rows ends with the row that reaches its bytes',
    async run(store) {
      if (store.rows === undefined) return
      const large = 'x'.repeat(100_000)
      for (const user of [ann, bob]) {
        const records = Array.from({ length: 7 }, (_, index) => ({ kind: 'note', name: `n${index}`, value: large }))
        const replies = [1, 2, 3].map((key) => ({
          key: `${user.id} ${key}`,
          digest: 'd',
          result: large,
          expiresAt: AT,
        }))
        const events = [1, 2, 3].map((sequence) => createEvent(sequence, { id: `${user.id} ${sequence}`, body: large }))
        const folded = { head: { sequence: 3, mac: 'mac 3' }, headMac: 'h', state: '{}' }
        await mustCommit(store, user, { expect: null, events, folded, records, replies })
      }
      const all = await readAll(store.rows, 1_000)
      for (const maxBytes of [1, 250_000]) assert.deepEqual(await readAll(store.rows, 1_000, maxBytes), all)
      const ofType = (type: StoredRow['type']): number => all.filter((row) => row.type === type).length
      assert.deepEqual([ofType('record'), ofType('reply'), ofType('event')], [14, 6, 6])
    },
  },
  {
    name: 'all rows are read in pages of any size: a user first, the events in the order of their commits',
    async run(store) {
      if (store.rows === undefined) return
      for (let turn = 1; turn <= 3; turn++) {
        for (const user of [ann, bob]) {
          const expect = turn === 1 ? null : turn - 1
          const id = `${user.id} ${turn}`
          const event = createEvent(turn, { id })
          const folded = { head: { sequence: turn, mac: `mac ${turn}` }, headMac: 'h', state: '{}' }
          const records = [{ kind: 'note', name: String(turn), value: id }]
          const replies = [{ key: id, digest: 'd', result: 'r', expiresAt: AT }]
          const sum = { day: '2026-03-01', hour: turn, key: user.id, amounts: [turn, 0, 0, 0, 0, 0, 0, 0] }
          const recorded = {
            turns: [{ id: `${turn}-${user.id}`, outcome: 'completed', value: id }],
            userSums: [sum],
            sums: [{ ...sum, hour: 1, key: '' }],
          }
          await mustCommit(store, user, { expect, events: [event], folded, records, replies, recorded })
        }
      }
      await store.users.erase({ ...ann, id: 'gone' }, await createErasure(store, { ...ann, id: 'gone' }))
      const all = await readAll(store.rows, 1_000)
      for (const limit of [1, 2, 5]) assert.deepEqual(await readAll(store.rows, limit), all, `pages of ${limit}`)
      const ofType = (type: StoredRow['type']): StoredRow[] => all.filter((row) => row.type === type)
      assert.deepEqual(
        ofType('event').map((row) => row.type === 'event' && row.event.id),
        ['ann 1', 'bob 1', 'ann 2', 'bob 2', 'ann 3', 'bob 3', 'erased 1'],
      )
      assert.deepEqual([ofType('user').length, ofType('record').length, ofType('reply').length], [3, 6, 6])
      assert.deepEqual([ofType('turn').length, ofType('user_sum').length, ofType('sum').length], [6, 6, 1])
      assert.deepEqual(ofType('incarnation'), [
        { type: 'incarnation', namespace: NAMESPACE, tag: tagOf({ ...ann, id: 'gone' }), next: 2 },
      ])
      const position = (type: string, id: string): number =>
        all.findIndex((row) => row.type === type && 'id' in row && row.id === id)
      for (const { id } of [ann, bob, namespaceLog])
        assert.ok(position('user', id) < position('event', id) && position('user', id) >= 0)
    },
  },
]
