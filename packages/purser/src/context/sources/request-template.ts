import { isObject } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import type { HttpSource } from '../../options/context-section.ts'

/** What is inserted into a request. */
export interface RequestValues {
  readonly user: string
  readonly query: string
}

const PLACEHOLDER = /\{(user|query)\}/g
/** Replace the placeholders while a URL is parsed: letters and digits, which no part of a URL changes. */
const STAND_INS = { user: 'zz7purseruser7zz', query: 'zz7purserquery7zz' } as const
const STAND_IN = /zz7purser(user|query)7zz/g
const FIELDS = ['url', 'method', 'body', 'headers', 'select', 'needs']
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
  /** Names of fields that lead to the data in the answer. */
  readonly select: readonly string[]
  fill(values: RequestValues): FilledRequest
}

/**
 * Validates a source once and makes a template of it. Throws `option_invalid`. A user id is encoded for the position it
 * is inserted at, so that no id can add a parameter, change the path or start a header; two ids never give one request.
 */
export function parseRequestTemplate(
  source: HttpSource,
  { section, needsQuery }: { readonly section: string; readonly needsQuery: boolean },
): RequestTemplate {
  const invalid = createErrorFactory(section)
  for (const field of Object.keys(source)) {
    if (!FIELDS.includes(field)) throw invalid(`has an unknown field '${field}'`, `Valid fields: ${FIELDS.join(', ')}.`)
  }
  const { body } = source
  const method = parseMethod(source, invalid)
  const headers = parseHeaders(source.headers, invalid)
  const url = parseUrl(source.url, invalid)
  const path = url.pathname + url.search
  const select = parseSelect(source.select, invalid)
  if (JSON.stringify([source.url, body, headers]).includes('{query}') !== needsQuery)
    throw invalid(
      needsQuery ? "needs the query but has no '{query}'" : "has '{query}' but does not need the query",
      "Set needs: 'query' on the section, and use {query} in path, query, headers or body.",
    )
  return {
    origin: url.origin,
    select,
    fill: (values) => ({
      method,
      path: path.replace(STAND_IN, (_, name: keyof RequestValues) => encodeURIComponent(values[name])),
      headers: fillHeaders(headers, values, body !== undefined),
      body: body === undefined ? null : JSON.stringify(fillBody(body, values)),
    }),
  }
}

type ErrorFactory = (problem: string, hint?: string) => PurserError

function createErrorFactory(section: string): ErrorFactory {
  return (problem, hint) =>
    new PurserError('option_invalid', `The source of '${section}' ${problem}.`, { hint, details: { section } })
}

function parseSelect(select: unknown, invalid: ErrorFactory): readonly string[] {
  if (select === undefined) return []
  const path = typeof select === 'string' ? select.split('.') : ['']
  if (path.includes('')) throw invalid('has an invalid select', "It is a path such as 'results' or 'data.items'.")
  return path
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

/** The URL with stand-ins for its placeholders. */
function parseUrl(template: string, invalid: ErrorFactory): URL {
  const url = URL.parse(template.replace(PLACEHOLDER, (_, name: keyof RequestValues) => STAND_INS[name]))
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid('has no http or https URL')
  if (new RegExp(STAND_IN).test(`${url.host}${url.username}${url.password}`))
    throw invalid(
      'has {user} or {query} in its origin',
      'A user must not select the host that is called. Use it in path, query, headers or body.',
    )
  if (url.username !== '' || url.password !== '')
    throw invalid('has credentials in its URL', 'Use headers.authorization.')
  return url
}

function fillHeaders(headers: Headers, values: RequestValues, hasBody: boolean): Record<string, string> {
  const filled: Record<string, string> = { accept: 'application/json', 'accept-encoding': 'identity' }
  if (hasBody) filled['content-type'] = 'application/json'
  for (const [name, value] of Object.entries(headers))
    filled[name.toLowerCase()] = fillText(value, values, encodeHeaderText)
  return filled
}

/** Visible ASCII stays readable; all other characters, and the per cent sign itself, are percent-encoded. */
function encodeHeaderText(text: string): string {
  return text.replace(/[^\x21-\x7e]|%/gu, (character) => encodeURIComponent(character))
}

/** In one pass: what is inserted may contain a placeholder itself. */
function fillText(text: string, values: RequestValues, encode: (value: string) => string): string {
  return text.replace(PLACEHOLDER, (_, name: keyof RequestValues) => encode(values[name]))
}

/** Inserts values into strings only; JSON encodes their characters. */
function fillBody(value: unknown, values: RequestValues): unknown {
  if (typeof value === 'string') return fillText(value, values, (text) => text)
  if (Array.isArray(value)) return value.map((item) => fillBody(item, values))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, fillBody(field, values)]))
}
