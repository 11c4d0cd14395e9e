import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { cachePath } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { openDatabase } from '../../../src/drivers/sqlite/database.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { migrate } from '../../../src/drivers/sqlite/migrate.ts'
import { MIGRATIONS } from '../../../src/drivers/sqlite/migrations/index.ts'
import { requireSafeVersion } from '../../../src/drivers/sqlite/version-check.ts'
import { PurserError } from '../../../src/errors.ts'
import type { Store } from '../../../src/storage/store.ts'
import { handClock } from '../../../src/testing/index.ts'
import { mustCommit } from '../../../src/testing/store-contract/samples.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

const open = (path: string): Promise<Store> => openSqliteStore({ path, effects: handClock() })

test('both files and their logs have mode 0600 with any umask', async () => {
  const path = temporaryPath()
  const before = process.umask(0)
  try {
    const store = await open(path)
    await store.meta.compareAndSet('a', undefined, 'b')
    const files = [path, `${path}-wal`, `${path}-shm`, cachePath(path), `${cachePath(path)}-wal`]
    for (const file of files) assert.equal((statSync(file).mode & 0o777).toString(8), '600', file)
    await store.close()
  } finally {
    process.umask(before)
  }
})

test('the main file is flushed with every commit, and both files overwrite deleted data', async () => {
  for (const [profile, synchronous] of [
    ['durable', 2],
    ['rebuildable', 1],
  ] as const) {
    const database = await openDatabase({ path: temporaryPath(), profile })
    const pragma = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
    assert.deepEqual(['journal_mode', 'synchronous', 'secure_delete', 'trusted_schema', 'mmap_size'].map(pragma), [
      'wal',
      synchronous,
      1,
      0,
      0,
    ])
    assert.ok(Number(pragma('busy_timeout')) <= 10, 'SQLite waits for locks on the event loop')
    await database.close()
  }
})

test('missing directories of the path are created with mode 0700', async () => {
  const path = join(dirname(temporaryPath()), 'new', 'deep', 'purser.db')
  await (await open(path)).close()
  assert.equal((statSync(dirname(path)).mode & 0o777).toString(8), '700')
})

test('the cache file is beside the main file, under any name', () => {
  assert.equal(cachePath('/data/purser.db'), '/data/purser-cache.db')
  assert.equal(cachePath('/data/purser'), '/data/purser-cache.db')
  assert.equal(cachePath('/data.d/a.b.sqlite'), '/data.d/a.b-cache.sqlite')
})

test('a path that looks like a URI or like :memory: is a file', async () => {
  const directory = dirname(temporaryPath())
  const previous = process.cwd()
  process.chdir(directory)
  try {
    for (const name of ['file:x?mode=memory', ':memory:']) {
      await (await open(name)).close()
      assert.ok(existsSync(join(directory, name)))
    }
  } finally {
    process.chdir(previous)
  }
})

test('versions of SQLite that are known to damage data are store_unsafe, with a hint', () => {
  const unsafe = ['3.7.0', '3.44.5', '3.45.1', '3.49.2', '3.50.0', '3.50.6', '3.51.0', '3.51.2', '3.6.23']
  for (const version of unsafe) {
    assert.throws(
      () => requireSafeVersion({ version, keepsNul: true }),
      (error) =>
        PurserError.is(error, 'store_unsafe') && /26\.1/.test(error.hint ?? '') && error.message.includes(version),
      version,
    )
  }
  for (const version of ['3.44.6', '3.44.7', '3.50.7', '3.51.3', '3.53.4', '4.0.0'])
    requireSafeVersion({ version, keepsNul: true })
  assert.throws(
    () => requireSafeVersion({ version: '3.53.4', keepsNul: false }),
    (error) => PurserError.is(error, 'store_unsafe') && /24\.16/.test(error.hint ?? ''),
  )
  requireSafeVersion()
})

