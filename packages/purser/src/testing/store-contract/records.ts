import assert from 'node:assert/strict'
import type { Reply } from '../../storage/commit.ts'
import type { RecordPage, Store } from '../../storage/store.ts'
import { AT, ann, bob, type ContractTest, mustCommit } from './samples.ts'

const REPLY: Reply = { key: 'key', digest: 'digest', result: '{"n":1}', expiresAt: AT + 1_000 }

async function names(store: Store, page: Partial<RecordPage> = {}): Promise<string[]> {
  const records = await store.users.records(ann, 'note', { limit: 10, order: 'ascending', ...page })
  return records.map(({ name }) => name)
}

function notes(...names: readonly string[]): { kind: string; name: string; value: string }[] {
  return names.map((name) => ({ kind: 'note', name, value: `text of ${name}` }))
}

export const records: readonly ContractTest[] = [
  {
    name: 'a record is written, replaced and deleted, separately for each kind and user',
    async run(store) {
      const [note] = notes('a')
      let expect = await mustCommit(store, ann, {
        records: [...notes('a'), { kind: 'action', name: 'a', value: 'other' }],
      })
      await mustCommit(store, bob, { records: [{ kind: 'note', name: 'a', value: 'of bob' }] })
      assert.equal(await store.users.record(ann, 'note', 'a'), note?.value)
      expect = await mustCommit(store, ann, { expect, records: [{ kind: 'note', name: 'a', value: '' }] })
      assert.equal(await store.users.record(ann, 'note', 'a'), '')
      expect = await mustCommit(store, ann, { expect, records: [{ kind: 'note', name: 'a', value: null }] })
      assert.equal(await store.users.record(ann, 'note', 'a'), undefined)
      assert.equal(await store.users.record(ann, 'action', 'a'), 'other')
      assert.equal(await store.users.record(bob, 'note', 'a'), 'of bob')
      await mustCommit(store, ann, { expect, records: [{ kind: 'note', name: 'never written', value: null }] })
    },
  },
  {
    name: 'records are read in the order of their names, in pages, from both ends',
    async run(store) {
      await mustCommit(store, ann, { records: notes('b', 'a', 'd', 'c', '\u{10000}', '\uffff', 'B') })
      assert.deepEqual(await names(store), ['B', 'a', 'b', 'c', 'd', '\uffff', '\u{10000}'])
      assert.deepEqual(await names(store, { limit: 3 }), ['B', 'a', 'b'])
      assert.deepEqual(await names(store, { limit: 3, after: 'b' }), ['c', 'd', '\uffff'])
      assert.deepEqual(await names(store, { limit: 2, order: 'descending' }), ['\u{10000}', '\uffff'])
      assert.deepEqual(await names(store, { limit: 2, order: 'descending', after: 'c' }), ['b', 'a'])
      assert.deepEqual(await names(store, { after: '\u{10000}' }), [])
      assert.deepEqual(await names(store, { order: 'descending', after: 'B' }), [])
      assert.deepEqual(await names(store, { limit: 0 }), [])
      assert.deepEqual(await names(store, { after: 'bb', limit: 1 }), ['c'], 'the record of the cursor need not exist')
    },
  },
  {
    name: 'a trim leaves the records with the highest names of its kind, after the writes of its commit',
    async run(store) {
      let expect = await mustCommit(store, ann, {
        records: [...notes('1', '2', '3'), { kind: 'action', name: '0', value: 'stays' }],
        trims: [{ kind: 'note', keep: 3 }],
      })
      assert.deepEqual(await names(store), ['1', '2', '3'])
      expect = await mustCommit(store, ann, { expect, records: notes('4'), trims: [{ kind: 'note', keep: 3 }] })
      assert.deepEqual(await names(store), ['2', '3', '4'])
      expect = await mustCommit(store, ann, { expect, records: notes('0'), trims: [{ kind: 'note', keep: 3 }] })
      assert.deepEqual(
        await names(store),
        ['2', '3', '4'],
        'the lowest name is removed, even if it is the newest record',
      )
      expect = await mustCommit(store, ann, { expect, trims: [{ kind: 'none', keep: 1 }] })
      await mustCommit(store, ann, { expect, trims: [{ kind: 'note', keep: 0 }] })
      assert.deepEqual(await names(store), [])
      assert.equal(await store.users.record(ann, 'action', '0'), 'stays')
    },
  },
  {
    name: 'a reply is stored under its key, for its user, until it is swept',
    async run(store) {
      const expect = await mustCommit(store, ann, {
        replies: [REPLY, { ...REPLY, key: 'later', expiresAt: AT + 2_000 }],
      })
      assert.deepEqual(await store.users.reply(ann, 'key'), REPLY)
      assert.equal(await store.users.reply(bob, 'key'), undefined)
      assert.equal(await store.users.reply(ann, 'KEY'), undefined)
      await mustCommit(store, ann, { expect, replies: [{ ...REPLY, result: 'again' }] })
      assert.equal((await store.users.reply(ann, 'key'))?.result, 'again')
      assert.equal(await store.users.sweepReplies(AT + 999, 10), 0)
      assert.equal(await store.users.sweepReplies(AT + 1_001, 10), 1)
      assert.equal(await store.users.reply(ann, 'key'), undefined)
      assert.notEqual(await store.users.reply(ann, 'later'), undefined)
    },
  },
  {
    name: 'a sweep removes at most the given number of replies',
    async run(store) {
      const replies = Array.from({ length: 5 }, (_, index) => ({ ...REPLY, key: `key ${index}` }))
      await mustCommit(store, ann, { replies })
      const swept: number[] = []
      for (let round = 0; round < 4; round++) swept.push(await store.users.sweepReplies(AT + 5_000, 2))
      assert.deepEqual(swept, [2, 2, 1, 0])
    },
  },
]
