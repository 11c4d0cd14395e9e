import { realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemEffects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'

/*
 * Notices that a database, its log or its index was deleted or replaced while it is open. SQLite goes on writing to the
 * deleted file, and a commit that is acknowledged then is lost with the process.
 */

/** Device and inode of a file; undefined when there is none. */
export type FileIdentity = string | undefined

/** Throws `store_unavailable` when the files are not those that were opened. Call it after a commit. */
export type FileGuard = () => void

/** After a change of the directory, the files are compared for this long: times of a file system are coarse. */
const SETTLE_MS = 100

export function identityOf(path: string): FileIdentity {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats && `${stats.dev}:${stats.ino}`
}

/**
 * One look at the directory, which changes with every deletion and renaming in it; the files are compared only then.
 *
 * @param identity of the database when the store was opened
 */
export function createFileGuard(path: string, identity: FileIdentity): FileGuard {
  const real = realpathSync(path)
  const directory = dirname(real)
  /** SQLite makes them with the first write, and keeps them while the file is open. */
  const sideFiles = new Map<string, FileIdentity>([
    [`${real}-wal`, undefined],
    [`${real}-shm`, undefined],
  ])
  let lastChange: unknown
  let settledAt = 0
  let isWhole = false

  function compare(): boolean {
    if (identityOf(path) !== identity) return false
    for (const [file, known] of sideFiles) {
      const found = identityOf(file)
      if (known === undefined) sideFiles.set(file, found)
      else if (found !== known) return false
    }
    return true
  }

  return () => {
    const stats = statSync(directory, { throwIfNoEntry: false })
    const change = stats?.mtimeMs
    const now = systemEffects.monotonic()
    if (change !== lastChange) {
      lastChange = change
      settledAt = now + SETTLE_MS
    } else if (isWhole && now > settledAt) return
    isWhole = compare()
    if (isWhole) return
    throw new PurserError('store_unavailable', 'The files of the store were deleted or replaced while it was open.', {
      hint: 'Put the same files back, or stop the server, restore a backup and start again.',
      details: { path },
    })
  }
}
