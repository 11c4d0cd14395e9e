import { PurserError } from '../../errors.ts'
import type { HttpSource } from '../api.ts'
import { isObject } from '../validate-arguments.ts'

const PLACEHOLDER = '{user}'
/** Stands for the placeholder while a URL is parsed: letters and digits, which no part of a URL changes. */
const STAND_IN = 'zz7purseruser7zz'
const FIELDS = ['url', 'method', 'body', 'headers']
const METHODS = ['GET', 'POST', 'PUT', 'PATCH'] as const
type Method = (typeof METHODS)[number]

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
 * Checks a source once and makes a template of it. A user id is encoded for the place it goes to, so that no id can
 * add a parameter, change the path or begin a header; two ids never give the same request.
 */
export function parseRequestTemplate(source: HttpSource, section: string): RequestTemplate {
  const fault = (what: string, hint?: string): PurserError =>
    new PurserError('option_invalid', `The source of '${section}' ${what}.`, { hint, details: { section } })
  for (const field of Object.keys(source))
    if (!FIELDS.includes(field)) throw fault(`has an unknown field '${field}'`, `Known here: ${FIELDS.join(', ')}.`)
  const { url: given, body, headers = {} } = source
  const method = (source.method ?? (body === undefined ? 'GET' : 'POST')).toUpperCase() as Method
  if (!METHODS.includes(method)) throw fault(`has the method '${method}'`, `Use one of ${METHODS.join(', ')}.`)
  if (body !== undefined && (method === 'GET' || !(isObject(body) || Array.isArray(body))))
    throw fault('has a body that cannot be sent', 'A body is a JSON object or list, and not for GET.')
  if (
    !isObject(headers) ||
    !Object.values(headers).every((value) => typeof value === 'string' && /^[\t\x20-\x7e]*$/.test(value))
  )
    throw fault('has headers that cannot be sent', 'Names with values of plain text.')

  const url = URL.parse(given.replaceAll(PLACEHOLDER, STAND_IN))
  if (url === null || !/^https?:$/.test(url.protocol)) throw fault('has no http or https URL')
  if (`${url.host}${url.username}${url.password}`.includes(STAND_IN))
    throw fault(
      `has ${PLACEHOLDER} in its origin`,
      'A user id must not choose the host that is called. Put it in path, query, headers or body.',
    )
  if (url.username !== '' || url.password !== '')
    throw fault('has credentials in its URL', 'Put them in headers.authorization.')

  const path = (url.pathname + url.search).split(STAND_IN)
  return {
    origin: url.origin,
    fill(userId) {
      const filled: Record<string, string> = { accept: 'application/json' }
      if (body !== undefined) filled['content-type'] = 'application/json'
      for (const [name, value] of Object.entries(headers))
        filled[name.toLowerCase()] = (value as string).replaceAll(PLACEHOLDER, () => headerText(userId))
      return {
        method,
        path: path.join(encodeURIComponent(userId)),
        headers: filled,
        body: body === undefined ? null : JSON.stringify(fillBody(body, userId)),
      }
    },
  }
}

/** Visible ASCII stays readable; the rest, and the per cent sign itself, is percent-encoded. */
function headerText(userId: string): string {
  return userId.replace(/[^\x21-\x7e]|%/gu, (character) => encodeURIComponent(character))
}

/** Only strings are filled; what the id contains is encoded with the rest when the body becomes JSON. */
function fillBody(value: unknown, userId: string): unknown {
  if (typeof value === 'string') return value.replaceAll(PLACEHOLDER, () => userId)
  if (Array.isArray(value)) return value.map((item) => fillBody(item, userId))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, fillBody(field, userId)]))
}
