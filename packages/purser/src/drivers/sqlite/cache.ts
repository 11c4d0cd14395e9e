import { rmSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { type Database, openDatabase } from './database.ts'
import { isDamage } from './faults.ts'

/** Where what can be rebuilt is kept: beside the database, `purser.db` → `purser-cache.db`. */
export function cachePath(path: string): string {
  const extension = extname(path)
  return join(dirname(path), `${basename(path, extension)}-cache${extension || '.db'}`)
}

/** Opens the second file. One that is damaged is thrown away and made anew: all in it can be had again. */
export async function openCache(path: string): Promise<Database> {
  try {
    return await openAndLook(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    for (const ending of ['', '-wal', '-shm']) rmSync(`${path}${ending}`, { force: true })
    return openAndLook(path)
  }
}

async function openAndLook(path: string): Promise<Database> {
  const database = await openDatabase({ path, profile: 'rebuildable' })
  try {
    await database.read(() => database.prepare('SELECT count(*) FROM sqlite_schema').get())
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}
