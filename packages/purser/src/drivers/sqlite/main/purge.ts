import { statSync } from 'node:fs'
import { sleep } from '../../../core/abort.ts'
import { systemEffects } from '../../../core/effects.ts'
import type { Subject } from '../../../core/subject.ts'
import type { CacheWriter } from '../cache/cache-writer.ts'
import type { Database } from '../database.ts'
import { PENDING_REWRITE } from './wipe.ts'
import type { Writer } from './writer.ts'

/*
 * Wiping what an erased user has left, so that no byte of it is in any file.
 *
 * 1. Rows are deleted in slices, so that nobody waits long for the disk. Deleted rows are overwritten
 *    (`secure_delete`). What is not done yet stands in a table, and the next start goes on where a crash ended.
 * 2. When pages were split or merged, SQLite has moved rows and left copies in the unused parts of pages. Only
 *    writing the file anew (VACUUM) removes them. It is done by the writers of the files while their other writes
 *    wait, and so only for files of a moderate size.
 * 3. Older copies of pages are in the write-ahead log until it is cut to nothing, which readers can hold up.
 *
 * That 2 and 3 are still to do is a note as well.
 */

const SLICE_ROWS = 500
/** A file that is larger is not written anew: it would hold up writes for seconds. The receipt then says so. */
const VACUUM_MAX_BYTES = 268_435_456
const TRUNCATE_ATTEMPTS = 20
const TRUNCATE_PAUSE_MS = 50
/** When it could not be finished, it is tried again this much later, until it works. */
const LATER_MS = 1_000

export interface PurgeDeps {
  readonly main: Database
  readonly cache: Database
  readonly writer: Writer
  readonly cacheWriter: CacheWriter
  /** Removes what the second file keeps of an erased user. Safe to repeat. */
  eraseElsewhere(user: Subject, tag: string): Promise<void>
}

export interface Purge {
  /** Wipes everything that is noted; true when no byte of it is left in any file. */
  run(): Promise<boolean>
  /** Waits for the step under way and starts no other. */
  close(): Promise<void>
}

export function createPurge({ main, cache, writer, cacheWriter, eraseElsewhere }: PurgeDeps): Purge {
  const first = main.prepare('SELECT purge, uid, namespace, tag, id FROM purges ORDER BY purge LIMIT 1')
  const getNote = main.prepare('SELECT value FROM meta WHERE name = ?')
  const note = (): unknown => getNote.get(PENDING_REWRITE)?.value
  let running: Promise<boolean> = Promise.resolve(true)
  let closed = false
  let cancelLater: (() => void) | undefined

  async function purge(): Promise<boolean> {
    for (let next = first.get(); next !== undefined; next = first.get()) {
      const { purge, uid, namespace, tag, id } = next
      for (let rows = SLICE_ROWS; rows === SLICE_ROWS; ) {
        if (closed) return false
        rows = uid === null ? 0 : await writer.call('wipe', Number(uid), SLICE_ROWS)
      }
      await eraseElsewhere({ namespace: String(namespace), id: String(id) }, String(tag))
      await writer.call('endPurge', Number(purge))
    }
    return note() === undefined || clean()
  }

  /** Writes the files anew, once, then cuts their logs. */
  async function clean(): Promise<boolean> {
    // News of the erased name them. Whoever has not heard it yet is told that something is missing.
    await cacheWriter.call('dropMessages')
    const isWhole = note() === 'cut' || (await rewrite())
    if (isWhole) await writer.call('noteUnclean', 'cut')
    if (!(await cutLogs())) {
      later()
      return false
    }
    if (isWhole) await writer.call('noteUnclean', null)
    return isWhole
  }

  async function rewrite(): Promise<boolean> {
    const small = [main, cache].filter((file) => statSync(file.path).size <= VACUUM_MAX_BYTES)
    if (small.includes(main)) await writer.call('vacuum')
    if (small.includes(cache)) await cacheWriter.call('vacuum')
    return small.length === 2
  }

  async function cutLogs(): Promise<boolean> {
    for (let attempt = 1; attempt <= TRUNCATE_ATTEMPTS && !closed; attempt++) {
      // Both in each round: a reader of one must not keep the other from being cut.
      const cut = await Promise.all([writer.call('truncateLog'), cacheWriter.call('truncateLog')])
      if (!cut.includes(false)) return true
      await sleep(systemEffects, TRUNCATE_PAUSE_MS)
    }
    return false
  }

  function later(): void {
    cancelLater?.()
    if (closed) return
    cancelLater = systemEffects.setTimer(() => void run().catch(() => false), LATER_MS, { background: true })
  }

  /** One at a time; whoever asks meanwhile waits for the next round, which sees their note. */
  function run(): Promise<boolean> {
    running = running.catch(() => false).then(() => (closed ? false : purge()))
    running.catch(later)
    return running
  }

  return {
    run,
    async close() {
      closed = true
      cancelLater?.()
      await running.catch(() => false)
    },
  }
}
