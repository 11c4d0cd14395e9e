import { isObject } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import type { HttpSource } from '../api.ts'

const PLACEHOLDER = '{user}'
/** Replaces the placeholder while a URL is parsed: letters and digits, which no part of a URL changes. */
const STAND_IN = 'zz7purseruser7zz'
const FIELDS = ['url', 'method', 'body', 'headers']
const METHODS = ['GET', 'POST', 'PUT', 'PATCH'] as const
type Method = (typeof METHODS)[number]
type Headers = Readonly<Record<string, string>>

export interface FilledRequest {
  readonly method: Method
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | null
}

export interface RequestTemplate {
  readonly origin: string
  fill(userId: string): FilledRequest
}

/**
 * Validates a source once and makes a template of it. Throws `option_invalid`. A user id is encoded for the position it
 * is inserted at, so that no id can add a parameter, change the path or start a header; two ids never give one request.
 */
export function parseRequestTemplate(source: HttpSource, section: string): RequestTemplate {
  const invalid = createErrorFactory(section)
  for (const field of Object.keys(source)) {
    if (!FIELDS.includes(field)) throw invalid(`has an unknown field '${field}'`, `Valid fields: ${FIELDS.join(', ')}.`)
  }
  const { body } = source
  const method = parseMethod(source, invalid)
  const headers = parseHeaders(source.headers, invalid)
  const url = parseUrl(source.url, invalid)
  const path = (url.pathname + url.search).split(STAND_IN)
  return {
    origin: url.origin,
    fill: (userId) => ({
      method,
      path: path.join(encodeURIComponent(userId)),
      headers: fillHeaders(headers, userId, body !== undefined),
      body: body === undefined ? null : JSON.stringify(fillBody(body, userId)),
    }),
  }
}

type ErrorFactory = (problem: string, hint?: string) => PurserError

function createErrorFactory(section: string): ErrorFactory {
  return (problem, hint) =>
    new PurserError('option_invalid', `The source of '${section}' ${problem}.`, { hint, details: { section } })
}

/** The method, for which a body must be possible. */
function parseMethod({ method, body }: HttpSource, invalid: ErrorFactory): Method {
  const upperCase = String(method ?? (body === undefined ? 'GET' : 'POST')).toUpperCase() as Method
  if (!METHODS.includes(upperCase))
    throw invalid(`has an unsupported method '${upperCase}'`, `Valid methods: ${METHODS.join(', ')}.`)
  if (body !== undefined && (upperCase === 'GET' || !(isObject(body) || Array.isArray(body))))
    throw invalid('has an invalid body', 'A body is a JSON object or list. GET takes no body.')
  return upperCase
}

function parseHeaders(headers: unknown = {}, invalid: ErrorFactory): Headers {
  const isValid = (value: unknown): boolean => typeof value === 'string' && /^[\t\x20-\x7e]*$/.test(value)
  if (isObject(headers) && Object.values(headers).every(isValid)) return headers as Headers
  throw invalid('has invalid headers', 'Headers are names with values of ASCII text.')
}

/** The URL with `STAND_IN` for the user id. */
function parseUrl(template: string, invalid: ErrorFactory): URL {
  const url = URL.parse(template.replaceAll(PLACEHOLDER, STAND_IN))
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid('has no http or https URL')
  if (`${url.host}${url.username}${url.password}`.includes(STAND_IN))
    throw invalid(
      `has ${PLACEHOLDER} in its origin`,
      'A user id must not select the host that is called. Use it in path, query, headers or body.',
    )
  if (url.username !== '' || url.password !== '')
    throw invalid('has credentials in its URL', 'Use headers.authorization.')
  return url
}

function fillHeaders(headers: Headers, userId: string, hasBody: boolean): Record<string, string> {
  const filled: Record<string, string> = { accept: 'application/json', 'accept-encoding': 'identity' }
  if (hasBody) filled['content-type'] = 'application/json'
  for (const [name, value] of Object.entries(headers))
    filled[name.toLowerCase()] = value.replaceAll(PLACEHOLDER, () => encodeHeaderText(userId))
  return filled
}

/** Visible ASCII stays readable; all other characters, and the per cent sign itself, are percent-encoded. */
function encodeHeaderText(userId: string): string {
  return userId.replace(/[^\x21-\x7e]|%/gu, (character) => encodeURIComponent(character))
}

/** Inserts the id into strings only; JSON encodes its characters. */
function fillBody(value: unknown, userId: string): unknown {
  if (typeof value === 'string') return value.replaceAll(PLACEHOLDER, () => userId)
  if (Array.isArray(value)) return value.map((item) => fillBody(item, userId))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, fillBody(field, userId)]))
}
