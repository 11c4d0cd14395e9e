import type { FastifyError, FastifyRequest } from 'fastify'
import {
  createErrorResponse,
  type ErrorResponse,
  type ErrorResponseContext,
  PurserError,
  toErrorResponse,
} from 'purser'
import type { ServerOptions } from '../config/server-options.ts'
import { type AnthropicError, toAnthropicError } from '../formats/anthropic-error.ts'
import { speaksAnthropic } from './surface.ts'

/** Validation errors in one response. */
const MAX_ISSUES = 20
/** Longer names of a caller's fields are cut. */
const MAX_PATH_CHARACTERS = 128

/** An error of HTTP itself: a missing key, an unknown route, a failed precondition. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: number
  readonly code: string
  readonly hint: string | undefined
  readonly param: string | undefined
  readonly issues: readonly Issue[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, options: HttpErrorOptions = {}) {
    super(message)
    this.status = status
    this.code = code
    this.hint = options.hint
    this.param = options.param
    this.issues = options.issues
    this.headers = options.headers ?? {}
  }
}

export interface HttpErrorOptions {
  readonly hint?: string | undefined
  readonly param?: string | undefined
  readonly issues?: readonly Issue[] | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** One validation error of a body or a query. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** Maps any error to status, headers and the error body. An unexpected error becomes 500 without its details. */
export function mapError(error: unknown, options: ErrorResponseContext): ErrorResponse {
  if (PurserError.is(error)) return toErrorResponse(error, options)
  const httpError = error instanceof HttpError ? error : mapFastifyError(error)
  if (httpError === undefined) return toErrorResponse(error, options)
  const { status, code, message, hint, param, issues, headers } = httpError
  const fields = { code, message, ...(hint === undefined ? {} : { hint }), ...(param === undefined ? {} : { param }) }
  const response = createErrorResponse(status, fields, options)
  const body = issues === undefined ? response.body.error : { ...response.body.error, issues }
  return { ...response, headers: { ...response.headers, ...headers }, body: { error: body } }
}

/** The body of an error in the format of the endpoint: Anthropic's on `/v1/messages`, OpenAI's everywhere else. */
export function formatErrorBody(
  { status, body }: ErrorResponse,
  { url }: Pick<FastifyRequest, 'url'>,
  { prefix }: Pick<ServerOptions, 'prefix'>,
): ErrorResponse['body'] | AnthropicError {
  return speaksAnthropic(url, prefix) ? toAnthropicError(body.error, status) : body
}

/** Fastify's own 4xx errors; undefined for an error of the server. */
function mapFastifyError(error: unknown): HttpError | undefined {
  const { code, statusCode, validation, validationContext, message } = error as Partial<FastifyError>
  if (validation !== undefined) {
    const issues = validation
      .slice(0, MAX_ISSUES)
      .map((issue) => ({ path: formatPath(issue), message: formatMessage(issue) }))
    const first = issues[0] ?? { path: '', message: 'is not valid' }
    const source = validationContext === 'querystring' ? 'query' : (validationContext ?? 'body')
    const subject = first.path === '' ? source : `${source} '${first.path}'`
    return new HttpError(400, 'invalid_request_error', `The ${subject} ${first.message}.`, {
      param: first.path === '' ? undefined : first.path,
      issues,
    })
  }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return undefined
  return new HttpError(statusCode, 'invalid_request_error', FASTIFY_MESSAGES[code ?? ''] ?? message ?? 'Bad request.')
}

const FASTIFY_MESSAGES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The request body exceeds the size limit.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Unsupported Content-Type: the request body must be application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The request body is empty; it must be JSON.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The request body is not valid JSON.',
  FST_ERR_BAD_URL: 'The URL is malformed.',
}

interface SchemaIssue {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Record<string, unknown>
  readonly message?: string | undefined
}

function formatPath({ instancePath, keyword, params }: SchemaIssue): string {
  const segments = instancePath.split('/').slice(1)
  const field = keyword === 'required' ? params.missingProperty : params.additionalProperty
  if (typeof field === 'string') segments.push(field)
  return shorten(segments.join('.'))
}

function shorten(text: string): string {
  return text.length > MAX_PATH_CHARACTERS ? `${text.slice(0, MAX_PATH_CHARACTERS)}…` : text
}

/** Reads after the subject, as in `The body 'cap' is missing.` */
function formatMessage({ keyword, params, message }: SchemaIssue): string {
  if (keyword === 'required') return 'is missing'
  if (keyword === 'additionalProperties') return 'is unknown'
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`
  return message ?? 'is not valid'
}
