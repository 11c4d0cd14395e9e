import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient } from 'redis'
import { copyStore } from '../../src/copy-store.ts'
import { systemEffects } from '../../src/core/effects.ts'
import { postgresStore } from '../../src/drivers/postgres/index.ts'
import { ROW_SECTIONS } from '../../src/drivers/row-sections.ts'
import { openDatabase } from '../../src/drivers/sqlite/database.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { openPurser } from '../../src/purser/open-purser.ts'
import type { StoredRow } from '../../src/storage/row-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { noPostgres, sharedPostgres } from '../support/postgres-server.ts'
import { noRedis, sharedRedis } from '../support/redis-server.ts'
import { temporaryPath } from '../support/temporary-store.ts'

/*
 * What a copy of a store takes along. A table, a column, a key or a part of the port that is new fails here until it is
 * copied, or listed as what a store builds by itself.
 */

type Part = 'copied' | 'rebuilt' | 'no data'

/** A new part of the port has to be decided on. */
const PARTS: Readonly<Record<keyof Store, Part>> = {
  traits: 'no data',
  meta: 'copied',
  users: 'copied',
  events: 'copied',
  turns: 'copied',
  sums: 'copied',
  bus: 'no data',
  rows: 'no data',
  answers: 'rebuilt',
  lastGood: 'rebuilt',
  instances: 'rebuilt',
  backup: 'no data',
  inspect: 'no data',
  warnings: 'no data',
  close: 'no data',
}

/** Tables whose rows a store builds by itself. */
const REBUILT_TABLES: readonly string[] = [
  'version',
  'purges',
  'answers',
  'answer_generations',
  'answer_totals',
  'last_good',
  'instances',
  'turns_by_user',
  'turns_by_id',
  'turn_fold',
]
/** Of turns that are not folded yet, which a copy folds before it reads them. */
const EMPTY_COLUMNS: readonly string[] = ['turns.sums', 'turns.keep']
/** Columns that a database numbers. */
const NUMBERED_COLUMNS: readonly string[] = ['uid', 'position', 'part']

interface Column {
  readonly table: string
  readonly column: string
}

