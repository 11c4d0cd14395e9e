import { isObject } from '../../core/validate.ts'

const MESSAGE_MAX_CHARACTERS = 1_000
const PARAM_MAX_CHARACTERS = 200
/** Nesting in which a message is looked for, and how many messages of a list are joined. */
const DEPTH_MAX = 6
const MESSAGES_MAX = 3

/** What a provider says in the body of an error. */
export interface ErrorBody {
  readonly message?: string | undefined
  readonly code?: string | undefined
  readonly param?: string | undefined
}

/**
 * Fields that hold the message, the most specific first: `error_description` explains `error` (OAuth), `detail` explains
 * `title` (RFC 9457). An `error` that is an object explains a `message` beside it; one that is text is only a name then.
 */
const MESSAGE_FIELDS = [
  'error_description',
  'message',
  'Message',
  'msg',
  'errorMessage',
  'error_message',
  'error_msg',
  'error',
  'errors',
  'detail',
  'details',
  'description',
  'reason',
  'title',
  'text',
] as const

/**
 * Reads the body of an error in the shapes that providers and proxies use: objects, lists and texts, nested in one
 * another, as JSON, as an event, or as plain text. `redact` masks keys; it is applied to the parsed values, which a
 * server may have escaped. Markup is not quoted.
 */
export function parseErrorBody(text: string, redact: (text: string) => string): ErrorBody {
  const body = parseBody(text)
  const message = findMessage(body, 0)
  const { code, param } = findError(body)
  return {
    message: message === undefined ? undefined : cut(redact(message), MESSAGE_MAX_CHARACTERS),
    code: textOf(code),
    param: param === undefined ? undefined : cut(redact(param), PARAM_MAX_CHARACTERS),
  }

  function textOf(value: unknown): string | undefined {
    const isCode = typeof value === 'string' && /^[a-z0-9_.-]{1,64}$/i.test(value) && redact(value) === value
    return isCode ? value : undefined
  }
}

function parseBody(text: string): unknown {
  const trimmed = text.trim()
  // An event of a stream as the body of a response.
  const json = /^(?:event|data):/.test(trimmed) ? (/^data: ?(.*)$/m.exec(trimmed)?.[1] ?? trimmed) : trimmed
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}

function findMessage(value: unknown, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return undefined
  if (typeof value === 'string') {
    // A proxy may quote the body of the provider behind it as text.
    const inner = /^\s*[[{]/.test(value) ? parseBody(value) : value
    return typeof inner === 'string' ? quotable(inner) : findMessage(inner, depth + 1)
  }
  if (Array.isArray(value)) {
    const messages = value.slice(0, MESSAGES_MAX).map((entry) => findMessage(entry, depth + 1))
    return messages.filter((message) => message !== undefined).join('; ') || undefined
  }
  if (!isObject(value)) return undefined
  const nested = isNested(value.error) ? findMessage(value.error, depth + 1) : undefined
  const message = nested ?? findField(value, depth)
  if (message === undefined) return undefined
  return withOrigin(withLocation(message, value), value, depth)
}

function findField(body: Readonly<Record<string, unknown>>, depth: number): string | undefined {
  for (const field of MESSAGE_FIELDS) {
    const message = Object.hasOwn(body, field) ? findMessage(body[field], depth + 1) : undefined
    if (message !== undefined) return message
  }
  return isObject(body.errors) ? findByField(body.errors, depth) : undefined
}

/** `{ errors: { seed: ['is too large'] } }`: messages by the name of the field. */
function findByField(errors: Readonly<Record<string, unknown>>, depth: number): string | undefined {
  const [first] = Object.entries(errors)
  const message = first === undefined ? undefined : findMessage(first[1], depth + 1)
  return message === undefined ? undefined : `${first?.[0]}: ${message}`
}

/** `{ loc: ['body', 'seed'], msg }`, as pydantic reports an invalid field. */
function withLocation(message: string, { loc }: Readonly<Record<string, unknown>>): string {
  return Array.isArray(loc) && loc.length > 0 ? `${loc.join('.')}: ${message}` : message
}

/** `{ message: 'Provider returned error', metadata: { raw } }`, as a proxy quotes the error of the provider behind it. */
function withOrigin(message: string, { metadata }: Readonly<Record<string, unknown>>, depth: number): string {
  const origin = isObject(metadata) ? findMessage(metadata.raw, depth + 1) : undefined
  return origin === undefined ? message : `${message}: ${origin}`
}

/** The object that has the code and the parameter. */
function findError(body: unknown): { readonly code?: unknown; readonly param?: string | undefined } {
  const first = Array.isArray(body) ? body[0] : body
  if (!isObject(first)) return {}
  const { error, errors } = first
  const inner = Array.isArray(error) ? error[0] : (error ?? (Array.isArray(errors) ? errors[0] : undefined))
  const { code, param } = isObject(inner) ? inner : first
  return { code, param: typeof param === 'string' && param !== '' ? param : undefined }
}

const STATUSES_BY_NAME: readonly (readonly [RegExp, number])[] = [
  [/^(?:invalid_request_error|invalid_argument|invalid_prompt|context_length_exceeded|bad_request)$/i, 400],
  [/^(?:authentication_error|unauthenticated|invalid_api_key)$/i, 401],
  [/^(?:insufficient_quota|billing_error)$/i, 402],
  [/^(?:permission_error|permission_denied)$/i, 403],
  [/^(?:not_found_error|not_found|model_not_found)$/i, 404],
  [/^(?:rate_limit_error|rate_limit_exceeded|resource_exhausted)$/i, 429],
  [/^(?:overloaded_error|unavailable)$/i, 503],
]

/** The HTTP status that an error in a stream stands for, by its number or by its name. Default: 500. */
export function statusOfError(error: unknown): number {
  if (!isObject(error)) return 500
  const facts = [error.status, error.code, error.status_code, error.statusCode, error.type]
  const status = facts.map(Number).find((fact) => Number.isInteger(fact) && fact >= 400 && fact < 600)
  if (status !== undefined) return status
  const named = STATUSES_BY_NAME.find(([name]) => facts.some((fact) => typeof fact === 'string' && name.test(fact)))
  return named?.[1] ?? 500
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

/** Text without line breaks and control characters; undefined for nothing, and for a page of markup. */
function quotable(text: string): string | undefined {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  return line === '' || line.startsWith('<') ? undefined : line
}

function cut(text: string, maxCharacters: number): string {
  return text.slice(0, maxCharacters).toWellFormed()
}
