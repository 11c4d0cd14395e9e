import { existsSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import type { Config } from '../config/load.ts'
import { NotFoundError, UsageError } from './command.ts'

/** The files of an SQLite store, by the path of its database. */
export interface StoreFiles {
  readonly database: string
  /** What can be rebuilt. */
  readonly cache: string
  /** The secret key, where the operator gave none. */
  readonly key: string
}

/** What SQLite keeps beside a database while it is in use, or after a crash. */
export const SIDE_FILES = ['-wal', '-shm', '-journal'] as const

/** The files of the configured store; a usage error when it is not one of files. */
export function storeFiles({ store }: Config, what: string): StoreFiles {
  if (!store.startsWith('sqlite:')) {
    throw new UsageError(`A ${what} needs a store in a file: --store sqlite:PATH. This one is '${store}'.`)
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

/** The path of a store in a file that nobody has made yet; opening it would. */
export function absentStore(config: Config): string | undefined {
  if (!config.store.startsWith('sqlite:')) return undefined
  const { database } = storeFiles(config, 'look')
  return existsSync(database) ? undefined : database
}

/** For whoever wants what is in a store, and not an empty one at a path that was mistyped. */
export function requireStore(config: Config): void {
  const absent = absentStore(config)
  if (absent !== undefined) throw new NotFoundError(`There is no store at ${absent}.`)
}
