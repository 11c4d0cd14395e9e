import { DatabaseError } from 'pg'
import { PurserError } from '../../errors.ts'
import { connectionHint } from '../connection-hint.ts'

/** Classes of SQLSTATE that are errors of a statement: its data, a constraint, a name. All others are the store's. */
const STATEMENT_CLASSES: ReadonlySet<string> = new Set(['21', '22', '23', '42', 'P0'])
/** Serialization failure, deadlock. */
const RETRYABLE: ReadonlySet<string> = new Set(['40001', '40P01'])
/** Cannot connect now; too many connections. */
const UNANSWERED: ReadonlySet<string> = new Set(['57P03', '53300'])

const HINTS: Readonly<Record<string, string>> = {
  '25': 'The server is read-only, as a standby is. Use the address of the primary.',
  '28': 'The server rejects the user or the password of the URL, or a connection without TLS (sslmode=verify-full).',
  '3D': 'The database of the URL does not exist. Create it first.',
  '53': 'The server has no disk space, memory or connections left.',
  '57': 'The server is starting, stopping, or has cancelled a statement that took too long.',
}

/** Whether the statement can be run again as it is. */
export function isRetryable(error: unknown): boolean {
  return error instanceof DatabaseError && RETRYABLE.has(error.code ?? '')
}

/** Whether the server gave no answer: it cannot be reached, hangs, starts, or has no connection left. */
export function isUnanswered(error: unknown): boolean {
  if (PurserError.is(error)) return error.code === 'store_unavailable' && isUnanswered(error.cause)
  return !(error instanceof DatabaseError) || UNANSWERED.has(error.code ?? '')
}

/**
 * The error that a caller gets: an error of the statement unchanged, everything else as `store_unavailable`. API callers
 * see the message, so the address is in `details` only.
 */
export function toStoreError(error: unknown, location: string): unknown {
  if (error instanceof PurserError) return error
  const code = error instanceof DatabaseError ? (error.code ?? '') : ''
  if (STATEMENT_CLASSES.has(code.slice(0, 2))) return error
  return new PurserError('store_unavailable', 'The database failed.', {
    hint: hintOf(error, code),
    cause: error,
    details: { location },
  })
}

function hintOf(error: unknown, code: string): string {
  // What PgBouncer answers to a connection with a statement_timeout.
  if (error instanceof Error && error.message.startsWith('unsupported startup parameter'))
    return 'A pooler is between: add pgbouncer=true to the URL of the store.'
  if (error instanceof Error && error.message === 'The server does not support SSL connections')
    return 'The server has no TLS: turn on ssl in its configuration, or remove sslmode from the URL of the store.'
  return HINTS[code.slice(0, 2)] ?? connectionHint(error) ?? 'PostgreSQL cannot be reached, or did not answer in time.'
}
