import { statSync } from 'node:fs'
import { systemEffects } from '../../effects.ts'
import type { Subject } from '../../identity.ts'
import type { Database } from './database.ts'
import type { Reader } from './reader.ts'

/*
 * Wiping what an erased user has left, so that no byte of it is in any file.
 *
 * 1. Rows are deleted in slices, so that nobody waits long for the disk. Deleted rows are overwritten
 *    (`secure_delete`). What is not done yet stands in a table, and the next start goes on where a crash ended.
 * 2. When pages were split or merged, SQLite has moved rows and left copies in the unused parts of pages. Only
 *    writing the file anew (VACUUM) removes them. It is done on the reader's thread while other writes wait, and so
 *    only for files of a moderate size.
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

/** Name in `meta` of the note what is still to do with the files: `rewrite` them, then `cut` their logs. */
const UNCLEAN = 'unclean'

export interface PurgeHouse {
  readonly main: Database
  readonly cache: Database
  readonly reader: Reader
  /** Removes what the second file keeps of an erased user. Safe to repeat. */
  eraseElsewhere(user: Subject, tag: string): Promise<void>
}

export interface Purge {
  /** Wipes everything that is noted; true when no byte of it is left in any file. */
  run(): Promise<boolean>
  /** Waits for the step under way and starts no other. */
  close(): Promise<void>
}

export function createPurge({ main, cache, reader, eraseElsewhere }: PurgeHouse): Purge {
  const first = main.prepare('SELECT purge, uid, namespace, tag, id FROM purges ORDER BY purge LIMIT 1')
  const done = main.prepare('DELETE FROM purges WHERE purge = ?')
  const getNote = main.prepare('SELECT value FROM meta WHERE name = ?')
  const setNote = main.prepare(
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const dropNote = main.prepare('DELETE FROM meta WHERE name = ?')
  const note = (): unknown => getNote.get(UNCLEAN)?.value
  const slices = [
    'DELETE FROM events WHERE position IN (SELECT position FROM events WHERE uid = ? LIMIT ?)',
    'DELETE FROM records WHERE uid = ?1 AND (kind, name) IN (SELECT kind, name FROM records WHERE uid = ?1 LIMIT ?2)',
    'DELETE FROM replies WHERE uid = ?1 AND key IN (SELECT key FROM replies WHERE uid = ?1 LIMIT ?2)',
  ].map(main.prepare)
  let running: Promise<boolean> = Promise.resolve(true)
  let closed = false
  let cancelLater: (() => void) | undefined

  async function purge(): Promise<boolean> {
    for (let next = first.get(); next !== undefined; next = first.get()) {
      const { purge, uid, namespace, tag, id } = next
      for (const slice of slices) {
        for (let rows = SLICE_ROWS; rows === SLICE_ROWS; ) {
          if (closed) return false
          rows = uid === null ? 0 : await main.write(() => Number(slice.run(Number(uid), SLICE_ROWS).changes))
        }
      }
      await eraseElsewhere({ namespace: String(namespace), id: String(id) }, String(tag))
      await main.write(() => {
        setNote.run(UNCLEAN, 'rewrite')
        done.run(Number(purge))
      })
    }
    return note() === undefined || clean()
  }

  /** Writes the files anew, once, then cuts their logs. */
  async function clean(): Promise<boolean> {
    const isWhole = note() === 'cut' || (await rewrite())
    if (isWhole) await main.write(() => setNote.run(UNCLEAN, 'cut'))
    if (!(await cutLogs())) {
      later()
      return false
    }
    if (isWhole) await main.write(() => dropNote.run(UNCLEAN))
    return isWhole
  }

  async function rewrite(): Promise<boolean> {
    let isWhole = true
    for (const file of [main, cache]) {
      if (statSync(file.path).size > VACUUM_MAX_BYTES) isWhole = false
      else await file.alone(() => reader.call('vacuum', file.path))
    }
    return isWhole
  }

  async function cutLogs(): Promise<boolean> {
    for (let attempt = 1; attempt <= TRUNCATE_ATTEMPTS && !closed; attempt++) {
      // Both in each round: a reader of one must not keep the other from being cut.
      const cut = [main.truncateLog(), cache.truncateLog()]
      if (!cut.includes(false)) return true
      await new Promise<void>((resume) => systemEffects.setTimer(resume, TRUNCATE_PAUSE_MS))
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
