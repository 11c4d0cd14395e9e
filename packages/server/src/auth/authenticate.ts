import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AppContext } from '../app/context.ts'
import { HttpError } from '../app/errors.ts'
import { headerText } from '../http/header-text.ts'
import { sessionToken } from './cookie.ts'
import { checkHost, checkOrigin, type OriginClaim } from './origin.ts'
import { ACCESS, type Access, type Identity, isRole } from './roles.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may come here. A route without it does not start. */
    access?: Access
  }
  interface FastifyRequest {
    identity: Identity | null
  }
}

const UNKNOWN_CALLER = { role: 'viewer', name: 'nobody' } as const satisfies Identity

/**
 * Decides who may come in, before a byte of the body is read. A key counts before a session; the host's own
 * `authorize` counts before both.
 */
export function guard(app: FastifyInstance, house: AppContext): void {
  app.decorateRequest('identity', null)
  app.addHook('onRoute', (route) => {
    const access = route.config?.access
    if (access === undefined || !Object.hasOwn(ACCESS, access)) {
      throw new Error(`The route ${route.method} ${route.url} does not say who may use it.`)
    }
  })
  app.addHook('onRequest', (request, _reply: FastifyReply, done: HookHandlerDoneFunction) => {
    const access = request.routeOptions.config.access
    if (request.is404 || access === undefined || access === 'public') return done()
    let found: Identity | undefined | Promise<Identity | undefined>
    try {
      found = callerOf(request, house)
    } catch (error) {
      return done(error as Error)
    }
    if (!(found instanceof Promise)) return admit(request, found, done)
    found.then(
      (identity) => admit(request, identity, done),
      (error: unknown) => done(error as Error),
    )
  })
}

/** Who called; handlers of routes that are not public may rely on it. */
export function identityOf(request: FastifyRequest): Identity {
  return request.identity ?? UNKNOWN_CALLER
}

export function originClaim(request: FastifyRequest): OriginClaim {
  return {
    host: request.headers.host,
    origin: request.headers.origin,
    site: headerText(request.headers, 'sec-fetch-site'),
    encrypted: request.protocol === 'https',
  }
}

/** Whether the caller came by https: here, or at the proxy under the public address. */
export function encryptedWay(request: FastifyRequest, { options: { publicUrl } }: AppContext): boolean {
  if (request.protocol === 'https') return true
  if (publicUrl === undefined) return false
  const { protocol, host } = new URL(publicUrl)
  return protocol === 'https:' && host === request.headers.host
}

function admit(request: FastifyRequest, identity: Identity | undefined, done: HookHandlerDoneFunction): void {
  request.identity = identity ?? null
  done(identity === undefined ? unauthorized(request) : forbidden(request.routeOptions.config.access, identity))
}

/** Why `identity` may not come in; undefined when it may. */
function forbidden(access: Access | undefined, { role }: Identity): HttpError | undefined {
  const roles = access === undefined ? [] : ACCESS[access]
  if (roles.includes(role)) return undefined
  return new HttpError(403, 'forbidden', `A key of the role '${role}' may not do this.`, {
    hint: `It takes one of: ${roles.join(', ')}.`,
  })
}

/** Who is calling, by the host's word, a key or a session; undefined when nobody is known. */
export function callerOf(
  request: FastifyRequest,
  house: AppContext,
): Identity | undefined | Promise<Identity | undefined> {
  if (house.authorize !== undefined) return byHost(request, house)
  return byKeyOrSession(request, house)
}

async function byHost(request: FastifyRequest, house: AppContext): Promise<Identity | undefined> {
  const headers = Object.entries(request.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as [string, string]],
  )
  const url = new URL(request.url, 'http://localhost')
  const given = await house.authorize?.(new Request(url, { method: request.method, headers }))
  if (given === null || given === undefined) return byKeyOrSession(request, house)
  const { actor, role, user } = given
  if (!isRole(role) || (role === 'user') !== (user !== undefined)) {
    throw new TypeError("authorize has to answer a role, and with 'user', and only then, who it is.")
  }
  return user === undefined ? { role, name: actor } : { role, name: actor, user }
}

function byKeyOrSession(
  request: FastifyRequest,
  house: AppContext,
): Identity | undefined | Promise<Identity | undefined> {
  const { authorization, cookie } = request.headers
  if (authorization !== undefined) {
    const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1]
    return token === undefined ? undefined : house.keys.find(token)
  }
  const token = sessionToken(cookie)
  if (token === undefined) return undefined
  const claim = originClaim(request)
  if (request.method === 'GET' || request.method === 'HEAD') checkHost(claim, house.options)
  else checkOrigin(claim, house.options)
  return house.sessions.find(token)
}

export function unauthorized(request: FastifyRequest): HttpError {
  const given = request.headers.authorization !== undefined
  return new HttpError(401, 'invalid_api_key', given ? 'That key is not valid.' : 'There is no key.', {
    hint: 'Send Authorization: Bearer KEY. A new key: purser keys create --role service',
    headers: { 'www-authenticate': 'Bearer' },
  })
}
