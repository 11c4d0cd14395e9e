import type { IncomingHttpHeaders } from 'node:http'
import { parseExactJson } from '../../core/exact-json.ts'
import { PurserError } from '../../errors.ts'
import { type ErrorBody, parseErrorBody, statusOfError } from './error-body.ts'

/** A longer wait that a provider asks for is passed on as this one. */
const RETRY_AFTER_MAX_MS = 3_600_000

export interface HttpErrorResponse {
  readonly provider: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body, or the beginning of it. */
  readonly text: string
  /** Wall clock, epoch ms: for a `retry-after` that is a date. */
  readonly now: number
  /** Masks keys in what is quoted. */
  readonly redact: (text: string) => string
}

/** The account of the key cannot pay for the call, whatever its status. */
const BILLING_CODES: readonly unknown[] = ['insufficient_quota', 'billing_hard_limit_reached', 'insufficient_balance']

/** Statuses below 500 that say nothing about the request: the same call may succeed later. */
const TRANSIENT_STATUSES: readonly number[] = [408, 409, 425, 499]

/**
 * Maps the status of a provider to a `PurserError`. Only the error for a rejected request quotes the provider: its
 * message explains to the client what is wrong with the request.
 */
export function mapHttpError({ provider, status, headers, text, now, redact }: HttpErrorResponse): PurserError {
  const subject = `The provider '${provider}'`
  if (status === 401 || status === 403 || status === 407) {
    return new PurserError('upstream_auth', `${subject} rejected the key (status ${status}).`, {
      hint: 'Check the key of this provider and its permissions.',
      details: { status },
    })
  }
  const retryAfterMs = parseRetryAfter(headers, now)
  const details = retryAfterMs === undefined ? { status } : { status, retryAfterMs }
  if (status === 429) {
    const body = parseErrorBody(text, redact)
    if (BILLING_CODES.includes(body.code)) return requestRejected(subject, 402, body)
    return new PurserError('upstream_rate_limited', `${subject} limits the rate of requests.`, { details })
  }
  if (status >= 400 && status < 500 && !TRANSIENT_STATUSES.includes(status)) {
    return requestRejected(subject, status, parseErrorBody(text, redact))
  }
  if (status >= 300 && status < 400) {
    return new PurserError('upstream_failed', `${subject} answered with a redirect, which is not followed.`, {
      hint: "Set the provider's baseURL to the address it redirects to.",
      details: { status },
    })
  }
  return new PurserError('upstream_failed', `${subject} failed with status ${status}.`, { details })
}

/** Maps an error that a provider reported with status 200: what it wrote into `error`. */
export function mapInBandError(provider: string, error: unknown, redact: (text: string) => string): PurserError {
  const text = JSON.stringify({ error })
  const mapped = mapHttpError({ provider, status: statusOfError(error), headers: {}, text, now: 0, redact })
  const { code, message, hint, details } = mapped
  return new PurserError(code, message, { hint, details: { ...details, isInBand: true } })
}

function requestRejected(subject: string, status: number, { message, code, param }: ErrorBody): PurserError {
  return new PurserError('upstream_rejected', message ?? `${subject} rejected the request (status ${status}).`, {
    details: { status, ...(code === undefined ? {} : { code }), ...(param === undefined ? {} : { param }) },
  })
}

/** The wait in ms from `retry-after-ms`, by default from `retry-after` in seconds or as a date; bounded. */
function parseRetryAfter(headers: IncomingHttpHeaders, now: number): number | undefined {
  const waitMs = parseMilliseconds(headers['retry-after-ms']) ?? parseSecondsOrDate(headers['retry-after'], now)
  return waitMs === undefined ? undefined : Math.min(waitMs, RETRY_AFTER_MAX_MS)
}

function parseMilliseconds(value: string | string[] | undefined): number | undefined {
  const milliseconds = Number([value].flat()[0] || Number.NaN)
  return milliseconds >= 0 ? milliseconds : undefined
}

function parseSecondsOrDate(header: string | string[] | undefined, now: number): number | undefined {
  const value = [header].flat()[0]
  if (value === undefined || value.trim() === '') return undefined
  const seconds = Number(value)
  if (!Number.isNaN(seconds)) return seconds >= 0 ? seconds * 1000 : undefined
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/**
 * Maps an error of the network to `upstream_failed`; a `PurserError` is returned as it is. The message has the code of
 * the operating system, never an address.
 */
export function mapNetworkError(provider: string, cause: unknown): unknown {
  if (PurserError.is(cause)) return cause
  const code = cause instanceof Error && 'code' in cause ? textOf(cause.code) : undefined
  const reason = code === undefined ? '' : ` (${code})`
  return new PurserError('upstream_failed', `The connection to the provider '${provider}' failed${reason}.`, {
    cause,
    details: { isConnectionFailure: true },
  })
}

/** Undefined when the text is not JSON. Integers beyond 2^53 stay exact. */
export function parseJson(text: string): unknown {
  try {
    return parseExactJson(text)
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
