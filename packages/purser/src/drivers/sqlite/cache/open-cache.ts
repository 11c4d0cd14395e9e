import { rmSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { type Database, openDatabase, untilFree } from '../database.ts'
import { isDamage, isStrangeFormat } from '../errors.ts'
import { DAMAGED } from './cache-writer.ts'

/** Where what can be rebuilt is kept: beside the database, `purser.db` → `purser-cache.db`. */
export function cachePath(path: string): string {
  const extension = extname(path)
  return join(dirname(path), `${basename(path, extension)}-cache${extension || '.db'}`)
}

/**
 * Opens the second file. One that is damaged is thrown away and made anew: all in it can be had again. `tryOut` makes
 * the tables and prepares the statements of those who use the file, which finds damage in its description.
 */
export async function openCache(path: string, tryOut: (database: Database) => void): Promise<Database> {
  try {
    const database = await openAndLook(path, tryOut)
    if (database.prepare('PRAGMA user_version').get()?.user_version !== DAMAGED) return database
    await database.close()
  } catch (error) {
    if (!isDamage(error) && !isStrangeFormat(error)) throw error
  }
  for (const ending of ['', '-wal', '-shm']) rmSync(`${path}${ending}`, { force: true })
  return openAndLook(path, tryOut)
}

async function openAndLook(path: string, tryOut: (database: Database) => void): Promise<Database> {
  const database = await openDatabase({ path, profile: 'rebuildable' })
  try {
    await untilFree(path, () => tryOut(database))
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}
