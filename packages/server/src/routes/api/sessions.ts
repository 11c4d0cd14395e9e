import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { authenticate, getIdentity, getOrigin, isHttpsClient, unauthorized } from '../../auth/authenticate.ts'
import { type CookieOptions, clearSessionCookie, createSessionCookie, parseSessionCookie } from '../../auth/cookie.ts'
import { validateHost, validateOrigin } from '../../auth/origin.ts'
import { DECK_ROLES } from '../../auth/scopes.ts'
import type { Session } from '../../auth/sessions.ts'
import { recordAudit } from '../../http/audit.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getBody, getQuery } from '../../http/params.ts'
import { responseOf } from '../../http/response-schemas.ts'
import { objectSchema, TEXT } from '../../http/schemas.ts'

const tag = 'session'
/** The body is one key. */
const MAX_SIGN_IN_BYTES = 4_096

/** Signing in to the Deck, with the link that the server prints or with a key. */
export function registerSessionRoutes(app: FastifyInstance, context: AppContext): void {
  registerSignInLink(app, context)
  registerCurrentSession(app, context)
  app.post(
    '/api/session',
    {
      ...defineRoute('public', {
        tag,
        summary: 'Signs in with a key.',
        response: responseOf('Session'),
        body: objectSchema({ key: TEXT }, ['key']),
      }),
      bodyLimit: MAX_SIGN_IN_BYTES,
      // Before the body is read.
      onRequest: async (request) => {
        if (request.headers.origin !== undefined) validateOrigin(getOrigin(request), context.options)
      },
    },
    async (request, reply) => {
      const key = await context.keys.find(getBody(request).key as string)
      if (key === undefined) throw await refuseAttempt(request, context)
      if (!DECK_ROLES.includes(key.role)) {
        throw new HttpError(403, 'forbidden', `The role '${key.role}' cannot sign in to the Deck.`, {
          hint: `Allowed roles: ${DECK_ROLES.join(', ')}.`,
        })
      }
      const { token, session } = await context.sessions.open({ name: key.name, role: key.role }, key.id)
      await recordSession(context, 'signed_in', { actor: key.name, data: { key: key.id } })
      reply.header('set-cookie', createSessionCookie(token, getCookieOptions(request, context)))
      return describeSession(session)
    },
  )
  app.delete('/api/session', defineRoute('authenticated', { tag, summary: 'Signs out.' }), async (request, reply) => {
    const token = parseSessionCookie(request.headers.cookie)
    if (token !== undefined && (await context.sessions.close(token)))
      await recordSession(context, 'signed_out', { actor: getIdentity(request).name })
    return reply
      .header('set-cookie', clearSessionCookie(getCookieOptions(request, context)))
      .code(204)
      .send()
  })
  app.delete(
    '/api/sessions',
    defineRoute('admin', { tag, summary: 'Ends all sessions of the Deck and invalidates unused sign-in links.' }),
    async (request) => {
      const ended = await context.sessions.closeAll()
      await recordAudit(request, context, {
        action: 'sessions_ended',
        detail: 'all sessions of the Deck ended',
        data: { ended },
      })
      return { ended }
    },
  )
}

function registerSignInLink(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/deck/sign-in',
    {
      ...defineRoute('public', { tag, summary: 'Signs in with a one-time link.', query: { token: TEXT } }),
      // A HEAD request must not consume the link.
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      validateHost(getOrigin(request), context.options)
      const opened = await context.sessions.redeemLink(getQuery(request).token ?? '')
      reply.header('cache-control', 'no-store')
      if (opened === undefined) {
        const refusal = await refuseAttempt(request, context)
        if (refusal.status === 429) throw refusal
        return reply.redirect('./?sign-in=expired', 303)
      }
      await recordSession(context, 'signed_in', { actor: opened.session.name })
      const cookie = createSessionCookie(opened.token, getCookieOptions(request, context))
      return reply.header('set-cookie', cookie).redirect('./', 303)
    },
  )
}

/** The Deck calls this to learn whether it must ask for a key, so a missing session is `null` and not 401. */
function registerCurrentSession(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/session',
    defineRoute('public', {
      tag,
      summary: 'Returns the caller of the request; null without credentials.',
      response: responseOf('Session', 'The session; null without credentials.'),
    }),
    async (request, reply) => {
      const identity = await authenticate(request, context)
      const hasKey = request.headers.authorization !== undefined
      if (identity === undefined && hasKey) throw unauthorized(request, context)
      if (identity === undefined) return reply.type('application/json; charset=utf-8').send('null')
      const token = hasKey ? undefined : parseSessionCookie(request.headers.cookie)
      const session = token === undefined ? undefined : await context.sessions.find(token)
      if (session !== undefined) return describeSession(session)
      return { name: identity.name, role: identity.role, expiresAt: null, kind: 'key' }
    },
  )
}

async function recordSession(
  { purser }: AppContext,
  action: 'signed_in' | 'signed_out',
  { actor, data }: { readonly actor: string; readonly data?: Record<string, unknown> },
): Promise<void> {
  await purser.recordAudit(action, { detail: action.replace('_', ' '), data, actor, origin: 'deck' })
}

function describeSession({ name, role, expiresAt }: Session): object {
  return { name, role, expiresAt, kind: 'session' }
}

function getCookieOptions(request: FastifyRequest, context: AppContext): CookieOptions {
  return { prefix: context.options.prefix, isSecure: isHttpsClient(request, context) }
}

/** The error of a failed attempt: 401, or 429 after too many from this address. */
async function refuseAttempt(request: FastifyRequest, { limiter }: AppContext): Promise<HttpError> {
  const waitMs = await limiter.recordFailure(request.ip)
  if (waitMs === 0) return new HttpError(401, 'invalid_api_key', 'Invalid API key.')
  return new HttpError(429, 'too_many_attempts', 'Too many failed sign-in attempts from this address.', {
    hint: 'Wait a minute. A valid key is accepted at any time.',
    headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) },
  })
}
