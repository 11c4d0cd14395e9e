import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import { openPurser, PurserError, type PurserOptions, systemEffects } from 'purser'
import { ConflictError } from './errors.ts'
import { SIDE_FILES, type StoreFiles } from './store-files.ts'

export interface RestoreOptions {
  /** Path of the backup. */
  readonly backup: string
  readonly files: StoreFiles
  readonly namespace: string | undefined
  /** The configured key; the key file beside the store without one. */
  readonly secretKey: PurserOptions['secretKey']
  /** Called with the copied fraction, 0 to 1. */
  readonly onProgress: (fraction: number) => void
  readonly signal: AbortSignal
}

/** After the database path, the prefix of the temporary directory in which a backup is checked. */
const STAGING_SUFFIX = '.restoring-'
/** Application id of Purser's databases: the bytes "PURS". */
const APPLICATION_ID = 0x50555253
const LOCK_TIMEOUT_MS = 200
/** The first bytes of every SQLite database. */
const SQLITE_HEADER: Buffer = Buffer.from('SQLite format 3\0')
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/**
 * Replaces the store with a backup, or leaves everything as it is. Returns the path under which the old store is kept,
 * as `aside`; null when there was none.
 *
 * 1. The existing store is locked exclusively, so that no process uses it or starts to.
 * 2. The backup is copied beside it, every page is checked, and the copy is opened with the key.
 * 3. The old database gets a second name, and the copy is renamed over it: one atomic step of the file system.
 */
export async function restoreStore(options: RestoreOptions): Promise<{ readonly aside: string | null }> {
  const { backup } = options
  // SQLite creates its side files beside the target of a link.
  const database = existsSync(options.files.database) ? realpathSync(options.files.database) : options.files.database
  const files = { ...options.files, database }
  mkdirSync(dirname(database), { recursive: true, mode: 0o700 })
  const lock = existsSync(database) ? lockDatabase(database) : undefined
  // Directories of earlier restores that were killed. While the lock is held no other restore runs.
  if (lock !== undefined) {
    for (const directory of findStagingDirectories(database)) rmSync(directory, { recursive: true, force: true })
  }
  const staging = mkdtempSync(`${database}${STAGING_SUFFIX}`)
  try {
    const copy = join(staging, 'purser.db')
    await copyBackup(options, copy)
    checkPages(copy, backup)
    await checkKey(copy, { ...options, files })
    return { aside: replaceStore(copy, files, lock) }
  } finally {
    lock?.close()
    rmSync(staging, { recursive: true, force: true })
  }
}

/**
 * Takes an exclusive lock on a database. A process that has it open in WAL mode holds a shared lock all the time, so the
 * exclusive lock is available only when no process has. Undefined for a file that is not a readable database: it cannot
 * be locked, and no process can be using it.
 */
function lockDatabase(database: string): DatabaseSync | undefined {
  // SQLite would delete the WAL file of a database that it does not recognize.
  if (!startsWith(database, SQLITE_HEADER)) return undefined
  const connection = new DatabaseSync(database, { timeout: LOCK_TIMEOUT_MS })
  try {
    connection.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    return connection
  } catch (error) {
    connection.close()
    const resultCode = Number((error as { errcode?: number }).errcode) & 0xff
    if ([SQLITE_CORRUPT, SQLITE_NOTADB].includes(resultCode)) return undefined
    throw new ConflictError(`The store ${database} is in use. Stop the server that uses it, then try again.`)
  }
}

function findStagingDirectories(database: string): string[] {
  const directory = dirname(database)
  const prefix = `${basename(database)}${STAGING_SUFFIX}`
  const names = readdirSync(directory).filter((name) => name.startsWith(prefix))
  return names.map((name) => join(directory, name))
}

function startsWith(path: string, header: Buffer): boolean {
  const descriptor = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(header.length)
    readSync(descriptor, bytes)
    return bytes.equals(header)
  } finally {
    closeSync(descriptor)
  }
}

async function copyBackup({ backup, onProgress, signal }: RestoreOptions, copy: string): Promise<void> {
  const totalBytes = Math.max(1, statSync(backup).size)
  let copiedBytes = 0
  const source = createReadStream(backup).on('data', (chunk) => {
    copiedBytes += chunk.length
    onProgress(copiedBytes / totalBytes)
  })
  await pipeline(source, createWriteStream(copy, { flags: 'wx', mode: 0o600, flush: true }), { signal })
}

function checkPages(copy: string, backup: string): void {
  let result: unknown
  try {
    using connection = new DatabaseSync(copy, { readOnly: true })
    const applicationId = connection.prepare('PRAGMA application_id').get()?.application_id
    if (applicationId !== APPLICATION_ID) throw notABackup(backup)
    result = connection.prepare('PRAGMA integrity_check(1)').get()?.integrity_check
  } catch (cause) {
    if (PurserError.is(cause)) throw cause
    throw damagedBackup(backup, cause)
  }
  if (result !== 'ok') throw damagedBackup(backup, new Error(String(result)))
}

/** Opens the copy: rejects a newer format and a wrong key, and migrates an older format. */
async function checkKey(copy: string, { files, namespace, secretKey }: RestoreOptions): Promise<void> {
  if (secretKey === undefined && !existsSync(files.key)) {
    throw new PurserError('secret_key_wrong', `Missing secret key: no file ${files.key} and no configured secretKey.`, {
      hint: `Copy the key file of the store that was backed up to ${files.key}, or set PURSER_SECRET_KEY.`,
    })
  }
  const purser = await openPurser({
    store: `sqlite:${copy}`,
    namespace,
    secretKey: secretKey ?? readFileSync(files.key, 'utf8').trim(),
  })
  await purser.close()
}

/** Renames the copy over the database as the last step, so that there is a complete store at any time. */
function replaceStore(copy: string, { database, cache }: StoreFiles, lock: DatabaseSync | undefined): string | null {
  syncFile(copy)
  const timestamp = new Date(systemEffects.now()).toISOString().replaceAll(':', '-')
  const aside = `${database}.before-${timestamp}`
  // Writes the WAL into the old database, which is complete without it afterwards.
  if (lock !== undefined && lock.prepare('PRAGMA journal_mode = DELETE').get()?.journal_mode !== 'delete') {
    throw new PurserError('store_unavailable', `Cannot write ${database}-wal into the store.`, {
      hint: 'Check the free disk space. Nothing was changed.',
    })
  }
  // SQLite would read a remaining WAL into the new database. The WAL of a damaged database is kept beside it.
  for (const suffix of SIDE_FILES) {
    if (lock !== undefined) rmSync(`${database}${suffix}`, { force: true })
    else if (existsSync(`${database}${suffix}`)) renameSync(`${database}${suffix}`, `${aside}${suffix}`)
  }
  // Cached answers belong to incarnations of users after the backup.
  for (const suffix of ['', ...SIDE_FILES]) rmSync(`${cache}${suffix}`, { force: true })
  const isReplacement = existsSync(database)
  if (isReplacement) {
    linkSync(database, aside)
    renameSync(copy, database)
  } else {
    // Fails when another process has created the database in the meantime.
    linkSync(copy, database)
  }
  syncFile(dirname(database))
  return isReplacement ? aside : null
}

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function notABackup(backup: string): PurserError {
  return new PurserError('argument_invalid', `${backup} is not a Purser backup.`, {
    hint: 'Use a file that was written by purser backup.',
  })
}

function damagedBackup(backup: string, cause: unknown): PurserError {
  return new PurserError('store_damaged', `${backup} is damaged: ${(cause as Error).message}`, {
    hint: 'Use another backup. Nothing was changed.',
    cause,
  })
}
