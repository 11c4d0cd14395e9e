/**
 * All error codes. A code never changes its meaning and is never reused.
 *
 * `retryable`: the same call may succeed later without any change. A test compares the table with
 * `docs/reference/errors.md`.
 */
export const ERRORS = {
  argument_invalid: { retryable: false, meaning: 'An argument has the wrong type, shape or range.' },
  option_unknown: { retryable: false, meaning: 'The option does not exist.' },
  option_invalid: { retryable: false, meaning: 'The option has an invalid value.' },
  user_id_invalid: {
    retryable: false,
    meaning: 'The user id is not 1 to 256 bytes of well-formed text without control characters.',
  },
  user_erased: { retryable: false, meaning: 'The user was erased while the call was pending.' },
  user_blocked: { retryable: false, meaning: 'An operator has blocked the user.' },
  closed: { retryable: false, meaning: 'This Purser has been closed.' },

  store_unavailable: { retryable: true, meaning: 'The store cannot be read or written at the moment.' },
  store_unsafe: { retryable: false, meaning: 'This version of the database is known to corrupt or truncate data.' },
  store_newer: { retryable: false, meaning: 'The store was written by a newer version of Purser.' },
  store_incomplete: { retryable: false, meaning: 'A copy into the store has not ended, or differs from its source.' },
  secret_key_wrong: { retryable: false, meaning: 'The secret key does not match the store.' },
  store_damaged: { retryable: false, meaning: 'A stored row is damaged and cannot be read; it was left unchanged.' },
  version_conflict: { retryable: false, meaning: 'The value has changed since the expected version.' },
  idempotency_conflict: { retryable: false, meaning: 'The idempotency key was used before with another request.' },

  cap_invalid: { retryable: false, meaning: 'A cap must be an integer of 0 or more, or null.' },
  cap_reached: { retryable: false, meaning: 'The user has reached the daily cap.' },
  limit_invalid: { retryable: false, meaning: 'A limit has an invalid field, or a value above what may be chosen.' },
  limit_unknown: { retryable: false, meaning: 'The user has no limit with this name.' },
  plan_unknown: { retryable: false, meaning: 'The plan is not configured.' },
  note_invalid: { retryable: false, meaning: 'A note must be text of 1 to 8,192 bytes.' },
  timezone_invalid: { retryable: false, meaning: 'The time zone is not an IANA time zone.' },
  detection_invalid: { retryable: false, meaning: 'A detection contains an undeclared or impossible value.' },
  event_invalid: {
    retryable: false,
    meaning: 'The type of an event must be vendor:name, and its data must not exceed the size limit.',
  },
  event_gone: { retryable: false, meaning: 'The event to resume after is no longer stored.' },
  ticket_invalid: { retryable: false, meaning: 'The ticket is invalid or belongs to another user.' },
  ticket_used: { retryable: false, meaning: 'The ticket was already settled, refunded or used by a turn.' },
  checkpoint_invalid: { retryable: false, meaning: 'The checkpoint is damaged or was not signed by this store.' },

  provider_unknown: { retryable: false, meaning: 'The provider is not configured.' },
  model_required: { retryable: false, meaning: 'A provider is set without a model, and it has no default model.' },
  model_not_allowed: { retryable: false, meaning: 'The model is not allowed for this user.' },
  model_not_found: { retryable: false, meaning: 'The model does not exist for this user.' },
  preset_unknown: { retryable: false, meaning: 'The preset is not configured.' },
  settings_invalid: { retryable: false, meaning: 'A settings patch contains an unknown field or an invalid value.' },
  secret_missing: { retryable: false, meaning: 'Neither the user nor the operator has set the required credentials.' },
  secret_invalid: { retryable: false, meaning: 'A secret must be a small object of named text fields.' },
  session_invalid: { retryable: false, meaning: 'The session id or the session policy is invalid.' },
  mcp_unknown: { retryable: false, meaning: 'The MCP server is not configured for this user.' },
  mcp_unavailable: { retryable: true, meaning: 'The MCP server cannot be reached at the moment.' },
  authorization_invalid: {
    retryable: false,
    meaning: 'The response does not complete a pending authorization of this user.',
  },
  runtime_busy: { retryable: true, meaning: 'The runtime pool is full.' },
  package_missing: { retryable: false, meaning: 'A package that the provider needs is not installed.' },
  host_not_allowed: { retryable: false, meaning: 'The host is not allowed.' },

  unsupported_parameter: { retryable: false, meaning: 'The provider cannot do what this parameter asks for.' },
  unsupported_endpoint: { retryable: false, meaning: 'The provider of the model does not have this endpoint.' },
  previous_response_not_found: { retryable: false, meaning: 'The previous response is not stored.' },
  request_invalid: { retryable: false, meaning: 'The chat request is not in the OpenAI format.' },
  turn_consumed: { retryable: false, meaning: 'The answer of this turn was already read.' },
  reader_slow: {
    retryable: true,
    meaning: 'An answer was not read for `readerTimeoutMs`, or a reader of a shared answer fell too far behind.',
  },
  upstream_failed: { retryable: true, meaning: 'The model provider failed or truncated its answer.' },
  upstream_auth: { retryable: false, meaning: 'The model provider rejected the API key.' },
  upstream_rejected: { retryable: false, meaning: 'The model provider rejected the request.' },
  upstream_rate_limited: { retryable: true, meaning: 'The rate limit of the model provider was reached.' },
  upstream_timeout: { retryable: true, meaning: 'The model provider did not answer in time.' },
} as const

