import { type ErrorCode, PurserError } from '../errors.ts'

/** An error as HTTP: the OpenAI error body, and headers that tell clients whether to try again. */
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
}

export interface ErrorResponseContext {
  readonly requestId?: string | undefined
  /** On the gateway a model one may not use is a model that is not there. Default `'gateway'`. */
  readonly face?: 'gateway' | 'management' | undefined
}

/** What a refused admission says. `retryAfterMs` and `resetAt` are null where nobody knows, as for an open-ended block. */
export interface RefusedAdmission {
  readonly reason: string
  readonly retryAfterMs: number | null
  readonly cap: number
  readonly resetAt: string | null
}

const INVALID = 'invalid_request_error'
const SERVER = 'server_error'
const UPSTREAM = 'upstream_error'

/** Status, type, and the code on the wire where it is another one than inside. */
type Row = readonly [status: number, type: string, code?: string]

const TABLE: Readonly<Record<ErrorCode, Row>> = {
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
  store_damaged: [500, SERVER],
  secret_key_wrong: [500, SERVER],
  version_conflict: [409, INVALID],
  idempotency_conflict: [422, INVALID],

  cap_invalid: [400, INVALID],
  cap_reached: [429, 'insufficient_quota', 'insufficient_quota'],
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

  request_invalid: [400, INVALID, 'invalid_request_error'],
  turn_consumed: [500, SERVER],
  reader_slow: [503, SERVER],
  upstream_failed: [502, UPSTREAM],
  upstream_auth: [502, UPSTREAM],
  upstream_rejected: [400, INVALID],
  upstream_rate_limited: [429, 'rate_limit_error', 'rate_limit_exceeded'],
  upstream_timeout: [504, UPSTREAM],
}

const GATEWAY_ROWS: { readonly [code in ErrorCode]?: Row } = {
  model_not_allowed: [404, INVALID, 'model_not_found'],
}

/** What a provider may have said of a request; other statuses of it are its failures, not the client's. */
const REJECTIONS: readonly unknown[] = [400, 404, 413, 422]

/** The one translation of errors to HTTP. An error that is not Purser's own tells nothing of itself. */
export function toErrorResponse(error: unknown, context: ErrorResponseContext = {}): ErrorResponse {
  if (!PurserError.is(error)) {
    return problem([500, SERVER], { message: 'Something went wrong here.', code: 'internal_error', context })
  }
  const details = error.details ?? {}
  const row = rowOf(error, context.face ?? 'gateway')
  return problem(row, {
    message: error.message,
    code: row[2] ?? error.code,
    param: textOf(details.param),
    hint: error.hint,
    headers: retryHeaders(row[0], error.retryable, details.retryAfterMs),
    context,
  })
}

/** A refused admission: 429 with the instant of the reset, or 403 for a blocked user. */
export function toRefusalResponse(admission: RefusedAdmission, context: ErrorResponseContext = {}): ErrorResponse {
  if (admission.reason === 'blocked') {
    return problem(TABLE.user_blocked, { message: 'This user is blocked.', code: 'user_blocked', context })
  }
  const until = admission.resetAt === null ? '' : ` The quota will reset at ${admission.resetAt}.`
  return problem(TABLE.cap_reached, {
    message: `You have used up your ${admission.cap} messages.${until}`,
    code: 'insufficient_quota',
    headers: retryHeaders(429, false, admission.retryAfterMs),
    context,
  })
}

/** A problem of HTTP itself, which has no error behind it: `unknown_url`, `invalid_api_key`, a body that is too large. */
export function createErrorResponse(
  status: number,
  fields: { readonly code: string; readonly message: string; readonly param?: string; readonly hint?: string },
  context: ErrorResponseContext = {},
): ErrorResponse {
  return problem([status, status >= 500 ? SERVER : INVALID], { ...fields, context })
}

interface Fields {
  readonly message: string
  readonly code: string
  readonly param?: string | undefined
  readonly hint?: string | undefined
  readonly headers?: Record<string, string>
  readonly context: ErrorResponseContext
}

function problem([status, type]: Row, { message, code, param, hint, headers = {}, context }: Fields): ErrorResponse {
  const error: ErrorBody = {
    message,
    type,
    param: param ?? null,
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(context.requestId === undefined ? {} : { requestId: context.requestId }),
  }
  return { status, headers, body: { error } }
}

function rowOf(error: PurserError, face: 'gateway' | 'management'): Row {
  const row = (face === 'gateway' ? GATEWAY_ROWS[error.code] : undefined) ?? TABLE[error.code]
  if (error.code !== 'upstream_rejected') return row
  const status = REJECTIONS.includes(error.details?.status) ? (error.details?.status as number) : row[0]
  const code = textOf(error.details?.code)
  return code === undefined ? [status, row[1]] : [status, row[1], code]
}

/** Clients try 408, 409, 429 and 5xx again by themselves; where that is of no use they are told. */
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

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
