import type { DatabaseSync } from 'node:sqlite'
import { PurserError } from '../../errors.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** Marks a file as Purser's own: the bytes "PURS". */
const APPLICATION_ID = 0x50555253

/**
 * Brings the schema up to `migrations`, in one transaction: a crash leaves the old schema or the new one.
 * Refuses a file that a newer Purser has written, and one that belongs to another program.
 */
export function migrate(connection: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  if (versionOf(connection) === migrations.length) return
  connection.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have been faster, so the version counts that is seen under the lock.
    const version = versionOf(connection)
    if (version > migrations.length) throw newer(version, migrations.length)
    if (version === 0 && hasTables(connection)) throw foreign()
    for (const migration of migrations.slice(version)) connection.exec(migration)
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`)
    connection.exec('COMMIT')
  } catch (error) {
    if (connection.isTransaction) connection.exec('ROLLBACK')
    throw error
  }
}

function versionOf(connection: DatabaseSync): number {
  const version = Number(connection.prepare('PRAGMA user_version').get()?.user_version)
  const owner = Number(connection.prepare('PRAGMA application_id').get()?.application_id)
  if (version > 0 && owner !== APPLICATION_ID) throw foreign()
  return version
}

function hasTables(connection: DatabaseSync): boolean {
  return connection.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined
}

function newer(found: number, known: number): PurserError {
  return new PurserError('store_newer', `The store has schema version ${found}; this Purser knows ${known}.`, {
    hint: 'Start a Purser that is at least as new as the one that wrote the store.',
    details: { found, known },
  })
}

function foreign(): PurserError {
  return new PurserError('option_invalid', 'The file is a SQLite database of another program.', {
    hint: 'Give a path of its own to the store.',
  })
}
