import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { createKeyring } from '../../../src/core/keyring.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { linkMac } from '../../../src/journal/hash-chain.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { temporaryPath } from '../../support/temporary-store.ts'
import { ROOT } from '../children/counting-fold.ts'
import { startChild } from '../children/start-child.ts'

const USERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
/** After so many crashes a new file is used, since all of it is checked after each. */
const CYCLES_PER_FILE = 20
const keys = createKeyring(ROOT)

/** Starts a writer, kills it after so many lines, and returns the last acknowledged sequence of each user. */
async function writeUntilKilled(path: string, afterLines: number): Promise<Map<string, number>> {
  const writer = startChild('crash-writer.ts', [path, USERS.join(',')])
  for (let line = 0; line < afterLines; line++) await writer.line()
  writer.process.kill('SIGKILL')
  await writer.exited
  const acknowledged = new Map<string, number>()
  for (const line of writer.lines) {
    const [id = '', sequence] = line.split(' ')
    acknowledged.set(id, Number(sequence))
  }
  return acknowledged
}

async function assertConsistent(store: Store, id: string, acknowledged: number): Promise<number> {
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

test('after SIGKILL at any instant acknowledged commits are stored, others completely or not at all (BL-D08)', async () => {
  printSeed('crash cycles')
  let path = temporaryPath()
  let written = 0
  for (let cycle = 0; cycle < rounds(1_000, 12); cycle++) {
    if (cycle % CYCLES_PER_FILE === 0) path = temporaryPath()
    const acknowledged = await writeUntilKilled(path, 1 + ((seed + cycle * 7_919) % 400))
    const store = await openSqliteStore({ path, effects: handClock() })
    written = 0
    for (const id of USERS) written += await assertConsistent(store, id, acknowledged.get(id) ?? 0)
    await store.close()
    const database = new DatabaseSync(path)
    assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
    database.close()
  }
  assert.ok(written > 0)
})
