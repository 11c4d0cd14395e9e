import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { PurserError } from '../../errors.ts'
import { hasRootKey } from '../../storage/root-key.ts'
import type { MetaStore } from '../../storage/store.ts'

/**
 * Reads the secret key of a database without a configured `secretKey` from a file beside it with mode 0600, or creates
 * the file. A database that has a root key but no key file gets no new key, since a new key could not open it.
 */
export async function readOrCreateKeyFile(databasePath: string, meta: MetaStore): Promise<string> {
  const path = `${databasePath}.key`
  const existing = await readIfExists(path)
  if (existing !== undefined) return existing
  if (await hasRootKey(meta)) {
    throw new PurserError('secret_key_wrong', `The key file ${path} is missing.`, {
      hint: 'Restore the key file beside the database, or set secretKey.',
    })
  }
  const key = randomBytes(32).toString('base64')
  try {
    await writeFile(path, `${key}\n`, { mode: 0o600, flag: 'wx' })
    return key
  } catch (cause) {
    // Another process may have created the file first. Its key is used.
    const created = await readIfExists(path)
    if (created !== undefined && created !== '') return created
    throw new PurserError('store_unavailable', `The key file ${path} cannot be written.`, {
      hint: 'Make its directory writable, or set secretKey.',
      cause,
    })
  }
}

/**
 * Throws `store_unavailable` when there is a key file and no database: the database was deleted or moved, and a new one
 * would hide that.
 */
export function requireDatabaseOfKey(databasePath: string): void {
  if (existsSync(databasePath) || !existsSync(`${databasePath}.key`)) return
  throw new PurserError('store_unavailable', `The database ${databasePath} is missing, but its key file exists.`, {
    hint: `Restore the database beside its key, or move ${databasePath}.key away to start with a new store.`,
  })
}

async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new PurserError('store_unavailable', `The key file ${path} cannot be read.`, { cause: error })
  }
}
