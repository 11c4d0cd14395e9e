import type { FastifyRequest } from 'fastify'
import { PurserError } from 'purser'
import { HttpError } from '../../app/errors.ts'
import type { Identity } from '../../auth/roles.ts'
import { headerText } from '../../http/header-text.ts'

/** Where a service key may name the user it acts for, in this order: headers first, then fields of the body. */
const HEADERS = ['x-purser-user', 'x-openwebui-user-id', 'x-litellm-end-user-id'] as const

interface Named {
  readonly where: string
  readonly value: unknown
}

/**
 * The user a request of the gateway is for. A user key is its own user, and naming another is refused; with a service
 * key the first name given counts. Undefined when a service key names nobody.
 */
export function namedUser(request: FastifyRequest, identity: Identity): string | undefined {
  const own = identity.role === 'user' ? identity.user : undefined
  if (own === undefined) {
    for (const named of names(request)) return literal(named)
    return undefined
  }
  for (const named of names(request)) {
    if (literal(named) === own) continue
    throw new HttpError(403, 'user_mismatch', `This key belongs to another user than '${named.where}' names.`, {
      param: named.where,
      hint: 'Leave the user out, or use a service key.',
    })
  }
  return own
}

/** As `namedUser`, where nobody is an error. */
export function requiredUser(request: FastifyRequest, identity: Identity): string {
  const user = namedUser(request, identity)
  if (user !== undefined) return user
  throw new HttpError(400, 'user_required', 'This request does not say which user it is for.', {
    param: 'user',
    hint: "Send the header x-purser-user, or 'safety_identifier' or 'user' in the body.",
  })
}

function* names(request: FastifyRequest): Iterable<Named> {
  for (const where of HEADERS) {
    const value = headerText(request.headers, where, 'user_id_invalid')
    if (value !== undefined) yield { where, value }
  }
  const { body } = request
  if (body === undefined) return
  if (!isObject(body)) throw new PurserError('request_invalid', 'The request body has to be a JSON object.')
  for (const where of ['safety_identifier', 'user'] as const) {
    const value = body[where]
    if (value !== undefined && value !== null) yield { where, value }
  }
  const value = isObject(body.metadata) ? body.metadata.user_id : undefined
  if (value !== undefined && value !== null) yield { where: 'metadata.user_id', value }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A template that nobody filled, or a JSON blob that some clients send, would make everybody one user. */
function literal({ where, value }: Named): string {
  if (typeof value === 'string' && !value.startsWith('{') && !value.includes('{{')) return value
  throw new PurserError('user_id_invalid', `The user that '${where}' names is not an id.`, {
    hint: 'Give the id itself as text: no template, no JSON.',
    details: { param: where },
  })
}
