import { type ErrorCode, PurserError } from '../errors.ts'

/** An error as an HTTP response: OpenAI's error body, and headers that control the retries of its clients. */
export interface ErrorResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly error: ErrorBody }
}

export interface ErrorBody {
  readonly message: string
  readonly type: string
  readonly param: string | null
  readonly code: string
  readonly hint?: string
  readonly requestId?: string
  /** The limit that refuses. */
  readonly limit?: RefusedAdmission['limit']
}

export interface ErrorResponseContext {
  readonly requestId?: string | undefined
  /** The gateway reports a model that is not allowed as one that does not exist. Default `'gateway'`. */
  readonly surface?: 'gateway' | 'management' | undefined
}

/** The fields of a refused admission that its response shows. */
export interface RefusedAdmission {
  readonly reason: string
  /** Null if the time is unknown, as for a block without an end. */
  readonly retryAfterMs: number | null
  readonly cap: number
  /** ISO 8601, UTC; null if the time is unknown. */
  readonly resetAt: string | null
  /** With the reason `limit`. Amounts are numbers, of `cost` decimal text. */
  readonly limit?:
    | {
        readonly name: string
        readonly measure: string
        readonly max: number | string
        readonly used: number | string
        readonly resetAt: string | null
      }
    | undefined
}

const INVALID = 'invalid_request_error'
const SERVER = 'server_error'
const UPSTREAM = 'upstream_error'

/** Status and type of an error, and its code if OpenAI has another one for it. */
type Mapping = readonly [status: number, type: string, code?: string]

const MAPPINGS: Readonly<Record<ErrorCode, Mapping>> = {
  argument_invalid: [400, INVALID],
  option_unknown: [400, INVALID],
  option_invalid: [400, INVALID],
  user_id_invalid: [400, INVALID],
  user_erased: [409, INVALID],
  user_blocked: [403, 'permission_error'],
  closed: [503, SERVER],

  store_unavailable: [503, SERVER],
  store_unsafe: [500, SERVER],
  store_newer: [500, SERVER],
  store_incomplete: [500, SERVER],
  store_damaged: [500, SERVER],
  secret_key_wrong: [500, SERVER],
  version_conflict: [409, INVALID],
  idempotency_conflict: [422, INVALID],

  cap_invalid: [400, INVALID],
  cap_reached: [429, 'insufficient_quota', 'insufficient_quota'],
  limit_invalid: [400, INVALID],
  limit_unknown: [404, INVALID],
  plan_unknown: [400, INVALID],
  note_invalid: [400, INVALID],
  timezone_invalid: [400, INVALID],
  detection_invalid: [400, INVALID],
  event_invalid: [400, INVALID],
  event_gone: [410, INVALID],
  ticket_invalid: [400, INVALID],
  ticket_used: [409, INVALID],
  checkpoint_invalid: [400, INVALID],

  provider_unknown: [400, INVALID],
  model_required: [400, INVALID],
  model_not_allowed: [403, 'permission_error'],
  model_not_found: [404, INVALID],
  preset_unknown: [400, INVALID],
  settings_invalid: [400, INVALID],
  secret_missing: [400, INVALID],
  secret_invalid: [400, INVALID],
  session_invalid: [400, INVALID],
  mcp_unknown: [400, INVALID],
  mcp_unavailable: [503, SERVER],
  authorization_invalid: [400, INVALID],
  runtime_busy: [503, SERVER],
  package_missing: [500, SERVER],
  host_not_allowed: [400, INVALID],

  unsupported_parameter: [400, INVALID],
  unsupported_endpoint: [400, INVALID],
  previous_response_not_found: [400, INVALID],
  request_invalid: [400, INVALID, 'invalid_request_error'],
  turn_consumed: [500, SERVER],
  reader_slow: [503, SERVER],
  upstream_failed: [502, UPSTREAM],
  upstream_auth: [502, UPSTREAM],
  upstream_rejected: [400, INVALID],
  upstream_rate_limited: [429, 'rate_limit_error', 'rate_limit_exceeded'],
  upstream_timeout: [504, UPSTREAM],
}

const GATEWAY_MAPPINGS: { readonly [code in ErrorCode]?: Mapping } = {
  model_not_allowed: [404, INVALID, 'model_not_found'],
}

/** Statuses of a rejected request that clients are shown as they are; others become 400. */
const REJECTION_STATUSES: readonly unknown[] = [400, 402, 404, 413, 415, 422, 451]

/** Converts any error. Of an error that is not a `PurserError` nothing is revealed: it becomes 500 `internal_error`. */
export function toErrorResponse(error: unknown, context: ErrorResponseContext = {}): ErrorResponse {
  if (!PurserError.is(error)) {
    return createResponse([500, SERVER], { message: 'Internal server error.', code: 'internal_error', context })
  }
  const details = error.details ?? {}
  const mapping = mappingOf(error, context.surface ?? 'gateway')
  const [status, , code = error.code] = mapping
  return createResponse(mapping, {
    message: error.message,
    code,
    param: nonEmptyText(details.param),
    hint: error.hint,
    headers: {
      ...retryHeaders(status, error.retryable, details.retryAfterMs),
      // Clients differ in which of the provider's statuses they repeat.
      ...(error.code === 'upstream_rejected' ? { 'x-should-retry': 'false' } : {}),
    },
    context,
  })
}

