import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { Subject } from '../../../src/core/subject.ts'
import { cachePath } from '../../../src/drivers/sqlite/cache/cache-file.ts'
import { openSqliteStore } from '../../../src/drivers/sqlite/index.ts'
import { handClock } from '../../../src/testing/index.ts'
import { createErasure, mustCommit, NAMESPACE, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { temporaryPath } from '../../support/temporary-store.ts'

/*
 * Every table of the schema is either listed here with the reason why it has no rows of a user, or is filled with rows of
 * a user and must be empty after the erasure. So a migration that adds a table must say which of the two it is, and a
 * table of users that the erasure does not wipe fails.
 */

const WITHOUT_USERS: Readonly<Record<string, string>> = {
  meta: 'values of the installation',
  incarnations: 'keyed hashes of ids, which outlive an erasure',
  sqlite_sequence: 'counters of SQLite',
  purges: 'erased users whose bytes are not wiped yet; empty after the purge',
  sums: 'sums of a namespace, which name no user',
  turn_fold: 'positions in the log of turns',
  turns_by_id: 'ids of turns, removed with each turn',
  users: 'the row itself, which the erasure deletes',
}

const CACHE_WITHOUT_USERS: Readonly<Record<string, string>> = {
  sqlite_sequence: 'counters of SQLite',
  listeners_1: 'processes',
  instances_1: 'processes; the users of their live runtimes are sealed, and gone with the next heartbeat',
  messages_1: 'messages, dropped by the purge',
  answers_2: 'owners are keyed hashes; wiped with their scope',
  answer_segments_2: 'sums of a namespace',
  answer_namespaces_2: 'generations of a namespace',
  answer_scopes_2: 'owners are keyed hashes; kept to end a generation',
}

interface Column {
  readonly name: string
  readonly type: string
}

function tablesOf(database: DatabaseSync): readonly string[] {
  return database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => String(name))
}

function columnsOf(database: DatabaseSync, table: string): readonly Column[] {
  return database.prepare(`PRAGMA table_info(${table})`).all() as unknown as Column[]
}

/** Inserts rows of a user into a table, with a value for every column. */
function fill(database: DatabaseSync, table: string, owner: Readonly<Record<string, number | string | null>>): void {
  const columns = columnsOf(database, table)
  const insert = database.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.map(({ name }) => name).join()}) VALUES (${columns.map(() => '?').join()})`,
  )
  for (let row = 1; row <= 3; row++)
    insert.run(
      ...columns.map(({ name, type }) =>
        name in owner ? (owner[name] ?? null) : type === 'TEXT' ? `canary ${row}` : 9_000_000 + row,
      ),
    )
}

/** The tables in which an erasure leaves something of the user, and those that are not known to this test. */
async function findUnwiped(migration = ''): Promise<string[]> {
  const path = temporaryPath()
  const user: Subject = { namespace: NAMESPACE, id: 'erased' }
  const store = await openSqliteStore({ path, effects: handClock() })
  await mustCommit(store, user, withEvents(1, 1))
  await store.lastGood.open({ user, section: 'x', incarnation: 1 }, 'x', 10)
  using main = new DatabaseSync(path)
  using cache = new DatabaseSync(cachePath(path))
  main.exec(migration)
  const uid = Number(main.prepare('SELECT uid FROM users WHERE id = ?').get(user.id)?.uid)
  const found: string[] = []
  const tables: (readonly [database: DatabaseSync, table: string, where: string])[] = []
  for (const table of tablesOf(main).filter((name) => WITHOUT_USERS[name] === undefined)) {
    if (!columnsOf(main, table).some(({ name }) => name === 'uid')) found.push(`${table}: without uid`)
    else tables.push([main, table, `uid = ${uid}`])
  }
  for (const table of tablesOf(cache).filter((name) => CACHE_WITHOUT_USERS[name] === undefined)) {
    const names = columnsOf(cache, table).map(({ name }) => name)
    if (!(names.includes('id') && names.includes('namespace'))) found.push(`${table}: without namespace and id`)
    else tables.push([cache, table, `namespace = '${user.namespace}' AND id = '${user.id}'`])
  }
  for (const [database, table, where] of tables) {
    fill(database, table, {
      uid,
      namespace: user.namespace,
      id: table.startsWith('events') ? `${uid}` : user.id,
      sums: null,
    })
    const rows = database.prepare(`SELECT count(*) AS rows FROM ${table} WHERE ${where}`).get()?.rows
    assert.ok(Number(rows) > 0, `${table} was not filled`)
  }
  await store.users.erase(user, await createErasure(store, user))
  await store.users.purge()
  for (const [database, table, where] of tables) {
    const rows = Number(database.prepare(`SELECT count(*) AS rows FROM ${table} WHERE ${where}`).get()?.rows)
    if (rows > 0) found.push(`${table}: ${rows} rows left`)
  }
  if (Number(main.prepare('SELECT count(*) AS rows FROM purges').get()?.rows) > 0) found.push('purges: not finished')
  await store.close()
  return found
}

test('an erasure wipes every table with rows of users', async () => {
  assert.deepEqual(await findUnwiped(), [])
})

test('a migration that adds a table of users without wiping it is found', async () => {
  const columns = 'uid INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (uid, name)'
  assert.deepEqual(await findUnwiped(`CREATE TABLE extras (${columns}) STRICT`), ['extras: 3 rows left'])
  assert.deepEqual(await findUnwiped('CREATE TABLE extras (user TEXT NOT NULL) STRICT'), ['extras: without uid'])
})
