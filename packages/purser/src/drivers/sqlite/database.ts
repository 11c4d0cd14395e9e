import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { sleep } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import { isBusy, toStoreError } from './errors.ts'
import type { WriteLock } from './main/write-lock.ts'
import { createWriteQueue, WRITE_LIMITS } from './main/write-queue.ts'
import { requireSafeVersion } from './version-check.ts'

/**
 * One SQLite file, opened the way both of ours are: write-ahead log, mode 0600, what is deleted is overwritten.
 *
 * Statements are prepared once with `prepare` and used in two ways. `read` runs at once; keep it to a few rows, since
 * it holds up the process. `write` joins the next group commit and resolves when that is on disk.
 *
 * ```ts
 * const database = await openDatabase({ path, profile: 'rebuildable' })
 * const put = database.prepare('INSERT INTO t_1 (key, value) VALUES (?, ?)')
 * await database.write(() => put.run(key, value))
 * ```
 * Both reject with `store_unavailable` when the file cannot be used. A write that fails by its own fault (a
 * constraint) rejects with that fault alone, and the writes beside it go through.
 */
export interface Database {
  readonly path: string
  readonly connection: DatabaseSync
  prepare(sql: string): StatementSync
  read<Result>(task: () => Result): Promise<Result>
  /** `task` may run twice, so it must have no effect but its statements. */
  write<Result>(task: () => Result): Promise<Result>
  /** The lock, for a write that is still to be decided. */
  hold(): Promise<WriteLock>
  endHold(): void
  /** Moves the write-ahead log into the file and cuts it to nothing; false while a reader still needs it. */
  truncateLog(): boolean
  /** Finishes the waiting writes, then closes the file. Safe to call twice. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly path: string
  /**
   * `durable`: every commit is on disk before it is acknowledged. `rebuildable`: a power cut may take the last
   * commits, never the file.
   */
  readonly profile: 'durable' | 'rebuildable'
  /** The file must be there already: `store_unavailable` when it is not. Default false: it is made. */
  readonly existing?: boolean
}

/** How long SQLite itself may wait for a lock, on the event loop. */
const BUSY_TIMEOUT_MS = 2
const CACHE_KIB = { durable: 32_768, rebuildable: 16_384 } as const
/** Answers of a few kilobytes come and go in the second file; small pages leave small holes. */
const PAGE_BYTES = { durable: 4_096, rebuildable: 1_024 } as const

export async function openDatabase({ path: given, profile, existing = false }: DatabaseOptions): Promise<Database> {
  requireSafeVersion()
  // An absolute path, so that no name is taken for a URI or for `:memory:`.
  const path = resolve(given)
  if (existing && !existsSync(path)) {
    throw new PurserError('store_unavailable', `The database ${path} is gone.`, {
      hint: 'Put it back, and start again.',
    })
  }
  try {
    makePrivate(path)
  } catch (cause) {
    throw new PurserError('store_unavailable', `The database ${path} cannot be created.`, {
      hint: 'Look at the path and at who may write there.',
      cause,
    })
  }
  const connection = await untilFree(path, () => connect(path, profile))
  const queue = createWriteQueue(connection, path)
  const checkpoint = connection.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
  let closing: Promise<void> | undefined
  return {
    path,
    connection,
    prepare: (sql) => connection.prepare(sql),
    async read(task) {
      if (closing !== undefined) throw storeClosed()
      try {
        return task()
      } catch (error) {
        throw toStoreError(error, path)
      }
    },
    write: queue.write,
    hold: queue.hold,
    endHold: queue.endHold,
    truncateLog() {
      queue.endHold()
      try {
        return checkpoint.get()?.busy === 0
      } catch (error) {
        if (isBusy(error)) return false
        throw toStoreError(error, path)
      }
    },
    close() {
      closing ??= queue.drain().then(() => connection.close())
      return closing
    },
  }
}

/** Makes the file before SQLite does, which gives its log the same mode. */
function makePrivate(path: string): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
}

function connect(path: string, profile: DatabaseOptions['profile']): DatabaseSync {
  const connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, allowExtension: false })
  try {
    connection.exec(`
      PRAGMA page_size = ${PAGE_BYTES[profile]};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${profile === 'durable' ? 'FULL' : 'NORMAL'};
      PRAGMA secure_delete = ON;
      PRAGMA trusted_schema = OFF;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${CACHE_KIB[profile]};
    `)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Runs `task` again while another process holds the lock, with pauses that leave the event loop free. */
export async function untilFree<Result>(path: string, task: () => Result): Promise<Result> {
  const giveUpAt = systemEffects.monotonic() + WRITE_LIMITS.busyGiveUpMs
  for (;;) {
    try {
      return task()
    } catch (error) {
      if (!isBusy(error) || systemEffects.monotonic() >= giveUpAt) throw toStoreError(error, path)
    }
    await sleep(systemEffects, WRITE_LIMITS.busyRetryMs)
  }
}
