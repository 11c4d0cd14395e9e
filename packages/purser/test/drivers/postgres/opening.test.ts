import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { postgresStore } from '../../../src/drivers/postgres/index.ts'
import { MIGRATIONS } from '../../../src/drivers/postgres/migrations/index.ts'
import { PurserError } from '../../../src/errors.ts'
import { openPurser } from '../../../src/purser/open-purser.ts'
import { createErasure, mustCommit, withEvents } from '../../../src/testing/store-contract/samples.ts'
import { noPostgres, sharedPostgres } from '../../support/postgres-server.ts'

const ann = { namespace: 'opening', id: 'ann' }
const schemaOf = (url: string): string => new URL(url).searchParams.get('schema') ?? ''

test('wrong options are refused before anything is connected', () => {
  const refused = (options: object): PurserError => {
    try {
      postgresStore(options as Parameters<typeof postgresStore>[0])
    } catch (error) {
      if (PurserError.is(error)) return error
    }
    throw new Error('Accepted.')
  }
  const url = 'postgres://purser@localhost/purser'
  assert.equal(refused({ url, schema: 'x' }).code, 'option_unknown')
  for (const wrong of ['mysql://h/d', 'text', `${url}?schema=A`, `${url}?schema=a"b`, `${url}?schema=`])
    assert.equal(refused({ url: wrong }).code, 'option_invalid', wrong)
  for (const maxConnections of [0, 1, 1.5, 1_001, '5'])
    assert.equal(refused({ url, maxConnections }).code, 'argument_invalid', String(maxConnections))
  for (const timeoutMs of [0, Number.POSITIVE_INFINITY, 600_001])
    assert.equal(refused({ url, timeoutMs }).code, 'argument_invalid', String(timeoutMs))
})

test('no password is shown, in the location or in an error', async () => {
  const url = 'postgres://ann:hunter2@127.0.0.1:1/db?schema=x&sslpassword=hunter3&password=hunter4'
  const store = postgresStore({ url, timeoutMs: 500 })
  assert.equal(store.traits.location, 'postgres://ann@127.0.0.1:1/db?schema=x')
  const error = await store.meta.get('a').catch((reason: unknown) => reason)
  assert.ok(PurserError.is(error, 'store_unavailable'))
  assert.ok(!error.message.includes('127.0.0.1'), 'API callers see the message')
  assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter/)
  await store.close()
})

test('a store in PostgreSQL needs a configured secret key', async () => {
  const opening = openPurser({ store: 'postgres://purser@127.0.0.1:1/purser' })
  await assert.rejects(opening, { code: 'option_invalid', message: 'This store needs a secretKey.' })
})