test('a store written by a newer Purser is store_newer, and stays unchanged', async () => {
  const path = temporaryPath()
  await (await open(path)).close()
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`)
  database.close()
  const bytes = readFileSync(path)
  await assert.rejects(open(path), (error) => PurserError.is(error, 'store_newer') && error.hint !== undefined)
  assert.deepEqual(readFileSync(path), bytes)
})

test('the database of another program is option_invalid, and stays unchanged', async () => {
  for (const mark of ['', 'PRAGMA user_version = 1']) {
    const path = temporaryPath()
    const database = new DatabaseSync(path)
    database.exec(`CREATE TABLE theirs (a); ${mark}`)
    database.close()
    await assert.rejects(open(path), (error) => PurserError.is(error, 'option_invalid'))
    const again = new DatabaseSync(path)
    assert.equal(again.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.tables, 1)
    again.close()
  }
})

test('a file that is not a database or cannot be created is store_unavailable, with a hint', async () => {
  const path = temporaryPath()
  writeFileSync(path, 'This is a text of some length, and not a database. '.repeat(100))
  await assert.rejects(open(path), (error) => PurserError.is(error, 'store_unavailable') && error.hint !== undefined)
  const file = temporaryPath()
  writeFileSync(file, '')
  await assert.rejects(open(join(file, 'below.db')), (error) => PurserError.is(error, 'store_unavailable'))
  const directory = temporaryPath()
  mkdirSync(directory)
  await assert.rejects(open(directory), (error) => PurserError.is(error, 'store_unavailable'))
})

test('a damaged cache file is replaced, since its data is rebuildable', async () => {
  const path = temporaryPath()
  const first = await open(path)
  await first.meta.compareAndSet('a', undefined, 'value')
  await first.close()
  writeFileSync(cachePath(path), 'damaged '.repeat(4_096))
  const second = await open(path)
  assert.equal(await second.meta.get('a'), 'value')
  await second.close()
  assert.equal((statSync(cachePath(path)).mode & 0o777).toString(8), '600')
})

test('a migration is applied once, completely or not at all', async () => {
  const path = temporaryPath()
  const database = await openDatabase({ path, profile: 'durable' })
  const schema = (): unknown => database.connection.prepare('SELECT name FROM sqlite_schema ORDER BY name').all()
  migrate(database.connection)
  migrate(database.connection)
  const before = schema()
  const broken = [...MIGRATIONS, 'CREATE TABLE half (a); CREATE TABLE half (a);']
  assert.throws(() => migrate(database.connection, broken))
  assert.deepEqual(schema(), before)
  migrate(database.connection, [...MIGRATIONS, 'CREATE TABLE whole (a);'])
  assert.equal(database.connection.prepare('PRAGMA user_version').get()?.user_version, MIGRATIONS.length + 1)
  await database.close()
})

test('a store of every release opens, and is read as it was written', async () => {
  const path = temporaryPath()
  copyFileSync(new URL('../fixtures/0.1.0.db', import.meta.url), path)
  chmodSync(path, 0o600)
  const store = await open(path)
  const user = { namespace: 'fixture', id: 'ann' }
  assert.deepEqual(await store.users.load(user), {
    incarnation: 1,
    revision: 2,
    head: { sequence: 2, mac: 'mac 2' },
    headMac: 'head 2',
    state: '{"n":2}',
    measured: '{"turns":3}',
    stamps: { createdAt: 1_767_268_800_000, updatedAt: 1_767_268_801_000, seenAt: 1_767_268_801_000 },
    usage: '{"messages":{"2026-01-01":2}}',
  })
  assert.deepEqual(
    (await store.events.oldest(user, { after: 0, limit: 9 })).map(({ id, body }) => [id, body]),
    [
      ['event 1', '{"v":1,"n":1}'],
      ['event 2', '{"v":1,"n":2}'],
    ],
  )
  assert.equal(await store.users.record(user, 'settings', ''), '{"model":"m"}')
  assert.equal((await store.users.reply(user, 'key'))?.result, '{}')
  assert.equal(await store.meta.get('root-key'), 'wrapped')
  assert.equal(await store.users.nextIncarnation('fixture', 'tag of erased'), 2)
  assert.equal((await store.users.overview('fixture')).users, 1)
  // Records of turns and sums begin with this version.
  const sum = { day: '2026-01-02', hour: 490_920, key: '["turns",null,"p","m"]', amounts: [1, 0, 0, 5, 6, 0, 7, 0] }
  const turn = { id: '019b7b3d-0000-7000-a', outcome: 'completed', value: '[1]' }
  await mustCommit(store, user, { expect: 2, tag: null, recorded: { turns: [turn], userSums: [sum], sums: [sum] } })
  assert.deepEqual(await store.turns.ofUser(user, { order: 'ascending', limit: 9 }), [turn])
  const page = { from: '2026-01-01', to: '2026-02-01', limit: 9 }
  assert.deepEqual([await store.sums.ofUser(user, page), await store.sums.ofNamespace('fixture', page)], [[sum], [sum]])
  await store.close()
})
