import type { IncomingHttpHeaders } from 'node:http'
import { PurserError } from '../../errors.ts'

const MAX_MESSAGE_LENGTH = 1_000

export interface Failure {
  readonly provider: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body, or the beginning of it. */
  readonly text: string
  /** Wall clock, epoch ms: for a `retry-after` that is a date. */
  readonly now: number
}

interface Told {
  readonly message: string | undefined
  readonly code: string | undefined
  readonly param: string | undefined
}

/** What a provider's status means here. Only a refused request quotes the provider: its words are for the client. */
export function failureOf({ provider, status, headers, text, now }: Failure): PurserError {
  const who = `The provider '${provider}'`
  if (status === 401 || status === 403) {
    return new PurserError('upstream_auth', `${who} refused the key (status ${status}).`, {
      hint: 'Check the key that is set for this provider, and what it may be used for.',
      details: { status },
    })
  }
  if (status === 429) {
    const retryAfterMs = retryAfterOf(headers, now)
    return new PurserError('upstream_rate_limited', `${who} asks to slow down.`, {
      details: retryAfterMs === undefined ? { status } : { status, retryAfterMs },
    })
  }
  if (status === 400 || status === 404 || status === 413 || status === 422) return rejection(who, status, toldBy(text))
  if (status >= 300 && status < 400) {
    return new PurserError('upstream_failed', `${who} answered with a redirect, which is not followed.`, {
      hint: "Set the provider's baseURL to the address it redirects to.",
      details: { status },
    })
  }
  return new PurserError('upstream_failed', `${who} failed with status ${status}.`, { details: { status } })
}

/** An error that came as an event of a stream, or with status 200. */
export function failureInBand(provider: string, text: string): PurserError | undefined {
  const error = errorMember(text)
  if (error === undefined) return undefined
  const status = typeof error === 'object' ? Number(error.status ?? error.code) : Number.NaN
  const told = Number.isInteger(status) && status >= 400 && status < 600
  return failureOf({ provider, status: told ? status : 500, headers: {}, text, now: 0 })
}

function errorMember(text: string): Record<string, unknown> | string | undefined {
  const parsed = parseJson(text)
  const error = isFields(parsed) && !Array.isArray(parsed.choices) ? parsed.error : undefined
  return isFields(error) || (typeof error === 'string' && error !== '') ? error : undefined
}

function rejection(who: string, status: number, { message, code, param }: Told): PurserError {
  return new PurserError('upstream_rejected', message ?? `${who} refused the request (status ${status}).`, {
    details: { status, ...(code === undefined ? {} : { code }), ...(param === undefined ? {} : { param }) },
  })
}

/** Providers say `{ error: { message } }`, `{ error }`, `{ message }` or `{ detail }`. */
function toldBy(text: string): Told {
  const body = parseJson(text)
  if (!isFields(body)) return { message: undefined, code: undefined, param: undefined }
  const error = isFields(body.error) ? body.error : body
  const message = [error.message, body.error, body.detail].find((candidate) => typeof candidate === 'string')
  return {
    message: textOf(message)?.slice(0, MAX_MESSAGE_LENGTH),
    code: /^[a-z0-9_.-]{1,64}$/i.test(String(error.code)) ? textOf(error.code) : undefined,
    param: textOf(error.param)?.slice(0, 200),
  }
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date. */
export function retryAfterOf(headers: IncomingHttpHeaders, now: number): number | undefined {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN)
  if (Number.isFinite(exact) && exact >= 0) return exact
  const told = headers['retry-after']
  if (told === undefined || told === '') return undefined
  const seconds = Number(told)
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1000 : undefined
  const date = Date.parse(told)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** A network that failed, or an error that is told already. The message names the system's code, never an address. */
export function networkFailure(provider: string, cause: unknown): unknown {
  if (PurserError.is(cause)) return cause
  const code = cause instanceof Error && 'code' in cause ? textOf(cause.code) : undefined
  const why = code === undefined ? '' : ` (${code})`
  return new PurserError('upstream_failed', `The connection to the provider '${provider}' failed${why}.`, { cause })
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
