import type { FastifyError } from 'fastify'
import {
  createErrorResponse,
  type ErrorResponse,
  type ErrorResponseContext,
  PurserError,
  toErrorResponse,
} from 'purser'

/** An answer of HTTP itself that is not 2xx: no key, an unknown address, a condition that failed. */
export class HttpError extends Error {
  override readonly name = 'HttpProblem'
  readonly status: number
  readonly code: string
  readonly hint: string | undefined
  readonly param: string | undefined
  readonly issues: readonly Issue[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, more: ProblemDetail = {}) {
    super(message)
    this.status = status
    this.code = code
    this.hint = more.hint
    this.param = more.param
    this.issues = more.issues
    this.headers = more.headers ?? {}
  }
}

export interface ProblemDetail {
  readonly hint?: string | undefined
  readonly param?: string | undefined
  readonly issues?: readonly Issue[] | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** One thing that is wrong with a body or a query. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** Whatever went wrong, as status, headers and the error body. */
export function problemFrom(error: unknown, context: ErrorResponseContext): ErrorResponse {
  if (PurserError.is(error)) return toErrorResponse(error, context)
  const http = error instanceof HttpError ? error : fromFastify(error)
  if (http === undefined) return toErrorResponse(error, context)
  const { status, code, message, hint, param, issues, headers } = http
  const fields = { code, message, ...(hint === undefined ? {} : { hint }), ...(param === undefined ? {} : { param }) }
  const problem = createErrorResponse(status, fields, context)
  const detail = issues === undefined ? problem.body.error : { ...problem.body.error, issues }
  return { ...problem, headers: { ...problem.headers, ...headers }, body: { error: detail } }
}

/** Fastify's own refusals of a request; undefined for what is our fault. */
function fromFastify(error: unknown): HttpError | undefined {
  const { code, statusCode, validation, validationContext, message } = error as Partial<FastifyError>
  if (validation !== undefined) {
    const issues = validation.map((issue) => ({ path: pathOf(issue), message: sentenceOf(issue) }))
    const first = issues[0] ?? { path: '', message: 'is not valid' }
    const where = `${validationContext === 'querystring' ? 'query' : (validationContext ?? 'body')}${first.path === '' ? '' : ` '${first.path}'`}`
    return new HttpError(400, 'invalid_request_error', `The ${where} ${first.message}.`, {
      param: first.path === '' ? undefined : first.path,
      issues,
    })
  }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return undefined
  return new HttpError(statusCode, 'invalid_request_error', FASTIFY_MESSAGES[code ?? ''] ?? message ?? 'Bad request.')
}

const FASTIFY_MESSAGES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The request body is larger than this server takes.',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The request body has to be application/json.',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The request body is empty; it has to be JSON.',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The request body is not valid JSON.',
  FST_ERR_BAD_URL: 'The address is not well formed.',
}

interface SchemaIssue {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Record<string, unknown>
  readonly message?: string | undefined
}

function pathOf({ instancePath, keyword, params }: SchemaIssue): string {
  const steps = instancePath.split('/').slice(1)
  const extra = keyword === 'required' ? params.missingProperty : params.additionalProperty
  if (typeof extra === 'string') steps.push(extra)
  return steps.join('.')
}

function sentenceOf({ keyword, params, message }: SchemaIssue): string {
  if (keyword === 'required') return 'is missing'
  if (keyword === 'additionalProperties') return 'is not known here'
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`
  return message ?? 'is not valid'
}
