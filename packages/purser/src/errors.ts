/**
 * The table of error codes. A code never changes its meaning and is never reused.
 *
 * `retryable` says whether the same call may succeed later without anybody changing anything.
 * `docs/reference/errors.md` lists the same codes; a test compares the two.
 */
export const ERRORS = {
  argument_invalid: { retryable: false, meaning: 'An argument has the wrong type, shape or range.' },
  option_unknown: { retryable: false, meaning: 'An option of that name does not exist.' },
  option_invalid: { retryable: false, meaning: 'An option has a value it cannot have.' },
  user_id_invalid: { retryable: false, meaning: 'The user id is not 1 to 256 bytes of well-formed text.' },
  user_erased: { retryable: false, meaning: 'The user was erased while this call was on its way.' },
  user_blocked: { retryable: false, meaning: 'An operator has blocked this user.' },
  closed: { retryable: false, meaning: 'This Purser has been closed.' },

  store_unavailable: { retryable: true, meaning: 'The store cannot be read or written right now.' },
  store_unsafe: { retryable: false, meaning: 'This build of the store is known to corrupt or cut data.' },
  store_newer: { retryable: false, meaning: 'The store was written by a newer Purser.' },
  secret_key_wrong: { retryable: false, meaning: 'The secret key does not open this store.' },
  store_damaged: { retryable: false, meaning: 'A stored row cannot be read; it was left as it is.' },
  version_conflict: { retryable: false, meaning: 'The value has changed since the version you named.' },
  idempotency_conflict: { retryable: false, meaning: 'The idempotency key was used with another body.' },

  cap_invalid: { retryable: false, meaning: 'A cap is a whole number of 0 or more, or null.' },
  cap_reached: { retryable: false, meaning: 'The user has used up what they may use.' },
  note_invalid: { retryable: false, meaning: 'A note is text of 1 to 8,192 bytes.' },
  timezone_invalid: { retryable: false, meaning: 'That is not an IANA time zone.' },
  detection_invalid: { retryable: false, meaning: 'A detection holds a value that is not declared or not possible.' },
  event_invalid: { retryable: false, meaning: 'An event needs a type like vendor:name and data within its limit.' },
  event_gone: { retryable: false, meaning: 'No event of that id is kept, so there is nothing to resume behind.' },
  ticket_invalid: { retryable: false, meaning: 'That is not a ticket of this user.' },
  ticket_used: { retryable: false, meaning: 'The ticket was already settled, refunded or used by a turn.' },
  checkpoint_invalid: { retryable: false, meaning: 'The checkpoint is damaged or was not signed by this store.' },

  provider_unknown: { retryable: false, meaning: 'No provider of that name is configured.' },
  model_required: { retryable: false, meaning: 'A provider is set, but no model, and it has no default.' },
  model_not_allowed: { retryable: false, meaning: 'This user may not use that model.' },
  model_not_found: { retryable: false, meaning: 'No model of that name is there for this user.' },
  preset_unknown: { retryable: false, meaning: 'No preset of that name is configured.' },
  settings_invalid: { retryable: false, meaning: 'A settings patch holds a field or value that cannot be.' },
  secret_missing: { retryable: false, meaning: 'Neither the user nor the operator has given the key this needs.' },
  secret_invalid: { retryable: false, meaning: 'A secret is a small object of named text fields.' },
  session_invalid: { retryable: false, meaning: 'A session id or policy is not valid.' },
  mcp_unknown: { retryable: false, meaning: 'No MCP server of that name is configured for this user.' },
  mcp_unavailable: { retryable: true, meaning: 'The MCP server cannot be reached right now.' },
  authorization_invalid: { retryable: false, meaning: 'That does not complete an authorization of this user.' },
  runtime_busy: { retryable: true, meaning: 'All places for live clients are in use.' },
  package_missing: { retryable: false, meaning: 'A provider needs a package that is not installed.' },
  host_not_allowed: { retryable: false, meaning: 'That host may not be called.' },

  request_invalid: { retryable: false, meaning: 'The chat request is not in the OpenAI format.' },
  turn_consumed: { retryable: false, meaning: 'The answer of this turn was already read.' },
  reader_slow: { retryable: true, meaning: 'A reader that shared an answer fell too far behind and was cut.' },
  upstream_failed: { retryable: true, meaning: 'The model provider failed or cut its answer.' },
  upstream_auth: { retryable: false, meaning: 'The model provider refused the key.' },
  upstream_rejected: { retryable: false, meaning: 'The model provider refused the request as invalid.' },
  upstream_rate_limited: { retryable: true, meaning: 'The model provider asks to slow down.' },
  upstream_timeout: { retryable: true, meaning: 'The model provider did not answer in time.' },
} as const

export type ErrorCode = keyof typeof ERRORS

export interface ErrorContext {
  /** What the reader can do about it, in one sentence. */
  hint?: string | undefined
  cause?: unknown
  /** Facts a program can act on, never secrets or stored content. */
  details?: Readonly<Record<string, unknown>> | undefined
}

const BRAND = Symbol.for('purser.error')

/** A broken promise or a wrong argument, told by its `code`. Expected outcomes are values, not errors. */
export class PurserError extends Error {
  override readonly name = 'PurserError'
  readonly code: ErrorCode
  readonly hint?: string
  readonly retryable: boolean
  readonly details?: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause })
    this.code = code
    this.retryable = ERRORS[code].retryable
    if (context.hint !== undefined) this.hint = context.hint
    if (context.details !== undefined) this.details = context.details
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** True for a Purser error, also of another copy of this package; with `code`, only for that one. */
  static is(error: unknown, code?: ErrorCode): error is PurserError {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
    return code === undefined || (error as unknown as PurserError).code === code
  }
}

/** What every call is told that comes, or is still under way, when all has been closed. */
export function purserClosed(cause?: unknown): PurserError {
  return new PurserError('closed', 'This Purser has been closed.', { cause })
}

/** The same of a store, which may be closed on its own. */
export function storeClosed(): PurserError {
  return new PurserError('closed', 'This store has been closed.')
}

/** The closest of `known` to `given`, as the tail of a hint; empty when nothing is close. */
export function suggestion(given: string, known: Iterable<string>): string {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(given.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best === undefined ? '' : `Did you mean '${best}'?`
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? limit
}
