import { existsSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { Config } from '../config/load.ts'
import { NotFoundError, UsageError } from './errors.ts'

/** The files of an SQLite store. */
export interface StoreFiles {
  readonly database: string
  /** Data that can be rebuilt. */
  readonly cache: string
  /** The secret key, when none is configured. */
  readonly key: string
}

/** Suffixes of the files that SQLite creates beside a database while it is open, and that remain after a crash. */
export const SIDE_FILES = ['-wal', '-shm', '-journal'] as const

/** The files of the configured store. Throws `UsageError` for a store that is not a file. */
export function getStoreFiles({ store }: Config): StoreFiles {
  if (!store.startsWith('sqlite:')) {
    throw new UsageError(
      `This command requires a store in a file (--store sqlite:PATH). The configured store is '${getStoreKind(store)}'.`,
    )
  }
  const database = resolve(store.slice('sqlite:'.length))
  const extension = extname(database)
  const name = basename(database, extension)
  return {
    database,
    cache: join(dirname(database), `${name}-cache${extension || '.db'}`),
    key: `${database}.key`,
  }
}

/** The scheme only: the rest may contain a password. */
function getStoreKind(store: string): string {
  return store.slice(0, store.indexOf(':') + 1)
}

/** The path of a file store that does not exist; opening it would create it. */
export function getMissingStore(config: Config): string | undefined {
  if (!config.store.startsWith('sqlite:')) return undefined
  const { database } = getStoreFiles(config)
  return existsSync(database) ? undefined : database
}

/** Throws `NotFoundError` for a store that does not exist, so that a mistyped path does not create an empty one. */
export function requireStore(config: Config): void {
  const missing = getMissingStore(config)
  if (missing !== undefined) throw new NotFoundError(`Store ${missing} not found.`)
}
