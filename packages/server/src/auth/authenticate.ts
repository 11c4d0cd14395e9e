import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { getHeader } from '../http/headers.ts'
import { parseSessionCookie } from './cookie.ts'
import { type RequestOrigin, validateHost, validateOrigin } from './origin.ts'
import { type Identity, isRole, SCOPE_ROLES, type Scope } from './scopes.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required of the caller. Registering a route without it throws. */
    scope?: Scope
  }
  interface FastifyRequest {
    identity: Identity | null
  }
}

const ANONYMOUS = { role: 'viewer', name: 'anonymous' } as const satisfies Identity

/**
 * Authenticates every request and checks its scope before the body is read. The host's `authorize` takes precedence
 * over a key, a key over a session. Register before the routes.
 */
export function registerAuthentication(app: FastifyInstance, context: AppContext): void {
  app.decorateRequest('identity', null)
  app.addHook('onRoute', (route) => {
    const scope = route.config?.scope
    if (scope === undefined || !Object.hasOwn(SCOPE_ROLES, scope)) {
      throw new Error(`Route ${route.method} ${route.url} declares no scope.`)
    }
  })
  app.addHook('onRequest', (request, _reply: FastifyReply, done: HookHandlerDoneFunction) => {
    const { scope } = request.routeOptions.config
    if (request.is404 || scope === undefined || scope === 'public') return done()
    let result: Identity | undefined | Promise<Identity | undefined>
    try {
      result = authenticate(request, context)
    } catch (error) {
      return done(error as Error)
    }
    if (!(result instanceof Promise)) return authorize(request, result, done)
    result.then(
      (identity) => authorize(request, identity, done),
      (error: unknown) => done(error as Error),
    )
  })
}

/** The caller of a request. Set on every route that is not public. */
export function getIdentity(request: FastifyRequest): Identity {
  return request.identity ?? ANONYMOUS
}

export function getOrigin(request: FastifyRequest): RequestOrigin {
  return {
    host: request.headers.host,
    origin: request.headers.origin,
    site: getHeader(request.headers, 'sec-fetch-site'),
    isHttps: request.protocol === 'https',
  }
}

/** Whether the client uses HTTPS, directly or to the proxy at `publicUrl`. */
export function isHttpsClient(request: FastifyRequest, { options: { publicUrl } }: AppContext): boolean {
  if (request.protocol === 'https') return true
  if (publicUrl === undefined) return false
  const { protocol, host } = new URL(publicUrl)
  return protocol === 'https:' && host === request.headers.host
}

/**
 * The caller of a request, by the host's `authorize`, a key or a session; undefined without valid credentials.
 * Synchronous for a key that is in memory, so that most requests need no extra tick.
 */
export function authenticate(
  request: FastifyRequest,
  context: AppContext,
): Identity | undefined | Promise<Identity | undefined> {
  if (context.authorize !== undefined) return authenticateByHost(request, context)
  return authenticateByCredentials(request, context)
}

async function authenticateByHost(request: FastifyRequest, context: AppContext): Promise<Identity | undefined> {
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as [string, string]],
  )
  const url = new URL(request.url, 'http://localhost')
  const result = await context.authorize?.(new Request(url, { method: request.method, headers }))
  if (result === null || result === undefined) return authenticateByCredentials(request, context)
  const { actor, role, user } = result
  if (!isRole(role) || (role === 'user') !== (user !== undefined)) {
    throw new TypeError("authorize must return a valid role, and 'user' if and only if the role is 'user'.")
  }
  return user === undefined ? { role, name: actor } : { role, name: actor, user }
}

function authenticateByCredentials(
  request: FastifyRequest,
  context: AppContext,
): Identity | undefined | Promise<Identity | undefined> {
  const { authorization, cookie } = request.headers
  if (authorization !== undefined) {
    const key = /^bearer +(\S+) *$/i.exec(authorization)?.[1]
    return key === undefined ? undefined : context.keys.authenticate(key)
  }
  const token = parseSessionCookie(cookie)
  if (token === undefined) return undefined
  const origin = getOrigin(request)
  if (request.method === 'GET' || request.method === 'HEAD') validateHost(origin, context.options)
  else validateOrigin(origin, context.options)
  return context.sessions.find(token)
}

function authorize(request: FastifyRequest, identity: Identity | undefined, done: HookHandlerDoneFunction): void {
  request.identity = identity ?? null
  done(identity === undefined ? unauthorized(request) : missingScope(request.routeOptions.config.scope, identity))
}

/** The 403 of a role without `scope`; undefined when the role has it. */
function missingScope(scope: Scope | undefined, { role }: Identity): HttpError | undefined {
  const roles = scope === undefined ? [] : SCOPE_ROLES[scope]
  if (roles.includes(role)) return undefined
  return new HttpError(403, 'forbidden', `The role '${role}' is not allowed to do this.`, {
    hint: `Allowed roles: ${roles.join(', ')}.`,
  })
}

export function unauthorized(request: FastifyRequest): HttpError {
  const hasCredentials = request.headers.authorization !== undefined
  return new HttpError(401, 'invalid_api_key', hasCredentials ? 'Invalid API key.' : 'Missing API key.', {
    hint: 'Send Authorization: Bearer KEY. Create a key with: purser keys create --role service',
    headers: { 'www-authenticate': 'Bearer' },
  })
}
