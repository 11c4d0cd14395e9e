import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { runAudited } from 'purser/internal'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { getIdentity } from '../auth/authenticate.ts'
import type { Role } from '../auth/scopes.ts'
import { isMutation } from './define-route.ts'
import { getHeader } from './headers.ts'
import { getBody, getParam } from './params.ts'

const REASON_MAX_BYTES = 1_024

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

/** The reason of the header, where nothing else checks it: absent if empty. Throws 400 if it is too long. */
function getReason(request: FastifyRequest): string | undefined {
  const reason = getReasonHeader(request)
  if (reason === undefined || reason === '') return undefined
  if (Buffer.byteLength(reason) <= REASON_MAX_BYTES) return reason
  throw new HttpError(400, 'invalid_request_error', `The reason must not exceed ${REASON_MAX_BYTES} bytes.`, {
    param: 'x-purser-reason',
  })
}

/** Roles of people. What a service does for its users is traffic, and leaves no event of its own. */
const PEOPLE: readonly Role[] = ['operator', 'admin']

/**
 * Makes every write of a management route leave an event with actor, reason and origin, in the commit of the write. A
 * service key leaves none for what an application reports all the time, because the `version` of a user would change
 * with each message. Register before the routes.
 */
export function registerAudit(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (!isMutation(route) || !route.url.includes('/:id/')) return
    const isTraffic = route.config?.isTraffic === true
    const { handler } = route
    const name = describeRequest(String(route.method), route.url)
    route.handler = function (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
      const { role, name: actor, origin } = getIdentity(request)
      if (isTraffic && !PEOPLE.includes(role)) return handler.call(this, request, reply)
      const audit = { user: getParam(request, 'id'), actor, reason: getReason(request), origin, request: name }
      return runAudited(audit, () => handler.call(this, request, reply))
    }
  })
}

/** Records in the namespace's own log a change that belongs to no user, or that is not made through a user's log. */
export async function recordAudit(
  request: FastifyRequest,
  { purser }: AppContext,
  {
    action,
    detail,
    data,
  }: { readonly action: string; readonly detail: string; readonly data?: Record<string, unknown> },
): Promise<void> {
  const { name: actor, origin } = getIdentity(request)
  await purser.recordAudit(action, { detail, data, actor, origin, reason: getReason(request) })
}

/** Records in the log of the user in the path a change that is not made through that log, such as of caches. */
export async function recordRequest(request: FastifyRequest, { purser }: AppContext): Promise<void> {
  const { role, name: actor, origin } = getIdentity(request)
  if (!PEOPLE.includes(role)) return
  const detail = describeRequest(String(request.routeOptions.method), request.routeOptions.url ?? '')
  const user = getParam(request, 'id')
  await purser.recordAudit('api_call', { user, detail, actor, origin, reason: getReason(request) })
}

/** `PUT /api/users/:id/profile` becomes `PUT profile`. */
function describeRequest(method: string, path: string): string {
  return `${method} ${path.slice(path.indexOf('/:id/') + '/:id/'.length)}`
}
