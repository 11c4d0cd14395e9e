import { systemEffects } from '../../effects.ts'
import type { Subject } from '../../identity.ts'
import type { Database } from './database.ts'

/*
 * Wiping what an erased user has left. Deletions come in slices, so that nobody waits long for the disk; each slice
 * is a write of its own, and what is not done yet stands in a table, so that the next start goes on where a crash
 * ended. Deleted bytes are overwritten (`secure_delete`), but older copies of the pages are in the write-ahead log
 * until it is cut to nothing, which readers can hold up.
 */

const SLICE_ROWS = 500
const TRUNCATE_ATTEMPTS = 20
const TRUNCATE_PAUSE_MS = 50
/** When readers held the log all that time, it is tried again this much later, until it works. */
const LATER_MS = 1_000

export interface PurgeHouse {
  readonly main: Database
  readonly cache: Database
  /** Removes what the second file keeps of an erased user. Safe to repeat. */
  eraseElsewhere(user: Subject, tag: string): Promise<void>
}

export interface Purge {
  /** Wipes everything that is noted; true when no byte of it is left in any file. */
  run(): Promise<boolean>
  /** Waits for the slice under way and starts no other. */
  close(): Promise<void>
}

export function createPurge({ main, cache, eraseElsewhere }: PurgeHouse): Purge {
  const first = main.prepare('SELECT purge, uid, namespace, tag, id FROM purges ORDER BY purge LIMIT 1')
  const done = main.prepare('DELETE FROM purges WHERE purge = ?')
  const slices = [
    'DELETE FROM events WHERE position IN (SELECT position FROM events WHERE uid = ? LIMIT ?)',
    'DELETE FROM records WHERE uid = ?1 AND (kind, name) IN (SELECT kind, name FROM records WHERE uid = ?1 LIMIT ?2)',
    'DELETE FROM replies WHERE uid = ?1 AND key IN (SELECT key FROM replies WHERE uid = ?1 LIMIT ?2)',
  ].map(main.prepare)
  let running: Promise<boolean> = Promise.resolve(true)
  let closed = false
  let cancelLater: (() => void) | undefined

  async function wipe(): Promise<boolean> {
    for (let next = first.get(); next !== undefined; next = first.get()) {
      const { purge, uid, namespace, tag, id } = next
      for (const slice of slices) {
        for (let rows = SLICE_ROWS; rows === SLICE_ROWS; ) {
          if (closed) return false
          rows = uid === null ? 0 : await main.write(() => Number(slice.run(Number(uid), SLICE_ROWS).changes))
        }
      }
      await eraseElsewhere({ namespace: String(namespace), id: String(id) }, String(tag))
      await main.write(() => done.run(Number(purge)))
    }
    return cutLogs()
  }

  async function cutLogs(): Promise<boolean> {
    for (let attempt = 1; attempt <= TRUNCATE_ATTEMPTS && !closed; attempt++) {
      // Both in each round: a reader of one must not keep the other from being cut.
      const cut = [main.truncateLog(), cache.truncateLog()]
      if (!cut.includes(false)) return true
      await new Promise<void>((resume) => systemEffects.setTimer(resume, TRUNCATE_PAUSE_MS))
    }
    later()
    return false
  }

  function later(): void {
    cancelLater?.()
    if (closed) return
    cancelLater = systemEffects.setTimer(() => void run().catch(later), LATER_MS, { background: true })
  }

  /** One at a time; whoever asks meanwhile waits for the next round, which sees their note. */
  function run(): Promise<boolean> {
    running = running.catch(() => false).then(() => (closed ? false : wipe()))
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
