import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { handClock } from '../../../src/testing/index.ts'
import { printSeed, rounds, seed } from '../../support/fuzz-options.ts'
import { startChild } from '../../support/start-child.ts'
import { temporaryPath } from '../../support/temporary-store.ts'
import { assertConsistent } from '../assert-consistent.ts'

const USERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
/** After so many crashes a new file is used, since all of it is checked after each. */
const CYCLES_PER_FILE = 20

/** Starts a writer, kills it after so many lines, and returns the last acknowledged sequence of each user. */
async function writeUntilKilled(path: string, afterLines: number): Promise<Map<string, number>> {
  const writer = startChild(new URL('../children/crash-writer.ts', import.meta.url), [path, USERS.join(',')])
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
