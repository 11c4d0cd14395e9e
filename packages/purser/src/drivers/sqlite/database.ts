import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { sleep } from '../../core/abort.ts'
import { systemEffects } from '../../core/effects.ts'
import { PurserError, storeClosed } from '../../errors.ts'
import { isBusy, toOpenError, toStoreError } from './errors.ts'
import { createFileGuard, type FileIdentity, identityOf } from './file-guard.ts'
import type { LockedTransaction } from './locked-transaction.ts'
import { requireSafeVersion } from './version-check.ts'
import { WRITE_LIMITS, type WriteOutcome, WriteQueue } from './write-queue.ts'

/**
 * A connection to one SQLite file, opened the way both files of a store are: write-ahead log, mode 0600, deleted data
 * is overwritten.
 *
 * Statements are prepared once with `prepare` and run in one of two ways. `read` runs at once; keep it to a few rows,
 * since it blocks the event loop. `write` joins the next group commit and resolves when that is on disk.
 *
 * ```ts
 * const database = await openDatabase({ path, profile: 'rebuildable' })
 * const put = database.prepare('INSERT INTO t_1 (key, value) VALUES (?, ?)')
 * await database.write(() => put.run(key, value))
 * ```
 * Both reject with `store_unavailable` when the file cannot be used. A write that fails by its own error (a constraint)
 * rejects with that error; the other writes of its group commit are written.
 */
export interface Database {
  readonly path: string
  readonly identity: FileIdentity
  readonly connection: DatabaseSync
  prepare(sql: string): StatementSync
  read<Result>(task: () => Result): Promise<Result>
  /** Like `read`, without a promise. */
  readNow<Result>(task: () => Result): Result
  /** `task` may run twice, so it must have no effects other than its statements. */
  write<Result>(task: () => Result): Promise<Result>
  /** The same for several tasks, each of which succeeds or fails alone. */
  writeAll<Result>(tasks: readonly (() => Result)[]): Promise<readonly WriteOutcome<Result>[]>
  /** Waits for the write lock, for a write that is decided while no other process can write. */
  lock(): Promise<LockedTransaction>
  /** Ends the current locked transaction, if any, without a write. */
  unlock(): void
  /** Checkpoints the write-ahead log and truncates it; false while a reader still needs it. */
  truncateLog(): boolean
  /** Rewrites the file, which removes what was left in unused parts of its pages. No write runs meanwhile. */
  vacuum(): void
  /** Finishes the pending writes, then closes the file. Safe to call twice. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly path: string
  /**
   * `durable`: every commit is on disk before it is acknowledged. `rebuildable`: a power failure may lose the last
   * commits, but does not damage the file.
   */
  readonly profile: 'durable' | 'rebuildable'
  /** True: a missing file is `store_unavailable`. Default false: it is created. */
  readonly mustExist?: boolean
  /** Of the file as another thread has opened it. With `durable`, a write is acknowledged only if it is the same file. */
  readonly identity?: FileIdentity
}

/** How long SQLite itself may wait for a lock, which blocks the event loop. */
const BUSY_TIMEOUT_MS = 2
/** How long VACUUM waits for the writes of other processes. */
const VACUUM_BUSY_TIMEOUT_MS = 10_000
/** The log is cut to this size when its content was moved to the database, such as after a long read has ended. */
const LOG_MAX_BYTES = 8_388_608
const CACHE_KIB = { durable: 32_768, rebuildable: 16_384 } as const
/** The rows of the cache file are a few kilobytes and short-lived; small pages waste less space between them. */
const PAGE_BYTES = { durable: 4_096, rebuildable: 2_048 } as const
/** The log is moved into the file when it has this size. Pages of the cache change often, so that most are moved once. */
const CHECKPOINT_BYTES = { durable: 4_096_000, rebuildable: 33_554_432 } as const

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { profile, mustExist = false } = options
  requireSafeVersion()
  // An absolute path, so that no name is read as a URI or as `:memory:`.
  const path = resolve(options.path)
  if (mustExist && !existsSync(path)) {
    throw new PurserError('store_unavailable', `The database ${path} does not exist.`, {
      hint: 'Restore the file, then start again.',
    })
  }
  try {
    createPrivateFile(path)
  } catch (cause) {
    throw new PurserError('store_unavailable', `The database ${path} cannot be created.`, {
      hint: 'Check the path and the permissions of its directory.',
      cause,
    })
  }
  const connection = await retryWhileBusy(path, () => connect(path, profile))
  const identity = options.identity ?? identityOf(path)
  return createDatabase(path, connection, { identity, isGuarded: profile === 'durable' })
}

function createDatabase(
  path: string,
  connection: DatabaseSync,
  { identity, isGuarded }: { readonly identity: FileIdentity; readonly isGuarded: boolean },
): Database {
  const queue = new WriteQueue(connection, path, isGuarded ? { guard: createFileGuard(path, identity) } : {})
  const checkpoint = connection.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
  let closing: Promise<void> | undefined
  function readNow<Result>(task: () => Result): Result {
    if (closing !== undefined) throw storeClosed()
    try {
      return task()
    } catch (error) {
      throw toStoreError(error, path)
    }
  }
  return {
    path,
    identity,
    connection,
    prepare: (sql) => connection.prepare(sql),
    readNow,
    async read(task) {
      return readNow(task)
    },
    write: (task) => queue.write(task),
    writeAll: (tasks) => queue.writeAll(tasks),
    lock: () => queue.lock(),
    unlock: () => queue.unlock(),
    truncateLog() {
      queue.unlock()
      try {
        return checkpoint.get()?.busy === 0
      } catch (error) {
        if (isBusy(error)) return false
        throw toStoreError(error, path)
      }
    },
    vacuum() {
      queue.unlock()
      using vacuuming = new DatabaseSync(path, { timeout: VACUUM_BUSY_TIMEOUT_MS })
      vacuuming.exec('PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; VACUUM')
    },
    close() {
      closing ??= queue.drain().then(() => connection.close())
      return closing
    },
  }
}

/** Creates the file before SQLite does; SQLite gives its log files the same mode. */
function createPrivateFile(path: string): void {
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
      PRAGMA journal_size_limit = ${LOG_MAX_BYTES};
      PRAGMA trusted_schema = OFF;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${CACHE_KIB[profile]};
      PRAGMA wal_autocheckpoint = ${CHECKPOINT_BYTES[profile] / PAGE_BYTES[profile]};
    `)
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Runs a step of opening again while another process has the lock, with pauses that do not block the event loop. */
export async function retryWhileBusy<Result>(path: string, task: () => Result): Promise<Result> {
  const giveUpAt = systemEffects.monotonic() + WRITE_LIMITS.busyGiveUpMs
  for (;;) {
    try {
      return task()
    } catch (error) {
      if (!isBusy(error) || systemEffects.monotonic() >= giveUpAt) throw toOpenError(error, path)
    }
    await sleep(systemEffects, WRITE_LIMITS.busyRetryMs)
  }
}