/** Clients wait this long by themselves before they try again. */
const SHORT_WAIT_MS = 60_000

/**
 * Converts a refused admission: 429 with the time until the reset, or 403 `user_blocked`. The code is
 * `rate_limit_exceeded` when a client should wait and try again, and else `insufficient_quota`.
 */
export function toRefusalResponse(admission: RefusedAdmission, context: ErrorResponseContext = {}): ErrorResponse {
  const { reason, retryAfterMs, limit } = admission
  if (reason === 'blocked') {
    return createResponse(MAPPINGS.user_blocked, { message: 'This user is blocked.', code: 'user_blocked', context })
  }
  const isShort = retryAfterMs !== null && retryAfterMs <= SHORT_WAIT_MS
  const code = isShort ? 'rate_limit_exceeded' : 'insufficient_quota'
  return createResponse([429, isShort ? 'rate_limit_error' : 'insufficient_quota'], {
    message: refusalMessage(admission),
    code,
    headers: retryHeaders(429, isShort, retryAfterMs),
    limit,
    context,
  })
}

/** Why an admission is refused, and until when. */
export function refusalMessage({ cap, resetAt, limit }: Pick<RefusedAdmission, 'cap' | 'resetAt' | 'limit'>): string {
  if (limit === undefined) return quotaMessage(cap, resetAt)
  const { name, measure, max, resetAt: limitResetAt } = limit
  const reset = limitResetAt === null ? '' : ` It resets at ${limitResetAt}.`
  return `Limit '${name}' of ${max} ${MEASURE_WORDS[measure] ?? measure} reached.${reset}`
}

const MEASURE_WORDS: Readonly<Record<string, string>> = {
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
  toolCalls: 'tool calls',
  concurrent: 'turns at a time',
}

/** The message of a quota error. `resetAt` is ISO 8601. */
export function quotaMessage(cap: number, resetAt: string | null): string {
  const reset = resetAt === null ? '' : ` It resets at ${resetAt}.`
  return `Daily limit of ${cap} ${cap === 1 ? 'message' : 'messages'} reached.${reset}`
}

/** Creates the response of an HTTP error without a `PurserError`, such as `unknown_url` or a body that is too large. */
export function createErrorResponse(
  status: number,
  fields: { readonly code: string; readonly message: string; readonly param?: string; readonly hint?: string },
  context: ErrorResponseContext = {},
): ErrorResponse {
  return createResponse([status, status >= 500 ? SERVER : INVALID], { ...fields, context })
}

/** Names and values of a caller can be of any length. A response repeats only their beginning. */
const MAX_TEXT_CHARACTERS = 4_096

function shorten(text: string): string {
  return text.length > MAX_TEXT_CHARACTERS ? `${text.slice(0, MAX_TEXT_CHARACTERS)}…` : text
}

interface ResponseFields {
  readonly message: string
  readonly code: string
  readonly param?: string | undefined
  readonly hint?: string | undefined
  readonly headers?: Record<string, string>
  readonly limit?: RefusedAdmission['limit'] | undefined
  readonly context: ErrorResponseContext
}

function createResponse([status, type]: Mapping, fields: ResponseFields): ErrorResponse {
  const { message, code, param, hint, headers = {}, limit, context } = fields
  const error: ErrorBody = {
    message: shorten(message),
    type,
    param: param === undefined ? null : shorten(param),
    code,
    ...(hint === undefined ? {} : { hint: shorten(hint) }),
    ...(context.requestId === undefined ? {} : { requestId: context.requestId }),
    ...(limit === undefined ? {} : { limit }),
  }
  return { status, headers, body: { error } }
}

/** Of a rejection by the provider, its own status and code are passed on. */
function mappingOf(error: PurserError, surface: 'gateway' | 'management'): Mapping {
  const mapping = (surface === 'gateway' ? GATEWAY_MAPPINGS[error.code] : undefined) ?? MAPPINGS[error.code]
  if (error.code !== 'upstream_rejected') return mapping
  const [defaultStatus, type] = mapping
  const { status, code } = error.details ?? {}
  const providerStatus = REJECTION_STATUSES.includes(status) ? (status as number) : defaultStatus
  const providerCode = nonEmptyText(code)
  return providerCode === undefined ? [providerStatus, type] : [providerStatus, type, providerCode]
}

/** OpenAI's clients retry 408, 409, 429 and 5xx by themselves; `x-should-retry: false` stops them where it is useless. */
function retryHeaders(status: number, retryable: boolean, retryAfterMs: unknown): Record<string, string> {
  const headers: Record<string, string> = {}
  if (typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0) {
    headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000))
  }
  if (!retryable && (status === 408 || status === 409 || status === 429 || status >= 500)) {
    headers['x-should-retry'] = 'false'
  }
  return headers
}

function nonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
