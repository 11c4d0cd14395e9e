import type { DatabaseSync } from 'node:sqlite'
import { PurserError } from '../../errors.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** Marks a file as Purser's own: the bytes "PURS". */
const APPLICATION_ID = 0x50555253

/**
 * Migrates the schema to the latest version in one transaction: a crash leaves the old schema or the new one. Refuses a
 * file that was written by a newer Purser, and one that belongs to another program.
 */
export function migrate(connection: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  if (readVersion(connection) === migrations.length) return
  connection.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have migrated meanwhile, so the version is read again under the lock.
    const version = readVersion(connection)
    if (version > migrations.length) throw newerSchema(version, migrations.length)
    if (version === 0 && hasTables(connection)) throw foreignDatabase()
    for (const migration of migrations.slice(version)) connection.exec(migration)
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`)
    connection.exec('COMMIT')
  } catch (error) {
    if (connection.isTransaction) connection.exec('ROLLBACK')
    throw error
  }
}

function readVersion(connection: DatabaseSync): number {
  const version = Number(connection.prepare('PRAGMA user_version').get()?.user_version)
  const owner = Number(connection.prepare('PRAGMA application_id').get()?.application_id)
  if (version > 0 && owner !== APPLICATION_ID) throw foreignDatabase()
  return version
}

function hasTables(connection: DatabaseSync): boolean {
  return connection.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined
}

function newerSchema(found: number, known: number): PurserError {
  return new PurserError(
    'store_newer',
    `The store has schema version ${found}; this version of Purser supports versions up to ${known}.`,
    {
      hint: 'Use a version of Purser that is at least as new as the one that wrote the store.',
      details: { found, known },
    },
  )
}

function foreignDatabase(): PurserError {
  return new PurserError('option_invalid', 'The file is a SQLite database of another program.', {
    hint: 'Use a separate file for the store.',
  })
}
