import type { FastifyRequest } from 'fastify'
import { HttpError } from '../app/errors.ts'
import { getIdentity } from '../auth/authenticate.ts'
import { getHeader } from './headers.ts'
import { getBody } from './params.ts'

export interface Audit {
  /** The name of the key or session. */
  readonly actor: string
  readonly reason: string | undefined
}

/** The actor of a request and its reason: `reason` of the body, else the header `x-purser-reason`. */
export function parseAudit(request: FastifyRequest): Audit {
  const reason = getBody(request).reason ?? getReasonHeader(request)
  if (reason !== undefined && typeof reason !== 'string') {
    throw new HttpError(400, 'invalid_request_error', "'reason' must be text.", { param: 'reason' })
  }
  return { actor: getIdentity(request).name, reason }
}

/** Like `parseAudit`, for routes that require a reason. */
export function requireAudit(request: FastifyRequest): Audit & { readonly reason: string } {
  const { actor, reason } = parseAudit(request)
  if (reason !== undefined && reason.trim() !== '') return { actor, reason }
  throw new HttpError(400, 'invalid_request_error', 'Missing reason.', {
    param: 'reason',
    hint: "Send 'reason' in the body or the header x-purser-reason.",
  })
}

/** The reason, for routes whose body is data. */
export function getReasonHeader(request: FastifyRequest): string | undefined {
  return getHeader(request.headers, 'x-purser-reason')
}
