import { ErrorReply } from 'redis'
import { PurserError } from '../../errors.ts'
import { connectionHint } from '../connection-hint.ts'

/** What a script answers when a commit violates a constraint; nothing was written then. */
const CONSTRAINT = 'CONSTRAINT '

/** The server has not run the command, and may run it soon. */
const NOT_NOW: ReadonlySet<string> = new Set([
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
])
const HINTS: Readonly<Record<string, string>> = {
  MISCONF: 'The server cannot write its data to disk.',
  NOAUTH: 'The server requires a user and a password in the URL.',
  NOPERM:
    'The user of the URL must not run a command or use a key that the store needs: see docs/guides/operations.md.',
  NOREPLICAS: 'The server has fewer replicas than it needs to accept writes.',
  OOM: 'The server has reached its memory limit.',
  WRONGPASS: 'The server rejects the user or the password of the URL.',
}

/** The first word of an error reply, such as `OOM`; undefined when the error is not a reply. */
function codeOf(error: unknown): string | undefined {
  return error instanceof ErrorReply ? error.message.split(' ', 1)[0] : undefined
}

export function isUnknownScript(error: unknown): boolean {
  return codeOf(error) === 'NOSCRIPT'
}

export function isUnknownCommand(error: unknown): boolean {
  return isReply(error) && /^ERR unknown command/i.test((error as Error).message)
}

/** The server refused the command for now. */
export function isNotNow(error: unknown): boolean {
  return NOT_NOW.has(codeOf(error) ?? '')
}

/** Another server may be the one to write to: after a fail-over, the old primary is read-only. */
export function isDemoted(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'READONLY' || code === 'MASTERDOWN'
}

/** Whether the server answered; otherwise it is unknown whether it ran the command. */
export function isReply(error: unknown): boolean {
  return error instanceof ErrorReply
}

/**
 * The error that a caller gets: a violated constraint as such, everything else as `store_unavailable`. API callers see the
 * message, so the address is in `details` only.
 */
export function toStoreError(error: unknown, location: string): unknown {
  if (error instanceof PurserError) return error
  const message = error instanceof Error ? error.message : ''
  if (message.startsWith(CONSTRAINT)) return new Error(message.slice(CONSTRAINT.length))
  return new PurserError('store_unavailable', 'The database failed.', {
    hint: hintOf(error, location),
    cause: error,
    details: { location },
  })
}

function hintOf(error: unknown, location: string): string {
  const known = HINTS[codeOf(error) ?? ''] ?? connectionHint(error)
  if (known !== undefined) return known
  if (isReply(error) && /DB index/.test((error as Error).message))
    return 'The server has no database of that number: change the path of the URL.'
  // A server without TLS waits for the rest of what it takes for a command.
  const tls = location.startsWith('rediss:') ? ' With rediss:// it has to speak TLS at this port.' : ''
  return `Redis cannot be reached, or did not answer in time.${tls}`
}
