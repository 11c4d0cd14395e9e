import { statSync } from 'node:fs'
import { sleep } from '../../../core/abort.ts'
import { systemEffects } from '../../../core/effects.ts'
import type { Subject } from '../../../core/subject.ts'
import type { Database } from '../database.ts'
import type { CacheWriter, Writer } from '../worker/threads.ts'
import { PENDING_REWRITE } from './erase.ts'

/*
 * Wipes what an erased user has left, so that no byte of it is in any file.
 *
 * 1. Rows are deleted in slices, so that other writes need not wait long. Deleted rows are overwritten
 *    (`secure_delete`). The table `purges` lists what is left, and the next start continues after a crash.
 * 2. When pages were split or merged, SQLite has moved rows and left copies in unused parts of pages. Only rewriting
 *    the file (VACUUM) removes them. The writer of each file does it while its other writes wait, and so only up to a
 *    moderate file size.
 * 3. Older copies of pages stay in the write-ahead log until it is truncated, which readers can delay.
 *
 * A row of `meta` records that steps 2 and 3 are still to do.
 */

const SLICE_ROWS = 500
/** A larger file is not rewritten, since that would block writes for seconds; the receipt says so. */
export const VACUUM_MAX_BYTES = 268_435_456
const TRUNCATE_ATTEMPTS = 20
const TRUNCATE_PAUSE_MS = 50
/** After an unfinished purge, the next attempt starts this much later. */
const RETRY_MS = 1_000

export interface PurgeDeps {
  readonly main: Database
  readonly cache: Database
  readonly writer: Writer
  readonly cacheWriter: CacheWriter
  /** Removes what the cache file holds of an erased user. Safe to repeat. */
  wipeCache(user: Subject, tag: string): Promise<void>
}

export interface Purge {
  /** Wipes everything that is listed; true when no byte of it is left in any file. */
  run(): Promise<boolean>
  /** Waits for the current step and starts no other. */
  close(): Promise<void>
}

export function createPurge({ main, cache, writer, cacheWriter, wipeCache }: PurgeDeps): Purge {
  const first = main.prepare('SELECT purge, uid, namespace, tag, id FROM purges ORDER BY purge LIMIT 1')
  const getMeta = main.prepare('SELECT value FROM meta WHERE name = ?')
  const pendingRewrite = (): unknown => getMeta.get(PENDING_REWRITE)?.value
  let running: Promise<boolean> = Promise.resolve(true)
  let closed = false
  let cancelRetry: (() => void) | undefined

  async function wipeAll(): Promise<boolean> {
    for (let next = first.get(); next !== undefined; next = first.get()) {
      const { purge, uid, namespace, tag, id } = next
      for (let rows = SLICE_ROWS; rows === SLICE_ROWS; ) {
        if (closed) return false
        rows = uid === null ? 0 : await writer.call('wipe', Number(uid), SLICE_ROWS)
      }
      await wipeCache({ namespace: String(namespace), id: String(id) }, String(tag))
      await writer.call('endPurge', Number(purge))
    }
    return pendingRewrite() === undefined || cleanFiles()
  }

  /** Rewrites the files, once, then truncates their logs. */
  async function cleanFiles(): Promise<boolean> {
    // Bus messages name the erased users. A listener that has not read them receives `gap`.
    await cacheWriter.call('dropMessages')
    const isRewritten = pendingRewrite() === 'cut' || (await rewriteFiles())
    if (isRewritten) await writer.call('setPendingRewrite', 'cut')
    if (!(await truncateLogs())) {
      retryLater()
      return false
    }
    if (isRewritten) await writer.call('setPendingRewrite', null)
    return isRewritten
  }

  async function rewriteFiles(): Promise<boolean> {
    const small = [main, cache].filter((file) => statSync(file.path).size <= VACUUM_MAX_BYTES)
    if (small.includes(main)) await writer.call('vacuum')
    if (small.includes(cache)) await cacheWriter.call('vacuum')
    return small.length === 2
  }

  async function truncateLogs(): Promise<boolean> {
    for (let attempt = 1; attempt <= TRUNCATE_ATTEMPTS && !closed; attempt++) {
      // Both in each round, so that a reader of one file does not delay the other.
      const truncated = await Promise.all([writer.call('truncateLog'), cacheWriter.call('truncateLog')])
      if (!truncated.includes(false)) return true
      await sleep(systemEffects, TRUNCATE_PAUSE_MS)
    }
    return false
  }

  function retryLater(): void {
    cancelRetry?.()
    if (closed) return
    cancelRetry = systemEffects.setTimer(() => void run().catch(() => false), RETRY_MS, { background: true })
  }

  /** One run at a time. A call meanwhile waits for the next run, which includes the purges listed before the call. */
  function run(): Promise<boolean> {
    running = running.catch(() => false).then(() => (closed ? false : wipeAll()))
    running.catch(retryLater)
    return running
  }

  return {
    run,
    async close() {
      closed = true
      cancelRetry?.()
      await running.catch(() => false)
    },
  }
}
