import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { PurserError } from '../../errors.ts'
import { holdsRootKey } from '../../storage/root-key.ts'
import type { MetaStore } from '../../storage/store.ts'

/**
 * The secret key of a database whose operator gave none: a file beside it that only its owner can read. A database
 * that already has a root key and lost its key file is not given a new one, which could not open it.
 */
export async function readOrCreateKeyFile(databasePath: string, meta: MetaStore): Promise<string> {
  const path = `${databasePath}.key`
  const present = await readIfThere(path)
  if (present !== undefined) return present
  if (await holdsRootKey(meta)) {
    throw new PurserError('secret_key_wrong', `The key file ${path} is missing.`, {
      hint: 'Put the key file back beside the database, or give the key as secretKey.',
    })
  }
  const key = randomBytes(32).toString('base64')
  try {
    await writeFile(path, `${key}\n`, { mode: 0o600, flag: 'wx' })
    return key
  } catch (cause) {
    // Another process was first: its key is the one.
    const theirs = await readIfThere(path)
    if (theirs !== undefined && theirs !== '') return theirs
    throw new PurserError('store_unavailable', `The key file ${path} cannot be written.`, {
      hint: 'Make its folder writable, or give the key as secretKey.',
      cause,
    })
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new PurserError('store_unavailable', `The key file ${path} cannot be read.`, { cause: error })
  }
}
