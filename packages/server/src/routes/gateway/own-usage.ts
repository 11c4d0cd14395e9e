import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { User, UserUsageBy } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getQuery } from '../../http/params.ts'
import { listOf } from '../../http/response-schemas.ts'
import { pageOfTurns, type TurnPage, USER_TURNS_QUERY, USER_USAGE_QUERY } from '../api/turns.ts'
import { requireUser } from './acting-user.ts'

const tag = 'gateway'

/** `/v1/me/usage` and `/v1/me/turns`: what a person has used, and their own turns. */
export function registerOwnUsageRoutes(app: FastifyInstance, context: AppContext): void {
  const getUser = (request: FastifyRequest): User => context.purser.user(requireUser(request, getIdentity(request)))
  app.get(
    '/v1/me/usage',
    defineRoute('chat', {
      tag,
      summary: 'Returns what the user has used, by hour, day, month, model or limit.',
      query: USER_USAGE_QUERY,
      response: listOf('UsageSum', 'Sums.'),
    }),
    async (request) => {
      const { from, to, by } = getQuery(request)
      return { data: await getUser(request).usage({ from, to, by: by as UserUsageBy | undefined }), cursor: null }
    },
  )
  app.get(
    '/v1/me/turns',
    defineRoute('chat', {
      tag,
      summary: "Lists the user's own turns, newest first.",
      query: USER_TURNS_QUERY,
      response: listOf('TurnRecord', 'Turns.'),
    }),
    async (request): Promise<TurnPage> => pageOfTurns(getUser(request), getQuery(request)),
  )
}
