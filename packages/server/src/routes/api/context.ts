import { hash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ProfileFields } from 'purser'
import type { AppContext } from '../../app/context.ts'
import {
  ANY_OBJECT,
  bodyOf,
  DECIMAL,
  decidedOn,
  listOf,
  matchOf,
  numberIn,
  queryOf,
  repeatOf,
  route,
  TEXT,
  userOf,
  WHOLE_NUMBER,
} from '../../http/route.ts'

const tag = 'context'

/** What the model is told about a user, and what it is made of. */
export function contextRoutes(app: FastifyInstance, house: AppContext): void {
  profileRoutes(app, house)
  actionRoutes(app, house)
  app.get(
    '/api/users/:id/context',
    route('application:read', {
      tag,
      summary: 'What the model would be told now.',
      query: { mode: TEXT, budgetMs: DECIMAL, maxAgeMs: DECIMAL, timeZone: TEXT },
    }),
    async (request) => {
      const { mode, budgetMs, maxAgeMs, timeZone } = queryOf(request)
      return userOf(request, house).context.resolve({
        mode: mode as 'reuse' | 'create' | undefined,
        budgetMs: numberIn(budgetMs),
        maxAgeMs: numberIn(maxAgeMs),
        timeZone,
      })
    },
  )
  app.delete(
    '/api/users/:id/context',
    route('application:write', { tag, summary: 'Forgets what was loaded.', query: { section: TEXT } }),
    async (request, reply) => {
      await userOf(request, house).context.invalidate({ section: queryOf(request).section })
      return reply.code(204).send()
    },
  )
}

function profileRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users/:id/profile',
    route('application:read', { tag, summary: 'The profile.' }),
    async (request, reply) => labelled(reply, await userOf(request, house).profile.get()),
  )
  for (const [method, verb, summary] of [
    ['PUT', 'put', 'Replaces the profile.'],
    ['PATCH', 'patch', 'Changes the profile by a merge patch.'],
  ] as const) {
    app.route({
      method,
      url: '/api/users/:id/profile',
      ...route('application:write', { tag, summary, body: ANY_OBJECT }),
      handler: async (request, reply) => {
        const tag = matchOf(request)
        const when = tag === undefined ? undefined : (present: ProfileFields) => profileTag(present) === tag
        const write = () => userOf(request, house).profile[verb](bodyOf(request), { when })
        return labelled(reply, await decidedOn(request, write))
      },
    })
  }
}

function labelled(reply: FastifyReply, profile: ProfileFields): ProfileFields {
  reply.header('etag', profileTag(profile))
  return profile
}

/** A profile has no number of its own; what it says is its version. */
function profileTag(profile: ProfileFields): string {
  return `"${hash('sha256', JSON.stringify(profile), 'base64url')}"`
}

function actionRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users/:id/actions',
    route('application:read', {
      tag,
      summary: 'Recent actions, newest first.',
      query: { limit: WHOLE_NUMBER },
      answer: listOf('Actions.'),
    }),
    async (request) => ({
      data: await userOf(request, house).actions.list({ limit: numberIn(queryOf(request).limit) }),
      cursor: null,
    }),
  )
  app.post(
    '/api/users/:id/actions',
    route('application:write', {
      tag,
      summary: 'Records one action or a list of them.',
      body: { type: ['object', 'array'], items: ANY_OBJECT },
    }),
    async (request) => {
      type Actions = Parameters<ReturnType<typeof userOf>['actions']['record']>[0]
      return userOf(request, house).actions.record(request.body as Actions, repeatOf(request))
    },
  )
}
