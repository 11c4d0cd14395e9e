import { PurserError } from '../../errors.ts'

/** Result codes of SQLite: the low byte of the extended code. */
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
  [BUSY]: 'Another process has locked the database for long. Look for an open transaction in another tool.',
  [READONLY]: 'This process may not write to the file or its directory.',
  [IOERR]: 'The disk reports an error.',
  [CORRUPT]: 'The file is damaged. Restore a backup.',
  [FULL]: 'The disk is full. Free some space; no restart is needed.',
  [CANTOPEN]: 'The file cannot be opened. Check its path and its permissions.',
  [NOTADB]: 'The file is not a SQLite database.',
}

/** Errors of the store itself, which affect every statement. All others are errors of the statement that was run. */
const STORE_ERRORS: ReadonlySet<number> = new Set([
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

/** The result code of an error, or of its cause: that of a `store_unavailable`, or why a thread has stopped. */
function resultCodeOfCause(error: unknown): number | undefined {
  const code = resultCode(error)
  if (code !== undefined || !(error instanceof Error) || error.cause === undefined) return code
  return resultCodeOfCause(error.cause)
}

/** Another process has the lock; a retry may succeed. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === BUSY
}

export function isStoreError(error: unknown): boolean {
  const code = resultCode(error)
  return code !== undefined && STORE_ERRORS.has(code)
}

/** The file is read-only; also true for the `store_unavailable` that it caused. */
export function isReadOnly(error: unknown): boolean {
  return resultCodeOfCause(error) === READONLY
}

/** The file is damaged or is not a database; also true for the `store_unavailable` that it caused. */
export function isCorrupt(error: unknown): boolean {
  const code = resultCodeOfCause(error)
  return code === CORRUPT || code === NOTADB
}

/** `unsupported file format`, which SQLite may report as well when it opens a file with a damaged header. */
export function isUnsupportedFormat(error: unknown): boolean {
  return resultCodeOfCause(error) === ERROR
}

/**
 * The error that a caller gets: `store_unavailable` for an error of the store itself, `store_damaged` for an error of one
 * statement, which only unexpected stored values can cause; errors of other origin are unchanged. API callers see the
 * message, so the path is in `details` only.
 */
export function toStoreError(error: unknown, path: string): unknown {
  return describe(error, path, 'The database failed')
}

/** Like `toStoreError`, while a file is opened: the message is for the operator and names the path. */
export function toOpenError(error: unknown, path: string): unknown {
  return describe(error, path, `The database ${path} cannot be opened`)
}

function describe(error: unknown, path: string, what: string): unknown {
  const code = resultCode(error)
  if (code === undefined) return error
  const { message } = error as Error
  return new PurserError(STORE_ERRORS.has(code) ? 'store_unavailable' : 'store_damaged', `${what}: ${message}.`, {
    hint: HINTS[code],
    cause: error,
    details: { path },
  })
}
