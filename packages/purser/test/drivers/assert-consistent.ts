import assert from 'node:assert/strict'
import { createKeyring } from '../../src/core/keyring.ts'
import { linkMac } from '../../src/journal/hash-chain.ts'
import type { Store } from '../../src/storage/store.ts'
import { ROOT } from './children/counting-fold.ts'

const keys = createKeyring(ROOT)

/**
 * Asserts that events, chain, state, usage and records of a user who was written by `crash-writer.ts` agree, and that at
 * least the acknowledged writes are stored. Resolves to the number of stored writes.
 */
export async function assertConsistent(store: Store, id: string, acknowledged: number): Promise<number> {
  const user = { namespace: 'crash', id }
  const row = await store.users.load(user)
  if (row === undefined) {
    assert.equal(acknowledged, 0)
    return 0
  }
  const events = await store.events.oldest(user, { after: 0, limit: 1_000_000 })
  const count = events.length
  assert.ok(count >= acknowledged, `${id}: ${acknowledged} acknowledged, ${count} found`)
  let previous = ''
  for (const [index, event] of events.entries()) {
    assert.equal(event.sequence, index + 1)
    assert.equal(event.mac, linkMac(keys, { user, incarnation: 1 }, previous, event.body))
    previous = event.mac
  }
  assert.deepEqual(row.head, { sequence: count, mac: previous })
  assert.equal(row.state, JSON.stringify({ events: count }))
  assert.equal(row.usage, JSON.stringify({ steps: count }))
  assert.equal((await store.users.records(user, 'note', { limit: 1_000_000, order: 'ascending' })).length, count)
  return count
}
