import type { IncomingHttpHeaders } from 'node:http'
import { isObject } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'

const MESSAGE_MAX_CHARACTERS = 1_000
const PARAM_MAX_CHARACTERS = 200

export interface HttpErrorResponse {
  readonly provider: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body, or the beginning of it. */
  readonly text: string
  /** Wall clock, epoch ms: for a `retry-after` that is a date. */
  readonly now: number
}

interface ErrorBody {
  readonly message?: string | undefined
  readonly code?: string | undefined
  readonly param?: string | undefined
}

/**
 * Maps the status of a provider to a `PurserError`. Only the error for a rejected request quotes the provider: its
 * message explains to the client what is wrong with the request.
 */
export function mapHttpError({ provider, status, headers, text, now }: HttpErrorResponse): PurserError {
  const subject = `The provider '${provider}'`
  if (status === 401 || status === 403) {
    return new PurserError('upstream_auth', `${subject} rejected the key (status ${status}).`, {
      hint: 'Check the key of this provider and its permissions.',
      details: { status },
    })
  }
  if (status === 429) {
    const retryAfterMs = parseRetryAfter(headers, now)
    return new PurserError('upstream_rate_limited', `${subject} limits the rate of requests.`, {
      details: retryAfterMs === undefined ? { status } : { status, retryAfterMs },
    })
  }
  if (status === 400 || status === 404 || status === 413 || status === 422) {
    return requestRejected(subject, status, parseErrorBody(text))
  }
  if (status >= 300 && status < 400) {
    return new PurserError('upstream_failed', `${subject} answered with a redirect, which is not followed.`, {
      hint: "Set the provider's baseURL to the address it redirects to.",
      details: { status },
    })
  }
  return new PurserError('upstream_failed', `${subject} failed with status ${status}.`, { details: { status } })
}

/** The error in an event of a stream or in a body with status 200; undefined when the text is no error. */
export function parseInBandError(provider: string, text: string): PurserError | undefined {
  const body = parseJson(text)
  const error = isObject(body) && !Array.isArray(body.choices) ? body.error : undefined
  if (!isObject(error) && textOf(error) === undefined) return undefined
  const code = isObject(error) ? Number(error.status ?? error.code) : Number.NaN
  const status = Number.isInteger(code) && code >= 400 && code < 600 ? code : 500
  return mapHttpError({ provider, status, headers: {}, text, now: 0 })
}

function requestRejected(subject: string, status: number, { message, code, param }: ErrorBody): PurserError {
  return new PurserError('upstream_rejected', message ?? `${subject} rejected the request (status ${status}).`, {
    details: { status, ...(code === undefined ? {} : { code }), ...(param === undefined ? {} : { param }) },
  })
}

/** Providers send `{ error: { message } }`, `{ error }`, `{ message }` or `{ detail }`. */
function parseErrorBody(text: string): ErrorBody {
  const body = parseJson(text)
  if (!isObject(body)) return {}
  const error = isObject(body.error) ? body.error : body
  const message = [error.message, body.error, body.detail].find((candidate) => typeof candidate === 'string')
  return {
    message: textOf(message)?.slice(0, MESSAGE_MAX_CHARACTERS),
    code: /^[a-z0-9_.-]{1,64}$/i.test(String(error.code)) ? textOf(error.code) : undefined,
    param: textOf(error.param)?.slice(0, PARAM_MAX_CHARACTERS),
  }
}

/** The wait in ms from `retry-after-ms`, by default from `retry-after` in seconds or as a date. */
function parseRetryAfter(headers: IncomingHttpHeaders, now: number): number | undefined {
  const milliseconds = Number(headers['retry-after-ms'] ?? Number.NaN)
  if (Number.isFinite(milliseconds) && milliseconds >= 0) return milliseconds
  const value = headers['retry-after']
  if (value === undefined || value === '') return undefined
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined
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
  return new PurserError('upstream_failed', `The connection to the provider '${provider}' failed${reason}.`, { cause })
}

/** Undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