describe('opening a schema', { skip: noPostgres }, () => {
  test('processes that open a new schema at the same time create it once', async () => {
    const url = (await sharedPostgres()).url()
    const stores = Array.from({ length: 6 }, () => postgresStore({ url }))
    await Promise.all(stores.map((store, index) => mustCommit(store, { ...ann, id: `user ${index}` })))
    assert.equal((await stores[0]?.users.overview('opening'))?.users, 6)
    await Promise.all(stores.map((store) => store.close()))
  })

  test('a schema of a newer version is refused and unchanged', async () => {
    const server = await sharedPostgres()
    const url = server.url()
    const first = postgresStore({ url })
    await mustCommit(first, ann)
    await first.close()
    await server.query(`UPDATE ${schemaOf(url)}.version SET version = 99`)
    const store = postgresStore({ url })
    await assert.rejects(store.users.load(ann), { code: 'store_newer' })
    await server.query(`UPDATE ${schemaOf(url)}.version SET version = ${MIGRATIONS.length}`)
    assert.equal((await store.users.load(ann))?.revision, 1, 'opens again without a restart')
    await store.close()
  })

  test('a role that owns the schema needs no privilege on the database', async () => {
    const server = await sharedPostgres()
    const url = new URL(server.url())
    const schema = schemaOf(url.href)
    await server.query(`CREATE ROLE limited LOGIN; CREATE SCHEMA ${schema} AUTHORIZATION limited;
      REVOKE CREATE ON DATABASE postgres FROM PUBLIC`)
    url.username = 'limited'
    const store = postgresStore({ url: url.href })
    assert.equal(await mustCommit(store, ann), 1)
    await store.close()
  })

  test('a database that does not exist is said in the hint, and used once it exists', async () => {
    const server = await sharedPostgres()
    const url = new URL(server.url())
    url.pathname = '/later'
    const store = postgresStore({ url: url.href })
    await assert.rejects(mustCommit(store, ann), { code: 'store_unavailable', hint: /does not exist/ })
    await server.query('CREATE DATABASE later')
    assert.equal(await mustCommit(store, ann), 1)
    await store.close()
  })

  test('a schema of version 6 is migrated: lists, verification and erasure find what it had', async () => {
    const server = await sharedPostgres()
    const url = server.url()
    const fixture = readFileSync(new URL('../fixtures/postgres-6.sql', import.meta.url), 'utf8')
    await server.query(fixture.replaceAll('purser_fixture', schemaOf(url)))
    const now = Date.parse('2026-11-01T12:00:00Z')
    await using purser = await openPurser({
      store: url,
      secretKey: Buffer.alloc(32, 9).toString('base64'),
      ledger: { dailyCap: 10, phases: ['new', 'known'] },
      effects: { now: () => now },
    })
    const list = async (query: object): Promise<string> =>
      (await purser.users(query)).users.map(({ user }) => user).join(' ')
    assert.equal(await list({ orderBy: 'lastSeenAt', order: 'desc' }), 'eve bob ann joe')
    assert.equal(await list({ orderBy: 'capUsed', order: 'desc' }), 'eve bob ann joe')
    assert.equal(await list({ capUsed: 0.4, orderBy: 'capUsed', order: 'asc' }), 'bob eve')
    assert.equal(await list({ seenSince: '2026-11-01T10:03:30.000Z' }), 'bob eve')
    assert.equal((await purser.verify()).ok, true)
    await purser.user('bob').ledger.setTimeZone('Europe/Berlin')
    const { erased } = await purser.user('bob').erase({ actor: 'test', reason: 'asked' })
    assert.equal(erased.turns, 1)
    assert.equal(await list({}), 'ann eve joe')
  })

  test('an erasure removes the rows of the user from every table that has any', async () => {
    const server = await sharedPostgres()
    const url = server.url()
    const store = postgresStore({ url })
    await mustCommit(store, ann, {
      ...withEvents(1, 1),
      records: [{ kind: 'k', name: 'n', value: 'v' }],
      replies: [{ key: 'k', digest: 'd', result: 'r', expiresAt: 1 }],
      recorded: {
        turns: [{ id: 'turn', outcome: 'completed', value: 'v' }],
        userSums: [{ day: '2026-01-01', hour: 1, key: 'k', amounts: [1, 0, 0, 0, 0, 0, 0, 0] }],
        sums: [],
      },
    })
    const [{ uid } = {}] = await server.query(`SELECT uid FROM ${schemaOf(url)}.users WHERE id = 'ann'`)
    const columns = await server.query(`SELECT table_name FROM information_schema.columns
      WHERE table_schema = '${schemaOf(url)}' AND column_name = 'uid' ORDER BY 1`)
    const tables = columns.map((column) => String(column.table_name))
    const rowsOf = async (table: string): Promise<number> =>
      (await server.query(`SELECT 1 FROM ${schemaOf(url)}.${table} WHERE uid = ${uid}`)).length
    for (const table of tables) assert.equal(await rowsOf(table), 1, `${table} has no row to erase`)
    const erasure = await createErasure(store, ann)
    assert.equal((await store.users.erase(ann, erasure)).ok, true)
    for (const table of tables) assert.equal(await rowsOf(table), 0, table)
    await store.close()
  })
})
