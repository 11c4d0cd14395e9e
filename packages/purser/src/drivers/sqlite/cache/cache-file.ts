import { rmSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { prepareMessageWrites } from '../bus/message-queue.ts'
import { type Database, openDatabase, retryWhileBusy } from '../database.ts'
import { isCorrupt, isUnsupportedFormat } from '../errors.ts'
import type { CacheWriterCalls } from '../worker/threads.ts'
import { prepareAnswerWrites } from './answer-writes.ts'
import { prepareInstanceWrites } from './instances.ts'
import { prepareLastGoodWrites } from './last-good.ts'

/** The `user_version` of a file in which damage was found while it was in use. */
const DAMAGED = -1

/** The path of the cache file, beside the database: `purser.db` → `purser-cache.db`. */
export function cachePath(path: string): string {
  const extension = extname(path)
  return join(dirname(path), `${basename(path, extension)}-cache${extension || '.db'}`)
}

/** Opens the cache file and creates its tables. A damaged file is replaced by an empty one: its data is rebuildable. */
export async function openCache(path: string): Promise<Database> {
  try {
    const database = await openAndPrepare(path)
    if (database.prepare('PRAGMA user_version').get()?.user_version !== DAMAGED) return database
    await database.close()
  } catch (error) {
    if (!isCorrupt(error) && !isUnsupportedFormat(error)) throw error
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  return openAndPrepare(path)
}

async function openAndPrepare(path: string): Promise<Database> {
  const database = await openDatabase({ path, profile: 'rebuildable' })
  try {
    // Preparing every statement finds damage in the schema.
    await retryWhileBusy(path, () => createCacheWriterCalls(database))
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** The functions of the cache writer's thread. Creates the tables. */
export function createCacheWriterCalls(cache: Database): CacheWriterCalls {
  return {
    truncateLog: cache.truncateLog,
    vacuum: cache.vacuum,
    close: cache.close,
    ...prepareAnswerWrites(cache),
    ...prepareLastGoodWrites(cache),
    ...prepareMessageWrites(cache),
    ...prepareInstanceWrites(cache),
    markDamaged: () => cache.connection.exec(`PRAGMA user_version = ${DAMAGED}`),
  }
}
