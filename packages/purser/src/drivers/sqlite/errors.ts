import { PurserError } from '../../errors.ts'

/** Result codes of SQLite that mean something to us; the low byte of the extended code. */
const ERROR = 1
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const PROTOCOL = 15
const NOTADB = 26

const HINTS: Readonly<Record<number, string>> = {
  [BUSY]: 'Another process holds the database for long; look for an open transaction in another tool.',
  [READONLY]: 'The file or its directory may not be written by this process.',
  [IOERR]: 'The disk reports an error.',
  [CORRUPT]: 'The file is damaged: restore a backup.',
  [FULL]: 'The disk is full: make room, nothing needs a restart.',
  [CANTOPEN]: 'The file cannot be opened: look at its path and its permissions.',
  [NOTADB]: 'The file is not a SQLite database.',
}

/** The store's own trouble, which hits everybody alike. All else is the fault of the statement that was run. */
const STORE_FAULTS: ReadonlySet<number> = new Set([
  BUSY,
  LOCKED,
  READONLY,
  IOERR,
  CORRUPT,
  FULL,
  CANTOPEN,
  PROTOCOL,
  NOTADB,
])

/** SQLite's result code, without its extension; undefined for any other error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** Another process holds the lock: the same again, a little later, may work. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === BUSY
}

export function isStoreFault(error: unknown): boolean {
  const code = resultCode(error)
  return code !== undefined && STORE_FAULTS.has(code)
}

/** The file could not be written to; also when said by a `store_unavailable`. */
export function isForReadingOnly(error: unknown): boolean {
  return resultCode(error instanceof PurserError ? error.cause : error) === READONLY
}

/** The file is damaged or was never a database; also when said by a `store_unavailable`. */
export function isDamage(error: unknown): boolean {
  const code = resultCode(error instanceof PurserError ? error.cause : error)
  return code === CORRUPT || code === NOTADB
}

/** What else a damaged header makes SQLite say when it opens a file: `unsupported file format`. */
export function isStrangeFormat(error: unknown): boolean {
  return resultCode(error) === ERROR
}

/** The error a caller sees: `store_unavailable` for the store's own trouble, anything else as it is. */
export function toStoreError(error: unknown, path: string): unknown {
  if (!isStoreFault(error)) return error
  const { message } = error as Error
  return new PurserError('store_unavailable', `The database ${path} failed: ${message}.`, {
    hint: HINTS[resultCode(error) ?? 0],
    cause: error,
  })
}
