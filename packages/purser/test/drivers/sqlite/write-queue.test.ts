import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { createWriteQueue, WRITE_LIMITS } from '../../../src/drivers/sqlite/main/write-queue.ts'
import { PurserError } from '../../../src/errors.ts'
import { newPath } from '../../support/temporary-store.ts'

function openTable(): { path: string; connection: DatabaseSync } {
  const path = newPath()
  const connection = new DatabaseSync(path, { timeout: 1 })
  connection.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT PRIMARY KEY) STRICT')
  return { path, connection }
}

const isUnavailable = (error: unknown): boolean => PurserError.is(error, 'store_unavailable')

test('what waits is written together, in order, in transactions of a limited size', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path, { ...WRITE_LIMITS, maxPerTransaction: 4 })
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

test('a lock that is never given back ends in store_unavailable, and writes go on when it is', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path, { ...WRITE_LIMITS, busyGiveUpMs: 30, busyRetryMs: 2 })
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

test('one more than may wait is refused at once, and the others are written', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path, { ...WRITE_LIMITS, maxWaiting: 2 })
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const waiting = ['a', 'b'].map((name) => queue.write(() => add.run(name)))
  await assert.rejects(
    queue.write(() => add.run('c')),
    isUnavailable,
  )
  await Promise.all(waiting)
  await queue.write(() => add.run('d'))
})

test('draining waits for what is waiting and refuses what comes later', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const waiting = queue.write(() => add.run('a'))
  const draining = queue.drain()
  await assert.rejects(
    queue.write(() => add.run('b')),
    (error) => PurserError.is(error, 'closed'),
  )
  await Promise.all([draining, waiting])
  assert.equal(connection.prepare('SELECT count(*) AS rows FROM t').get()?.rows, 1)
})

test('a poisoned write between good ones is rolled back whole, also when it has written before it fails', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const outcomes = await Promise.allSettled([
    queue.write(() => add.run('a')),
    queue.write(() => {
      add.run('half')
      throw new Error('poison')
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

test('who holds the lock writes before everybody who waits, here and in other connections', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const other = new DatabaseSync(path, { timeout: 1 })
  const hold = await queue.hold()
  let isWritten = false
  const waiting = queue.write(() => {
    isWritten = true
    return add.run('later')
  })
  const next = queue.hold()
  assert.throws(() => other.exec("INSERT INTO t VALUES ('other')"), /locked/)
  assert.equal(isWritten, false)
  assert.equal(
    hold.write(() => add.run('first').changes),
    1,
  )
  const second = await next
  assert.equal(isWritten, false, 'holds come before writes')
  second.end()
  await waiting
  assert.deepEqual(rowsOf(connection), ['first', 'later'])
})

test('a hold is over with its write, its end, its time, or when the lock is taken back; then it writes nothing', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path, { ...WRITE_LIMITS, maxHoldMs: 5 })
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const written = await queue.hold()
  written.write(() => add.run('a'))
  const ended = await queue.hold()
  ended.end()
  ended.end()
  const late = await queue.hold()
  await queue.write(() => add.run('when the time of the hold was over'))
  const taken = await queue.hold()
  queue.endHold()
  for (const over of [written, ended, late, taken])
    assert.equal(
      over.write(() => add.run('b')),
      undefined,
    )
  assert.deepEqual(rowsOf(connection), ['a', 'when the time of the hold was over'])
})

test('a write that fails in a hold leaves nothing, and the next one goes through', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path)
  const add = connection.prepare('INSERT INTO t VALUES (?)')
  const hold = await queue.hold()
  const poisoned = (): never => {
    add.run('half')
    throw new Error('poison')
  }
  assert.throws(() => hold.write(poisoned), /poison/)
  await queue.write(() => add.run('whole'))
  assert.deepEqual(rowsOf(connection), ['whole'])
})

test('a hold gives up like a write when the lock is never given back, and draining waits for the one there is', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path, { ...WRITE_LIMITS, busyGiveUpMs: 30, busyRetryMs: 2 })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(queue.hold(), isUnavailable)
  other.exec('ROLLBACK')
  const hold = await queue.hold()
  let isDrained = false
  const draining = queue.drain().then(() => {
    isDrained = true
  })
  await Promise.resolve()
  assert.equal(isDrained, false)
  hold.end()
  await draining
  await assert.rejects(queue.hold(), (error) => PurserError.is(error, 'closed'))
})

test('a lock that is never given back fails all who wait to hold it, together', async () => {
  const { path, connection } = openTable()
  const queue = createWriteQueue(connection, path, { ...WRITE_LIMITS, busyGiveUpMs: 30, busyRetryMs: 2 })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const told: number[] = []
  const holds = [0, 1, 2].map((each) => assert.rejects(queue.hold(), isUnavailable).then(() => told.push(each)))
  await holds[0]
  await new Promise(setImmediate)
  assert.deepEqual(told, [0, 1, 2])
  other.exec('ROLLBACK')
})
