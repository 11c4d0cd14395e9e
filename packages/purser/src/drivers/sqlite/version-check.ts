import { DatabaseSync } from 'node:sqlite'
import { PurserError } from '../../errors.ts'

/**
 * Some builds of SQLite are known to lose data, and nothing can be done about it from outside.
 *
 * - 3.7.0 to 3.51.2: two connections that write and checkpoint may reset the write-ahead log while it is in use and
 *   corrupt the database. Mended in 3.51.3, and in 3.50.7 and 3.44.6 for those lines.
 * - node:sqlite before Node.js 24.16 and 26.1 cuts text at a NUL when it is read, so that two keys become one.
 *
 * What counts is the library that runs, which need not be the one Node.js was built with.
 */
export function requireSafeVersion(probe: Probe = probeBuild()): void {
  if (hasLogResetBug(probe.version)) {
    throw new PurserError(
      'store_unsafe',
      `SQLite ${probe.version} can corrupt a database that two connections write.`,
      {
        hint: 'Use Node.js 24.16 or later of 24, or 26.1 or later, which bring SQLite 3.51.3 or later.',
        details: { sqlite: probe.version, node: process.versions.node },
      },
    )
  }
  if (!probe.keepsNul) {
    throw new PurserError('store_unsafe', `node:sqlite of Node.js ${process.versions.node} cuts text at a NUL.`, {
      hint: 'Use Node.js 24.16 or later of 24, or 26.1 or later.',
      details: { sqlite: probe.version, node: process.versions.node },
    })
  }
}

export interface Probe {
  /** Of the library that runs. */
  readonly version: string
  /** Text with a NUL in it comes back as it was. */
  readonly keepsNul: boolean
}

function probeBuild(): Probe {
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
