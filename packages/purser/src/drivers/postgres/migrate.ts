import type { PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg'
import { PurserError } from '../../errors.ts'
import type { Connection } from './connection.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** Of each statement of a migration, with the wait for that of another process: an index on many rows takes long. */
const TIMEOUT_MS = 600_000

/** Creates the schema, or migrates it, in one transaction. One process at a time. */
export async function migrate(
  client: PoolClient,
  { schema }: Pick<Connection, 'schema'>,
  migrations: readonly string[] = MIGRATIONS,
): Promise<void> {
  if ((await readVersion(client, schema)) === migrations.length) return
  // A migration has several statements, which a query with parameters may not have.
  const run = <Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<Row>> =>
    client.query<Row>({ text, query_timeout: TIMEOUT_MS, ...(values && { values }) } as QueryConfig)
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL statement_timeout = ${TIMEOUT_MS}`)
    await run("SELECT pg_advisory_xact_lock(hashtextextended('purser schema ' || $1, 0))", [schema])
    // Not IF NOT EXISTS, which needs the privilege also when the schema exists.
    const named = await run<{ exists: boolean }>('SELECT to_regnamespace($1) IS NOT NULL AS exists', [schema])
    if (named.rows[0]?.exists !== true) await run(`CREATE SCHEMA ${schema}`)
    await run(`CREATE TABLE IF NOT EXISTS ${schema}.version (version int NOT NULL)`)
    const version = await readVersion(client, schema)
    for (const migration of migrations.slice(version)) await run(migration.replaceAll('$S', schema))
    await run(`DELETE FROM ${schema}.version`)
    await run(`INSERT INTO ${schema}.version (version) VALUES ($1)`, [migrations.length])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function readVersion(client: PoolClient, schema: string): Promise<number> {
  const known = await client.query<{ table: string | null }>('SELECT to_regclass($1) AS table', [`${schema}.version`])
  if (known.rows[0]?.table === null) return 0
  const { rows } = await client.query<{ version: number }>(`SELECT version FROM ${schema}.version`)
  const version = rows[0]?.version ?? 0
  if (version > MIGRATIONS.length) throw newerSchema(version)
  return version
}

function newerSchema(found: number): PurserError {
  const known = MIGRATIONS.length
  return new PurserError(
    'store_newer',
    `The store has schema version ${found}; this version of Purser supports versions up to ${known}.`,
    {
      hint: 'Use a version of Purser that is at least as new as the one that wrote the store.',
      details: { found, known },
    },
  )
}
