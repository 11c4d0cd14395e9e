import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { WRITE_LIMITS, WriteQueue } from '../../../src/drivers/sqlite/write-queue.ts'
import { PurserError } from '../../../src/errors.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

function openTable(): { path: string; connection: DatabaseSync } {
  const path = temporaryPath()
  const connection = new DatabaseSync(path, { timeout: 1 })
  connection.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT PRIMARY KEY) STRICT')
  return { path, connection }
}

const isUnavailable = (error: unknown): boolean => PurserError.is(error, 'store_unavailable')

test('pending writes run in order, in transactions of a limited size', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path, { limits: { ...WRITE_LIMITS, maxPerTransaction: 4 } })
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const order: number[] = []
  const transactions: number[] = []
  const version = new DatabaseSync(path).prepare('PRAGMA data_version')
  let last: unknown
  const seen = (): void => {
    const now = version.get()?.data_version
    if (now !== last) transactions.push(0)
    last = now
  }
  seen()
  const writes = Array.from({ length: 10 }, (_, index) =>
    queue
      .write(() => {
        order.push(index)
        return add.run(String(index)).changes
      })
      .then(seen),
  )
  await Promise.all(writes)
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.equal(transactions.length - 1, 3, '4 + 4 + 2')
  await queue.drain()
})

test('writes reject with store_unavailable while another process keeps the lock, and continue after its release', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path, { limits: { ...WRITE_LIMITS, busyGiveUpMs: 30, busyRetryMs: 2 } })
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const outcomes = await Promise.allSettled(['a', 'b'].map((name) => queue.write(() => add.run(name))))
  for (const outcome of outcomes) assert.ok(outcome.status === 'rejected' && isUnavailable(outcome.reason))
  other.exec('ROLLBACK')
  await queue.write(() => add.run('c'))
  assert.deepEqual(
    connection
      .prepare('SELECT a FROM t')
      .all()
      .map(({ a }) => a),
    ['c'],
  )
})

test('a write to a full queue rejects at once, and the pending writes are written', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path, { limits: { ...WRITE_LIMITS, maxPending: 2 } })
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const pending = ['a', 'b'].map((name) => queue.write(() => add.run(name)))
  await assert.rejects(
    queue.write(() => add.run('c')),
    isUnavailable,
  )
  await Promise.all(pending)
  await queue.write(() => add.run('d'))
})

test('drain waits for pending writes, and later writes reject with closed', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const pending = queue.write(() => add.run('a'))
  const draining = queue.drain()
  await assert.rejects(
    queue.write(() => add.run('b')),
    (error) => PurserError.is(error, 'closed'),
  )
  await Promise.all([draining, pending])
  assert.equal(connection.prepare('SELECT count(*) AS rows FROM t').get()?.rows, 1)
})

test('a failing write among others is rolled back completely, including what it wrote before it failed', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const outcomes = await Promise.allSettled([
    queue.write(() => add.run('a')),
    queue.write(() => {
      add.run('half')
      throw new Error('invalid')
    }),
    queue.write(() => add.run('b')),
  ])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(
    connection
      .prepare('SELECT a FROM t ORDER BY a')
      .all()
      .map(({ a }) => a),
    ['a', 'b'],
  )
})

const rowsOf = (connection: DatabaseSync): unknown[] =>
  connection
    .prepare('SELECT a FROM t ORDER BY a')
    .all()
    .map(({ a }) => a)

test('the locked transaction writes before pending writes of the queue and of other connections', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const other = new DatabaseSync(path, { timeout: 1 })
  const lock = await queue.lock()
  let isWritten = false
  const pending = queue.write(() => {
    isWritten = true
    return add.run('later')
  })
  const next = queue.lock()
  assert.throws(() => other.exec("INSERT INTO t VALUES ('other')"), /locked/)
  assert.equal(isWritten, false)
  assert.equal(
    lock.write(() => add.run('first').changes),
    1,
  )
  const second = await next
  assert.equal(isWritten, false, 'locks come before writes')
  second.release()
  await pending
  assert.deepEqual(rowsOf(connection), ['first', 'later'])
})

test('a locked transaction ends with its write, release or timeout, or with unlock; then it writes nothing', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path, { limits: { ...WRITE_LIMITS, maxLockMs: 5 } })
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const written = await queue.lock()
  written.write(() => add.run('a'))
  const released = await queue.lock()
  released.release()
  released.release()
  const late = await queue.lock()
  await queue.write(() => add.run('after the timeout'))
  const unlocked = await queue.lock()
  queue.unlock()
  for (const ended of [written, released, late, unlocked])
    assert.equal(
      ended.write(() => add.run('b')),
      undefined,
    )
  assert.deepEqual(rowsOf(connection), ['a', 'after the timeout'])
})

test('a write that fails in a locked transaction writes nothing, and the next write is written', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const lock = await queue.lock()
  const failing = (): never => {
    add.run('half')
    throw new Error('invalid')
  }
  assert.throws(() => lock.write(failing), /invalid/)
  await queue.write(() => add.run('complete'))
  assert.deepEqual(rowsOf(connection), ['complete'])
})

test('lock rejects with store_unavailable like a write, and drain waits for the locked transaction', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path, { limits: { ...WRITE_LIMITS, busyGiveUpMs: 30, busyRetryMs: 2 } })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(queue.lock(), isUnavailable)
  other.exec('ROLLBACK')
  const lock = await queue.lock()
  let isDrained = false
  const draining = queue.drain().then(() => {
    isDrained = true
  })
  await Promise.resolve()
  assert.equal(isDrained, false)
  lock.release()
  await draining
  await assert.rejects(queue.lock(), (error) => PurserError.is(error, 'closed'))
})

test('all pending lock requests reject together while another process keeps the lock', async () => {
  const { path, connection } = openTable()
  const queue = new WriteQueue(connection, path, { limits: { ...WRITE_LIMITS, busyGiveUpMs: 30, busyRetryMs: 2 } })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const rejected: number[] = []
  const requests = [0, 1, 2].map((each) => assert.rejects(queue.lock(), isUnavailable).then(() => rejected.push(each)))
  await requests[0]
  await new Promise(setImmediate)
  assert.deepEqual(rejected, [0, 1, 2])
  other.exec('ROLLBACK')
})
