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
import { ConflictError } from './command.ts'
import { SIDE_FILES, type StoreFiles } from './store-files.ts'

export interface RestoreOrder {
  readonly from: string
  readonly files: StoreFiles
  readonly namespace: string | undefined
  /** The configured one; without it the key file beside the store. */
  readonly secretKey: PurserOptions['secretKey']
  readonly onProgress: (part: number) => void
  readonly signal: AbortSignal
}

/** The folder beside the database where a backup is checked. */
const ROOM = '.restoring-'
/** Marks a file as Purser's own: the bytes "PURS". */
const APPLICATION_ID = 0x50555253
const LOCK_WAIT_MS = 200
/** What every database of SQLite begins with. */
const SQLITE: Buffer = Buffer.from('SQLite format 3\0')
const CORRUPT = 11
const NO_DATABASE = 26

/**
 * Puts a backup in the place of the store, or leaves everything as it is.
 *
 * The store that is there is locked from the beginning, so that nobody uses it and nobody begins to. The backup is
 * copied beside it, checked there page by page and opened with the key. Only then two names change: the old database
 * gets another one, and the copy gets its own, in one step of the file system.
 */
export async function restoreStore(given: RestoreOrder): Promise<{ readonly aside: string | null }> {
  const { database: named } = given.files
  // SQLite puts its side files beside what a link points to.
  const database = existsSync(named) ? realpathSync(named) : named
  const order = { ...given, files: { ...given.files, database } }
  mkdirSync(dirname(database), { recursive: true, mode: 0o700 })
  const lock = existsSync(database) ? lockAlone(database) : undefined
  // What a restore left that was killed; under the lock there is no other one.
  if (lock !== undefined) for (const left of rooms(database)) rmSync(left, { recursive: true, force: true })
  const room = mkdtempSync(`${database}${ROOM}`)
  try {
    const copy = join(room, 'purser.db')
    await copyFile(order, copy)
    checkPages(copy, order.from)
    await checkKey(copy, order)
    return { aside: exchange(copy, order.files, lock) }
  } finally {
    lock?.close()
    rmSync(room, { recursive: true, force: true })
  }
}

/**
 * Who has a database open in write-ahead mode holds a shared lock on it all the time, so an exclusive one is free only
 * when nobody has. A file that is no readable database cannot be locked, and nobody can be using it.
 */
function lockAlone(database: string): DatabaseSync | undefined {
  // SQLite would throw away the log of what it does not recognise.
  if (!beginsLike(database, SQLITE)) return undefined
  const connection = new DatabaseSync(database, { timeout: LOCK_WAIT_MS })
  try {
    connection.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    return connection
  } catch (error) {
    connection.close()
    if ([CORRUPT, NO_DATABASE].includes(Number((error as { errcode?: number }).errcode) & 0xff)) return undefined
    throw new ConflictError(`The store at ${database} is in use. Stop the server that uses it, then try again.`)
  }
}

function rooms(database: string): string[] {
  const folder = dirname(database)
  const names = readdirSync(folder).filter((name) => name.startsWith(`${basename(database)}${ROOM}`))
  return names.map((name) => join(folder, name))
}

function beginsLike(path: string, beginning: Buffer): boolean {
  const descriptor = openSync(path, 'r')
  try {
    const found = Buffer.alloc(beginning.length)
    readSync(descriptor, found)
    return found.equals(beginning)
  } finally {
    closeSync(descriptor)
  }
}

async function copyFile({ from, onProgress, signal }: RestoreOrder, to: string): Promise<void> {
  const total = Math.max(1, statSync(from).size)
  let done = 0
  const source = createReadStream(from).on('data', (chunk) => {
    done += chunk.length
    onProgress(done / total)
  })
  await pipeline(source, createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true }), { signal })
}

function checkPages(copy: string, from: string): void {
  let verdict: unknown
  try {
    using connection = new DatabaseSync(copy, { readOnly: true })
    if (connection.prepare('PRAGMA application_id').get()?.application_id !== APPLICATION_ID) throw foreign(from)
    verdict = connection.prepare('PRAGMA integrity_check(1)').get()?.integrity_check
  } catch (cause) {
    if (PurserError.is(cause)) throw cause
    throw damaged(from, cause)
  }
  if (verdict !== 'ok') throw damaged(from, new Error(String(verdict)))
}

/** Opening refuses what a newer Purser wrote and what the key does not open; an older format is brought up to date. */
async function checkKey(copy: string, { files, namespace, secretKey }: RestoreOrder): Promise<void> {
  if (secretKey === undefined && !existsSync(files.key)) {
    throw new PurserError('secret_key_wrong', `There is no key: neither ${files.key} nor a configured secretKey.`, {
      hint: `Put the key file of the store the backup was made of at ${files.key}, or set PURSER_SECRET_KEY.`,
    })
  }
  const purser = await openPurser({
    store: `sqlite:${copy}`,
    namespace,
    secretKey: secretKey ?? readFileSync(files.key, 'utf8').trim(),
  })
  await purser.close()
}

/** Names of the old store change before the copy gets its name, and that is one step: there is always a whole store. */
function exchange(copy: string, { database, cache }: StoreFiles, lock: DatabaseSync | undefined): string | null {
  sync(copy)
  const aside = `${database}.before-${new Date(systemEffects.now()).toISOString().replaceAll(':', '-')}`
  // What waits in the write-ahead log goes into the old database, which is whole without it then.
  if (lock !== undefined && lock.prepare('PRAGMA journal_mode = DELETE').get()?.journal_mode !== 'delete') {
    throw new PurserError('store_unavailable', `What waits in ${database}-wal cannot be written into the store.`, {
      hint: 'Is the disk full? Nothing was changed.',
    })
  }
  // A log that was left behind would be read into the new database. That of a damaged one is kept with it.
  for (const side of SIDE_FILES) {
    if (lock !== undefined) rmSync(`${database}${side}`, { force: true })
    else if (existsSync(`${database}${side}`)) renameSync(`${database}${side}`, `${aside}${side}`)
  }
  // Answers belong to the lives of users as they went on after the backup.
  for (const side of ['', ...SIDE_FILES]) rmSync(`${cache}${side}`, { force: true })
  const replaces = existsSync(database)
  if (replaces) {
    linkSync(database, aside)
    renameSync(copy, database)
  } else {
    // Fails when somebody has made one meanwhile.
    linkSync(copy, database)
  }
  sync(dirname(database))
  return replaces ? aside : null
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function foreign(from: string): PurserError {
  return new PurserError('argument_invalid', `${from} is not a backup of Purser.`, {
    hint: 'Give a file that purser backup has written.',
  })
}

function damaged(from: string, cause: unknown): PurserError {
  return new PurserError('store_damaged', `${from} is damaged: ${(cause as Error).message}`, {
    hint: 'Use another backup. Nothing was changed.',
    cause,
  })
}
