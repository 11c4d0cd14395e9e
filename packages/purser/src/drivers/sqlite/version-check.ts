import { DatabaseSync } from 'node:sqlite'
import { PurserError } from '../../errors.ts'

/**
 * Refuses versions of SQLite and of node:sqlite that are known to lose data, which cannot be prevented from outside.
 *
 * - SQLite 3.7.0 to 3.51.2: two connections that write and checkpoint may reset the write-ahead log while it is in use
 *   and corrupt the database. Fixed in 3.51.3, and in 3.50.7 and 3.44.6 for those lines.
 * - node:sqlite before Node.js 24.16 and 26.1 truncates text at a NUL when it is read, so that two keys become one.
 *
 * Checks the library that is loaded, which need not be the one that Node.js was built with.
 */
export function requireSafeVersion(probe: Probe = probeSqlite()): void {
  const details = { sqlite: probe.version, node: process.versions.node }
  if (hasLogResetBug(probe.version)) {
    throw new PurserError(
      'store_unsafe',
      `SQLite ${probe.version} can corrupt a database that two connections write to.`,
      {
        hint: 'Use Node.js 24.16 or a later 24, or 26.1 or later; they include SQLite 3.51.3 or later.',
        details,
      },
    )
  }
  if (!probe.keepsNul) {
    throw new PurserError('store_unsafe', `node:sqlite of Node.js ${process.versions.node} truncates text at a NUL.`, {
      hint: 'Use Node.js 24.16 or a later 24, or 26.1 or later.',
      details,
    })
  }
}

export interface Probe {
  /** The version of the library that is loaded. */
  readonly version: string
  /** True when text that contains a NUL is read as it was written. */
  readonly keepsNul: boolean
}

function probeSqlite(): Probe {
  using database = new DatabaseSync(':memory:')
  const text = 'a\0b'
  const row = database.prepare('SELECT sqlite_version() AS version, ? AS text').get(text)
  return { version: String(row?.version), keepsNul: row?.text === text }
}

function hasLogResetBug(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  if (major !== 3) return major < 3
  if (minor === 44) return patch < 6
  if (minor === 50) return patch < 7
  return minor < 51 || (minor === 51 && patch < 3)
}
