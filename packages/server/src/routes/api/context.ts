import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { ProfileFields, User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { recordRequest } from '../../http/audit.ts'
import { getIfMatch, sendWithEtag, withPrecondition } from '../../http/conditional.ts'
import { defineRoute } from '../../http/define-route.ts'
import { idempotencyOptions } from '../../http/idempotency.ts'
import { getBody, getQuery, getUser, parseNumber } from '../../http/params.ts'
import { responseOf } from '../../http/response-schemas.ts'
import { ANY_OBJECT, DECIMAL, INTEGER, listSchema, objectSchema, TEXT } from '../../http/schemas.ts'

const tag = 'context'

/** The prompt context of a user, and the profile and actions it is made of. */
export function registerContextRoutes(app: FastifyInstance, context: AppContext): void {
  registerProfileRoutes(app, context)
  registerActionRoutes(app, context)
  app.get(
    '/api/users/:id/context',
    defineRoute('application:read', {
      tag,
      summary: 'Resolves the context that a prompt would contain now; with explain=1 with a receipt.',
      response: responseOf('Context'),
      query: {
        mode: TEXT,
        budgetMs: DECIMAL,
        maxTokens: INTEGER,
        maxAgeMs: DECIMAL,
        timeZone: TEXT,
        session: TEXT,
        query: TEXT,
        explain: { type: 'string', enum: ['1', 'true', '0', 'false'] },
      },
    }),
    async (request) => {
      const { mode, budgetMs, maxTokens, maxAgeMs, timeZone, session, query, explain } = getQuery(request)
      const options = {
        mode: mode as 'plain' | 'reuse' | 'create' | undefined,
        budgetMs: parseNumber(budgetMs),
        maxTokens: parseNumber(maxTokens),
        maxAgeMs: parseNumber(maxAgeMs),
        timeZone,
        session,
        query,
      }
      const user = getUser(request, context)
      return explain === '1' || explain === 'true' ? user.context.explain(options) : user.context.resolve(options)
    },
  )
  app.put(
    '/api/users/:id/context',
    defineRoute('application:write', {
      tag,
      summary: 'Switches the context of this user on or off.',
      body: objectSchema({ enabled: { type: 'boolean' } }, ['enabled']),
    }),
    async (request) => {
      const { enabled } = getBody(request) as { enabled: boolean }
      await getUser(request, context).context.setEnabled(enabled, { actor: getIdentity(request).name })
      return { enabled }
    },
  )
  app.delete(
    '/api/users/:id/context',
    defineRoute('application:write', {
      tag,
      summary: 'Invalidates the loaded context, or one section of it.',
      isTraffic: true,
      query: { section: TEXT },
    }),
    async (request, reply) => {
      const { section } = getQuery(request)
      await getUser(request, context).context.invalidate({ section })
      await recordRequest(request, context)
      return reply.code(204).send()
    },
  )
}

function registerProfileRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/profile',
    defineRoute('application:read', { tag, summary: 'Returns the profile.' }),
    async (request, reply) => {
      const profile = await getUser(request, context).profile.get()
      return sendWithEtag(reply, getProfileEtag(profile), profile)
    },
  )
  for (const [method, operation, summary] of [
    ['PUT', 'put', 'Replaces the profile.'],
    ['PATCH', 'patch', 'Changes the profile with a JSON merge patch.'],
  ] as const) {
    app.route({
      method,
      url: '/api/users/:id/profile',
      ...defineRoute('application:write', { tag, summary, body: ANY_OBJECT, isTraffic: true }),
      handler: async (request, reply) => {
        const etag = getIfMatch(request)
        const when = etag === undefined ? undefined : (current: ProfileFields) => getProfileEtag(current) === etag
        const profile = await withPrecondition(request, () =>
          getUser(request, context).profile[operation](getBody(request), { when }),
        )
        return sendWithEtag(reply, getProfileEtag(profile), profile)
      },
    })
  }
}

/** A profile has no version number, so its ETag is a hash of its content. */
function getProfileEtag(profile: ProfileFields): string {
  return `"${hash('sha256', JSON.stringify(profile), 'base64url')}"`
}

function registerActionRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/actions',
    defineRoute('application:read', {
      tag,
      summary: 'Lists recent actions, newest first.',
      query: { limit: INTEGER },
      response: listSchema('Actions.'),
    }),
    async (request) => ({
      data: await getUser(request, context).actions.list({ limit: parseNumber(getQuery(request).limit) }),
      cursor: null,
    }),
  )
  app.post(
    '/api/users/:id/actions',
    defineRoute('application:write', {
      tag,
      summary: 'Records one action or a list of actions.',
      isTraffic: true,
      body: { type: ['object', 'array'], items: ANY_OBJECT },
    }),
    async (request) => {
      const actions = request.body as Parameters<User['actions']['record']>[0]
      return getUser(request, context).actions.record(actions, idempotencyOptions(request))
    },
  )
}