export type ErrorCode = keyof typeof ERRORS

export interface ErrorContext {
  /** What the reader can do about it, in one sentence. */
  hint?: string | undefined
  cause?: unknown
  /** Facts that a program can act on; never secrets or stored content. */
  details?: Readonly<Record<string, unknown>> | undefined
}

const BRAND = Symbol.for('purser.error')

/**
 * An error of Purser, identified by its `code`. Expected outcomes, such as a refused admission, are values instead.
 *
 * @example
 * try {
 *   await user.ledger.settle(ticket)
 * } catch (error) {
 *   if (!PurserError.is(error, 'ticket_used')) throw error
 * }
 */
export class PurserError extends Error {
  override readonly name = 'PurserError'
  readonly code: ErrorCode
  /** What the reader can do about it, in one sentence. */
  readonly hint?: string
  /** The same call may succeed later without any change. */
  readonly retryable: boolean
  /** Facts that a program can act on, such as `param`, the name of an invalid argument. */
  readonly details?: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause })
    this.code = code
    this.retryable = ERRORS[code].retryable
    if (context.hint !== undefined) this.hint = context.hint
    if (context.details !== undefined) this.details = context.details
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether `error` is a Purser error, also of another copy of this package; with `code`, only one with that code. */
  static is(error: unknown, code?: ErrorCode): error is PurserError {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
    return code === undefined || (error as unknown as PurserError).code === code
  }
}

/** The error of calls that are made after `close`, or are still pending at its end. */
export function purserClosed(cause?: unknown): PurserError {
  return new PurserError('closed', 'This Purser has been closed.', { cause })
}

/** Like `purserClosed()`, for a store, which can be closed on its own. */
export function storeClosed(): PurserError {
  return new PurserError('closed', 'This store has been closed.')
}

/** A longer name is not a misspelled one. */
const SUGGESTION_MAX_CHARACTERS = 128

/** A hint that names the closest of the known names, such as `Did you mean 'store'?`; empty if none is close. */
export function suggestion(name: string, known: Iterable<string>): string {
  if (name.length > SUGGESTION_MAX_CHARACTERS) return ''
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best === undefined ? '' : `Did you mean '${best}'?`
}

/** Levenshtein distance, at most `limit`. */
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
