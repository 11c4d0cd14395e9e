import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { callerOf, encryptedWay, originClaim, unauthorized } from '../../auth/authenticate.ts'
import { clearedCookie, sessionCookie, sessionToken } from '../../auth/cookie.ts'
import { checkHost, checkOrigin } from '../../auth/origin.ts'
import { DECK_ROLES } from '../../auth/roles.ts'
import { bodyOf, object, queryOf, route, TEXT } from '../../http/route.ts'

const tag = 'session'

/** Signing in to the Deck: by the link the server prints, or with a key. */
export function sessionRoutes(app: FastifyInstance, house: AppContext): void {
  const scope = (request: FastifyRequest) => ({ prefix: house.options.prefix, encrypted: encryptedWay(request, house) })

  app.get(
    '/deck/sign-in',
    // Whoever only looks whether the link is there must not use it up.
    { ...route('public', { tag, summary: 'The one-time link.', query: { token: TEXT } }), exposeHeadRoute: false },
    async (request, reply) => {
      checkHost(originClaim(request), house.options)
      const wait = house.limiter.waitMs(request.ip)
      if (wait > 0) throw tooMany(wait)
      const opened = await house.sessions.redeem(queryOf(request).token ?? '')
      reply.header('cache-control', 'no-store')
      if (opened === undefined) {
        house.limiter.fail(request.ip)
        return reply.redirect('./?sign-in=expired', 303)
      }
      return reply.header('set-cookie', sessionCookie(opened.token, scope(request))).redirect('./', 303)
    },
  )
  // A page asks this to find out whether it has to ask for a key: nobody is an answer, a wrong key is none.
  app.get(
    '/api/session',
    route('public', { tag, summary: 'Who is calling; null for nobody.' }),
    async (request, reply) => {
      const caller = await callerOf(request, house)
      const hasKey = request.headers.authorization !== undefined
      if (caller === undefined && hasKey) throw unauthorized(request)
      if (caller === undefined) return reply.type('application/json; charset=utf-8').send('null')
      const token = hasKey ? undefined : sessionToken(request.headers.cookie)
      const session = token === undefined ? undefined : await house.sessions.find(token)
      if (session !== undefined) return { ...session, kind: 'session' }
      return { name: caller.name, role: caller.role, expiresAt: null, kind: 'key' }
    },
  )
  app.post(
    '/api/session',
    route('public', { tag, summary: 'Signs in with a key.', body: object({ key: TEXT }, ['key']) }),
    async (request, reply) => {
      if (request.headers.origin !== undefined) checkOrigin(originClaim(request), house.options)
      const wait = house.limiter.waitMs(request.ip)
      if (wait > 0) throw tooMany(wait)
      const key = await house.keys.identify(bodyOf(request).key as string)
      if (key === undefined) {
        house.limiter.fail(request.ip)
        throw new HttpError(401, 'invalid_api_key', 'That key is not valid.')
      }
      if (!DECK_ROLES.includes(key.role)) {
        throw new HttpError(403, 'forbidden', `A key of the role '${key.role}' does not open the Deck.`, {
          hint: `It takes one of: ${DECK_ROLES.join(', ')}.`,
        })
      }
      house.limiter.succeed(request.ip)
      const { token, session } = await house.sessions.open({ name: key.name, role: key.role }, key.id)
      reply.header('set-cookie', sessionCookie(token, scope(request)))
      return { ...session, kind: 'session' }
    },
  )
  app.delete('/api/session', route('known', { tag, summary: 'Signs out.' }), async (request, reply) => {
    const token = sessionToken(request.headers.cookie)
    if (token !== undefined) await house.sessions.close(token)
    return reply
      .header('set-cookie', clearedCookie(scope(request)))
      .code(204)
      .send()
  })
}

function tooMany(waitMs: number): HttpError {
  return new HttpError(429, 'too_many_attempts', 'Too many keys were tried from this address.', {
    hint: 'Wait a minute.',
    headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) },
  })
}
