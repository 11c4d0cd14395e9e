import type { FastifyReply, FastifyRequest, FastifySchema, RouteOptions, RouteShorthandOptions } from 'fastify'
import { PurserError, type User } from 'purser'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { identityOf } from '../auth/authenticate.ts'
import type { Access } from '../auth/roles.ts'
import { headerText } from './header-text.ts'

/** A JSON schema, as far as routes need it. */
export type Schema = Readonly<Record<string, unknown>>

export interface RouteWords {
  /** One sentence for the API document. */
  readonly summary: string
  readonly tag: string
  readonly query?: Readonly<Record<string, Schema>>
  readonly body?: Schema
  /** Further path parameters beside `:id`. */
  readonly params?: readonly string[]
  /** What a 2xx answer holds, for the API document. */
  readonly answer?: Schema
}

/** Tags of addresses that others call in their own way, such as clients of the OpenAI API and probes. */
const FREE_QUERIES: readonly string[] = ['gateway', 'service', 'deck']

/**
 * The options of one route: who may use it and what it takes. Values that the library judges with a code of its own
 * (caps, notes, zones, detections) have no type here, so that the answer carries that code.
 */
export function route(access: Access, words: RouteWords): RouteShorthandOptions {
  const { summary, tag, body, params, answer } = words
  const query = words.query ?? (FREE_QUERIES.includes(tag) ? undefined : {})
  const schema: FastifySchema & Record<string, unknown> = {
    summary,
    tags: [tag],
    description: `Access: ${access}.`,
    ...(access === 'public' ? { security: [] } : {}),
    ...(query === undefined ? {} : { querystring: object(query) }),
    ...(params === undefined ? {} : { params: object(Object.fromEntries(params.map((name) => [name, TEXT])), params) }),
    ...(body === undefined ? {} : { body }),
    response: { '2xx': answer ?? { description: 'Done.' }, '4xx': { $ref: 'Problem#' }, '5xx': { $ref: 'Problem#' } },
  }
  return { schema, config: { access } }
}

export const TEXT: Schema = { type: 'string' }
export const ANY_OBJECT: Schema = { type: 'object', additionalProperties: true }
export const ANY_VALUE: Schema = {}

/** Query values are text: nothing is coerced, so numbers are patterns and are read by `numberIn`. */
export const WHOLE_NUMBER: Schema = { type: 'string', pattern: '^\\d{1,15}$' }
export const DECIMAL: Schema = { type: 'string', pattern: '^\\d{1,15}(\\.\\d{1,6})?$' }
export const FLAG: Schema = { type: 'string', enum: ['true', 'false'] }

export function object(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', properties, required, additionalProperties: false }
}

/** A body that may be left out altogether. */
export function optionalObject(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: ['object', 'null'], properties, additionalProperties: false }
}

/** An answer that is no JSON. */
export function textOf(mediaType: string, description: string): Schema {
  return { description, content: { [mediaType]: { schema: TEXT } } }
}

const CHANGES = ['POST', 'PUT', 'PATCH', 'DELETE']

/** Whether a route belongs to the management API and may change something. */
export function isChange({
  method,
  routePath,
}: Pick<RouteOptions, 'method'> & { readonly routePath: string }): boolean {
  return CHANGES.includes(String(method)) && routePath.startsWith('/api/')
}

export function listOf(description: string): Schema {
  return {
    description,
    type: 'object',
    properties: { data: { type: 'array', items: {} }, cursor: { type: ['string', 'null'] } },
    required: ['data', 'cursor'],
  }
}

/** The user a management route is about. Throws `user_id_invalid`. */
export function userOf(request: FastifyRequest, house: AppContext): User {
  return house.purser.user(paramOf(request, 'id'))
}

export function paramOf(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? ''
}

export function queryOf(request: FastifyRequest): Readonly<Record<string, string | undefined>> {
  return request.query as Record<string, string | undefined>
}

export function numberIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

/** The body as an object; `{}` when there was none. */
export function bodyOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  return (request.body ?? {}) as Record<string, unknown>
}

/** Who acts, and why: the key's name, and the body's or the header's reason. */
export function actOf(request: FastifyRequest): { readonly actor: string; readonly reason: string | undefined } {
  const reason = bodyOf(request).reason ?? reasonHeader(request)
  if (reason !== undefined && typeof reason !== 'string') {
    throw new HttpError(400, 'invalid_request_error', "The 'reason' has to be text.", { param: 'reason' })
  }
  return { actor: identityOf(request).name, reason }
}

/** Why, where the body is not asked. */
export function reasonHeader(request: FastifyRequest): string | undefined {
  return headerText(request.headers, 'x-purser-reason')
}

/** As `actOf`, for what may not be done without a reason. */
export function reasonedActOf(request: FastifyRequest): { readonly actor: string; readonly reason: string } {
  const { actor, reason } = actOf(request)
  if (reason !== undefined && reason.trim() !== '') return { actor, reason }
  throw new HttpError(400, 'invalid_request_error', 'This needs a reason.', {
    param: 'reason',
    hint: "Give it as 'reason' in the body or as x-purser-reason.",
  })
}

export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  return headerText(request.headers, 'idempotency-key')
}

/** For calls that the library remembers by their key: across restarts and in every process. */
export function repeatOf(request: FastifyRequest): {
  readonly idempotencyKey: string | undefined
  readonly onReplay: () => void
} {
  return {
    idempotencyKey: idempotencyKeyOf(request),
    onReplay() {
      request.replayed = true
    },
  }
}

/** Answers a value that has a version, with the version as its ETag. */
export function tagged<Value extends { readonly version: number }>(reply: FastifyReply, value: Value): Value {
  reply.header('etag', `"${value.version}"`)
  return value
}

/** The version an `If-Match` names; undefined without one. */
export function expectedVersion(request: FastifyRequest): number | undefined {
  const tag = matchOf(request)
  if (tag === undefined) return undefined
  const version = /^(?:W\/)?"(\d+)"$/.exec(tag)?.[1]
  if (version === undefined) throw preconditionFailed('That If-Match is not a version of this.')
  return Number(version)
}

/** For calls that change no version themselves, or end them all: refuses what was decided on another one. */
export async function requireVersion(request: FastifyRequest, user: User): Promise<void> {
  const expected = expectedVersion(request)
  if (expected === undefined) return
  const { version } = await user.ledger.bond()
  if (version !== expected) throw preconditionFailed(`The user is at version ${version}, not ${expected}.`)
}

/** The `If-Match`; undefined when there is none, or any will do. */
export function matchOf(request: FastifyRequest): string | undefined {
  const tag = request.headers['if-match']?.trim()
  return tag === '*' ? undefined : tag
}

/** Runs what was decided on the version that `If-Match` named; 412 when it has another by now. */
export async function decidedOn<Value>(request: FastifyRequest, act: () => Promise<Value>): Promise<Value> {
  try {
    return await act()
  } catch (error) {
    if (matchOf(request) === undefined || !PurserError.is(error, 'version_conflict')) throw error
    throw preconditionFailed(error.message)
  }
}

function preconditionFailed(message: string): HttpError {
  return new HttpError(412, 'version_conflict', message, { hint: 'Read it again and decide anew.' })
}
