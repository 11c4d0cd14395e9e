import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { acceptsAnthropicKey, getSurface } from '../app/surface.ts'
import { getHeader } from '../http/headers.ts'
import { parseSessionCookie } from './cookie.ts'
import { type RequestOrigin, validateHost, validateOrigin } from './origin.ts'
import { type Identity, isRole, SCOPE_ROLES, type Scope } from './scopes.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required of the caller. Registering a route without it throws. */
    scope?: Scope
    /** Whether a change by a service key leaves no event of its own. */
    isTraffic?: boolean
    /** Integers beyond 2^53 in the body stay exact, for a body that is passed on. */
    hasExactNumbers?: boolean
  }
  interface FastifyRequest {
    identity: Identity | null
  }
}

/** Id of all sessions that were opened with a sign-in link. */
const LINK_ID = 'link'
const ANONYMOUS = { id: 'anonymous', role: 'viewer', origin: 'api', name: 'anonymous' } as const satisfies Identity

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
    const check = (identity: Identity | undefined): void => done(authorize(request, identity, { scope, context }))
    if (!(result instanceof Promise)) return check(result)
    result.then(check, (error: unknown) => done(error as Error))
  })
}

/** The caller of a request. Set on every route that is not public. */
export function getIdentity(request: Pick<FastifyRequest, 'identity'>): Identity {
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

/** Whether browsers use HTTPS: as `publicUrl` says, otherwise as the request says. */
export function isHttpsClient(request: FastifyRequest, { options: { publicUrl } }: AppContext): boolean {
  return request.protocol === 'https' || (publicUrl !== undefined && new URL(publicUrl).protocol === 'https:')
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
  const { actor, role, user, origin = 'host' } = result
  if (!isRole(role) || (role === 'user') !== (user !== undefined)) {
    throw new TypeError("authorize must return a valid role, and 'user' if and only if the role is 'user'.")
  }
  const identity = { id: `${origin}:${actor}`, role, origin, name: actor } as const
  return user === undefined ? identity : { ...identity, user }
}

function authenticateByCredentials(
  request: FastifyRequest,
  context: AppContext,
): Identity | undefined | Promise<Identity | undefined> {
  if (hasKey(request, context)) return authenticateByKey(request, context)
  const token = parseSessionCookie(request.headers.cookie)
  if (token === undefined) return undefined
  const origin = getOrigin(request)
  if (request.method === 'GET' || request.method === 'HEAD') validateHost(origin, context.options)
  else validateOrigin(origin, context.options)
  return findSession(token, context)
}

/** The caller by a key in a header; undefined without one. */
export function authenticateByKey(
  request: KeyCarrier,
  context: AppContext,
): Identity | undefined | Promise<Identity | undefined> {
  const { authorization } = request.headers
  const key =
    authorization === undefined ? getAnthropicKey(request, context) : /^bearer +(\S+) *$/i.exec(authorization)?.[1]
  return key === undefined ? undefined : context.keys.authenticate(key)
}

type KeyCarrier = Pick<FastifyRequest, 'headers' | 'url'>

/** Whether a request says who it is by a key, valid or not. */
export function hasKey(request: KeyCarrier, context: AppContext): boolean {
  return request.headers.authorization !== undefined || getAnthropicKey(request, context) !== undefined
}

/** The key in Anthropic's own header, which its clients send instead of a bearer token. */
function getAnthropicKey({ headers, url }: KeyCarrier, { options }: AppContext): string | undefined {
  const key = headers['x-api-key']
  if (headers.authorization !== undefined || typeof key !== 'string') return undefined
  return acceptsAnthropicKey(url, options.prefix) ? key : undefined
}

async function findSession(token: string, { sessions }: AppContext): Promise<Identity | undefined> {
  const session = await sessions.find(token)
  return session && { id: session.key ?? LINK_ID, role: session.role, origin: 'deck', name: session.name }
}

/** Sets the identity of a request for a route with `scope`. Returns the 401 or 403 of a request that is not allowed. */
export function authorize(
  request: KeyCarrier & Pick<FastifyRequest, 'identity'>,
  identity: Identity | undefined,
  { scope, context }: { readonly scope: Scope; readonly context: AppContext },
): HttpError | undefined {
  request.identity = identity ?? null
  return identity === undefined ? unauthorized(request, context) : missingScope(scope, identity)
}

/** The 403 of a role without `scope`; undefined when the role has it. */
function missingScope(scope: Scope, { role }: Identity): HttpError | undefined {
  const roles = SCOPE_ROLES[scope]
  if (roles.includes(role)) return undefined
  return new HttpError(403, 'forbidden', `The role '${role}' is not allowed to do this.`, {
    hint: `Allowed roles: ${roles.join(', ')}.`,
  })
}

export function unauthorized(request: KeyCarrier, context: AppContext): HttpError {
  const { options } = context
  const hasCredentials = hasKey(request, context)
  // The role that can use what was asked for.
  const role = getSurface(request.url, options.prefix) === 'gateway' ? 'service' : 'admin'
  return new HttpError(401, 'invalid_api_key', hasCredentials ? 'Invalid API key.' : 'Missing API key.', {
    hint: `Send Authorization: Bearer KEY. Create a key with: purser keys create --role ${role}`,
    headers: { 'www-authenticate': 'Bearer' },
  })
}