/** Columns that no section writes, of tables that are not listed as rebuilt. */
function findForgotten(columns: readonly Column[]): string[] {
  const copied = new Set(
    ROW_SECTIONS.flatMap(({ from, columns: names }) => {
      const [table = ''] = from.split(' ')
      return names.map((name) => {
        const column = /^(?:CAST\()?([\w.]+)/.exec(name)?.[1] ?? ''
        return column.includes('.') ? column : `${table}.${column}`
      })
    }),
  )
  return (
    columns
      .filter(({ table, column }) => !REBUILT_TABLES.includes(table) && !NUMBERED_COLUMNS.includes(column))
      // The namespace of rows of users is that of the user.
      .filter(({ table, column }) => !(column === 'namespace' && copied.has('users.namespace') && isOfUser(table)))
      .map(({ table, column }) => `${table}.${column}`)
      .filter((name) => !(copied.has(name) || EMPTY_COLUMNS.includes(name)))
  )
}

const isOfUser = (table: string): boolean =>
  ROW_SECTIONS.some(({ from }) => from.startsWith(`${table} `) && from.includes('JOIN users'))

test('every part of the storage port with data is copied or rebuilt', async () => {
  await using store = await openClosable()
  for (const name of Object.keys(store.opened)) assert.ok(name in PARTS, `${name} is not in PARTS`)
})

async function openClosable(): Promise<AsyncDisposable & { readonly opened: Store }> {
  const opened = await openSqliteStore({ path: temporaryPath(), effects: systemEffects })
  return { opened, [Symbol.asyncDispose]: () => opened.close() }
}

test('a copy takes every table and column of SQLite along', async () => {
  const path = temporaryPath()
  const store = await openSqliteStore({ path, effects: systemEffects })
  await store.close()
  const database = await openDatabase({ path, profile: 'durable' })
  const rows = database.connection
    .prepare(
      `SELECT t.name AS "table", c.name AS "column" FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`,
    )
    .all() as unknown as Column[]
  await database.close()
  assert.ok(rows.length > 30)
  assert.deepEqual(findForgotten(rows), [])
  assert.deepEqual(findForgotten([...rows, { table: 'new_table', column: 'a' }]), ['new_table.a'])
})

test('a copy takes every table and column of PostgreSQL along', { skip: noPostgres }, async () => {
  const server = await sharedPostgres()
  const url = server.url()
  const store = postgresStore({ url })
  await store.meta.get('x')
  await store.close()
  const rows = (await server.query(`SELECT table_name AS table, column_name AS column FROM information_schema.columns
    WHERE table_schema = '${new URL(url).searchParams.get('schema')}' AND is_generated = 'NEVER'`)) as unknown as Column[]
  assert.ok(rows.length > 30)
  assert.deepEqual(findForgotten(rows), [])
})

describe('a copy into Redis', { skip: noRedis }, () => {
  const secretKey = Buffer.alloc(32, 5).toString('base64')

  /** Everything that calls of the product leave in the ledger. */
  async function fill(store: string): Promise<void> {
    await using purser = await openPurser({ store, secretKey, providers: { demo: { kind: 'demo' } } })
    for (const id of ['ann', 'bob', 'eve:x y']) {
      const user = purser.user(id)
      await user.ledger.admit({ cost: 1, idempotencyKey: 'one' })
      await user.ledger.observe({ phase: 'warm', riskLevel: 'high' }, { peaks: { joy: 0.5 } })
      await user.ledger.addNote('text', { actor: 'a', reason: 'r' })
      await user.profile.put({ name: id })
      await user.actions.record({ action: 'opened' })
      await user.runtime.setSecret('demo', { apiKey: 'secret' })
      const turn = await user.turn({ messages: [{ role: 'user', content: 'Hi' }] }, { override: { provider: 'demo' } })
      if (turn.allowed) await turn.completion()
    }
    await purser.user('bob').ledger.block({ actor: 'a', reason: 'r' })
    await purser.user('gone').ledger.observe({ phase: 'warm' })
    await purser.user('gone').erase({ actor: 'a', reason: 'r' })
  }

  /** The values of all keys of a ledger by their names without the prefix. */
  async function readLedger(url: string): Promise<Map<string, unknown>> {
    const prefix = new URL(url).searchParams.get('prefix') ?? ''
    const client = createClient({ url: `redis://${new URL(url).host}`, RESP: 2 })
    await client.connect()
    const ledger = new Map<string, unknown>()
    for (const key of await client.keys(`${prefix}:*/ledger}*`)) {
      const type = await client.type(key)
      assert.ok(type === 'hash' || type === 'zset', `${key} is a ${type}`)
      const value =
        type === 'hash'
          ? Object.entries(await client.hGetAll(key)).filter(([field]) => !UNCOPIED_FIELDS.includes(field))
          : (await client.zRangeWithScores(key, 0, -1)).map(({ value: member, score }) => [member, score])
      ledger.set(
        key.slice(prefix.length),
        value.toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
      )
    }
    client.destroy()
    return ledger
  }

  /** What recognizes repeated commits; the last position, since positions are counted anew. */
  const UNCOPIED_FIELDS = ['commits', 'erasure', 'position']

  test('gives every key of the ledger the value it had in another Redis', async () => {
    const server = await sharedRedis()
    const [from, middle, to] = [server.url(), `sqlite:${temporaryPath()}`, server.url()]
    await fill(from)
    await copyStore({ from, to: middle, secretKey })
    await copyStore({ from: middle, to, secretKey })
    const [expected, found] = [await readLedger(from), await readLedger(to)]
    assert.deepEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted())
    for (const [key, value] of expected) {
      if (/ledger}:(log|positions)$/.test(key)) continue
      assert.deepEqual(found.get(key), value, key)
    }
  })
})

test('the types of rows of the port are those of the tables', () => {
  const types: Readonly<Record<StoredRow['type'], true>> = {
    incarnation: true,
    user: true,
    record: true,
    reply: true,
    event: true,
    turn: true,
    user_sum: true,
    sum: true,
    meta: true,
  }
  assert.deepEqual(new Set(ROW_SECTIONS.map(({ type }) => type)), new Set(Object.keys(types)))
})
