import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { PurserError } from 'purser'
import { HttpError } from '../../app/errors.ts'
import type { Identity } from '../../auth/scopes.ts'
import { getHeader } from '../../http/headers.ts'

/** Headers in which a service key names the user it acts for, in order of precedence. Body fields come after them. */
const USER_HEADERS = ['x-purser-user', 'x-openwebui-user-id', 'x-litellm-end-user-id'] as const

const METADATA_FIELD = 'metadata.user_id'

/** What names the user of a request. */
type ActingRequest = Pick<FastifyRequest, 'headers' | 'body'> & {
  readonly routeOptions: { readonly url?: string | undefined }
}

/** A header or body field that names a user. */
interface UserField {
  readonly name: string
  readonly value: unknown
}

/**
 * The user a gateway request acts for. A user key acts for its own user, and naming another is an error. With a service
 * key the first field that names a user counts; undefined when none does.
 */
export function getActingUser(request: ActingRequest, identity: Identity): string | undefined {
  const ownUser = identity.role === 'user' ? identity.user : undefined
  const isAnthropic = request.routeOptions.url?.includes('/v1/messages') === true
  if (ownUser === undefined) {
    for (const field of userFields(request)) return parseUserId(field)
    return undefined
  }
  for (const field of userFields(request)) {
    // Clients of Anthropic's format always send an id of their own here, which names a device or a session.
    if (field.name === METADATA_FIELD && isAnthropic) continue
    if (parseUserId(field) === ownUser) continue
    throw new HttpError(403, 'user_mismatch', `'${field.name}' names another user than this key belongs to.`, {
      param: field.name,
      hint: 'Omit the user, or use a service key.',
    })
  }
  return ownUser
}

/** Like `getActingUser`, for routes that require a user. */
export function requireUser(request: ActingRequest, identity: Identity): string {
  const user = getActingUser(request, identity)
  if (user !== undefined) return user
  throw new HttpError(400, 'user_required', 'Missing user.', {
    param: 'user',
    hint: "Send the header x-purser-user, or 'safety_identifier' or 'user' in the body.",
  })
}

function* userFields(request: ActingRequest): Iterable<UserField> {
  for (const name of USER_HEADERS) {
    const value = getHeader(request.headers, name, 'user_id_invalid')
    if (value !== undefined) yield { name, value }
  }
  const { body } = request
  // Of a form only the headers are read before it is passed on.
  if (body === undefined || body instanceof Readable) return
  if (!isObject(body)) throw new PurserError('request_invalid', 'The request body must be a JSON object.')
  for (const name of ['safety_identifier', 'user'] as const) {
    const value = body[name]
    if (value !== undefined && value !== null) yield { name, value }
  }
  const value = isObject(body.metadata) ? body.metadata.user_id : undefined
  if (value !== undefined && value !== null) yield { name: METADATA_FIELD, value }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Rejects an unfilled template and the JSON that some clients send as the user: either would be one id for all users.
 */
function parseUserId({ name, value }: UserField): string {
  if (typeof value === 'string' && !value.startsWith('{') && !value.includes('{{')) return value
  throw new PurserError('user_id_invalid', `'${name}' is not a valid user id.`, {
    hint: 'Send the id as plain text, not as a template or JSON.',
    details: { param: name },
  })
}
