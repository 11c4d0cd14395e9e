import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { createCacheWriterCalls } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { type Database, openDatabase } from '../../../src/drivers/sqlite/database.ts'
import { createSqliteStore, openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { createWriterCalls } from '../../../src/drivers/sqlite/main/writer.ts'
import { migrate } from '../../../src/drivers/sqlite/migrate.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import { ann, bob, mustCommit, NAMESPACE, tryCommit, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { createInProcessWorker } from '../../support/in-process-worker.ts'
import { startChild } from '../../support/start-child.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

/** A store that writes in this thread, with a connection that the test can make fail. */
async function openInProcessStore(): Promise<{ store: Store; main: Database }> {
  const path = temporaryPath()
  const main = await openDatabase({ path, profile: 'durable' })
  migrate(main.connection)
  const cache = await openDatabase({ path: `${path}-cache`, profile: 'rebuildable' })
  const writer = createInProcessWorker(createWriterCalls(main))
  const cacheWriter = createInProcessWorker(createCacheWriterCalls(cache))
  return { store: createSqliteStore({ main, cache, writer, cacheWriter, effects: handClock() }), main }
}

const isUnavailable = (error: unknown): boolean =>
  PurserError.is(error, 'store_unavailable') && error.retryable && error.cause !== undefined

test('a full disk is store_unavailable with a hint, loses no acknowledged commit, and writes continue once there is space', async () => {
  const { store, main } = await openInProcessStore()
  await mustCommit(store, ann, withEvents(1, 1, { id: 'ann' }))
  const pages = Number(main.connection.prepare('PRAGMA page_count').get()?.page_count)
  main.connection.exec(`PRAGMA max_page_count = ${pages}`)
  const large = { records: [{ kind: 'note', name: 'n', value: 'x'.repeat(100_000) }] }
  // The writes of one group commit fail together.
  const outcomes = await Promise.allSettled([
    tryCommit(store, bob, large),
    tryCommit(store, { namespace: NAMESPACE, id: 'eve' }),
  ])
  for (const outcome of outcomes) {
    assert.equal(outcome.status, 'rejected')
    assert.ok(isUnavailable(outcome.reason) && /full/.test(outcome.reason.hint))
  }
  assert.equal(await store.users.load(bob), undefined)
  assert.equal((await store.users.load(ann))?.revision, 1)
  main.connection.exec('PRAGMA max_page_count = 1073741823')
  await mustCommit(store, bob, large)
  await mustCommit(store, ann, { expect: 1, ...withEvents(2, 2, { id: 'ann' }) })
  assert.deepEqual({ ...main.connection.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
  await store.close()
})

test('a read-only database is store_unavailable with a hint, still reads, and recovers', async () => {
  const { store, main } = await openInProcessStore()
  await mustCommit(store, ann)
  main.connection.exec('PRAGMA query_only = ON')
  await assert.rejects(
    tryCommit(store, bob),
    (error) => isUnavailable(error) && /may not write/.test((error as PurserError).hint ?? ''),
  )
  await assert.rejects(store.meta.compareAndSet('a', undefined, 'b'), isUnavailable)
  assert.equal((await store.users.load(ann))?.revision, 1)
  main.connection.exec('PRAGMA query_only = OFF')
  await mustCommit(store, bob)
  await store.close()
})

test('waiting for the lock of another process does not block the event loop', async () => {
  const { store, main } = await openInProcessStore()
  await mustCommit(store, ann)
  const other = new DatabaseSync(main.path)
  other.exec('BEGIN IMMEDIATE')
  let isWritten = false
  const writing = tryCommit(store, bob).then((outcome) => {
    isWritten = true
    return outcome
  })
  let longestMs = 0
  for (let turn = 0; turn < 20; turn++) {
    const before = performance.now()
    await new Promise<void>((resolve) => setTimeout(resolve, 1))
    longestMs = Math.max(longestMs, performance.now() - before)
    assert.equal((await store.users.load(ann))?.revision, 1, 'reads continue')
  }
  assert.equal(isWritten, false)
  // Generous for a busy machine. The lock is released after this loop, so a wait that blocks would never return.
  assert.ok(longestMs < 2_000, `blocked for ${longestMs} ms`)
  other.exec('COMMIT')
  assert.ok((await writing).ok)
  other.close()
  await store.close()
})

test('invalid commits of every kind fail alone, with their own error', async () => {
  const { store } = await openInProcessStore()
  await mustCommit(store, ann, withEvents(1, 1, { id: 'taken' }))
  const noText = Symbol('no text') as unknown as string
  const invalidChanges = [
    [withEvents(1, 1, { id: 'taken' }), /UNIQUE/],
    [{ records: [{ kind: 'note', name: 'n', value: noText }] }, /cannot be bound/],
    [{ at: Number.NaN }, /NOT NULL/],
    [{ usage: noText }, /cannot be bound/],
  ] as const
  const outcomes = await Promise.allSettled(
    Array.from({ length: 64 }, (_, index) =>
      tryCommit(
        store,
        { namespace: NAMESPACE, id: `user ${index}` },
        invalidChanges[index / 16]?.[0] ?? withEvents(1, 1, { id: `${index}` }),
      ),
    ),
  )
  for (const [index, outcome] of outcomes.entries()) {
    const isInvalid = index % 16 === 0
    assert.equal(outcome.status, isInvalid ? 'rejected' : 'fulfilled', `commit ${index}`)
    if (outcome.status === 'rejected') {
      assert.match(outcome.reason.message, invalidChanges[index / 16]?.[1] ?? assert.fail())
      assert.ok(!PurserError.is(outcome.reason, 'store_unavailable'))
    }
    const row = await store.users.load({ namespace: NAMESPACE, id: `user ${index}` })
    assert.equal(row === undefined, isInvalid)
  }
  await store.close()
})

test('calls of a closed store reject with `closed`', async () => {
  const { store } = await openInProcessStore()
  await mustCommit(store, ann)
  await store.close()
  const isClosed = (error: unknown): boolean => PurserError.is(error, 'closed')
  await assert.rejects(tryCommit(store, bob), isClosed)
  await assert.rejects(store.users.load(ann), isClosed)
  await assert.rejects(store.users.overview(NAMESPACE), isClosed)
})

test('a file size limit of the system is store_unavailable, and loses no acknowledged commit', async () => {
  const path = temporaryPath()
  const child = startChild(new URL('../children/filler.ts', import.meta.url), [path], { fileBlocks: 3_000 })
  await child.exited
  const [failure, reads, ...others] = child.lines.filter((line) => !line.startsWith('written '))
  assert.deepEqual([failure, reads, others], ['store_unavailable', 'still reads', []])
  const acknowledged = child.lines.length - 2
  assert.ok(acknowledged > 10)
  const store = await openSqliteStore({ path, effects: handClock() })
  const records = await store.users.records(ann, 'note', { limit: 1_000_000, order: 'ascending' })
  assert.ok(records.length >= acknowledged, `${acknowledged} acknowledged, ${records.length} found`)
  assert.ok(records.every(({ value }) => value.length === 50_000))
  await mustCommit(store, bob)
  await store.close()
  const database = new DatabaseSync(path)
  assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
  database.close()
})
