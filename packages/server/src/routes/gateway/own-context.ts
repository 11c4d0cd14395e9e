import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Explanation, User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getBody } from '../../http/params.ts'
import { objectSchema } from '../../http/schemas.ts'
import { requireUser } from './acting-user.ts'

/** `/v1/me/context`: what a model is told about the person, and whether it may be. */
export function registerOwnContextRoutes(app: FastifyInstance, context: AppContext): void {
  const getUser = (request: FastifyRequest): User => context.purser.user(requireUser(request, getIdentity(request)))
  app.get(
    '/v1/me/context',
    defineRoute('chat', { tag: 'gateway', summary: 'Returns what a model is told about this user now, and why.' }),
    async (request): Promise<Explanation> => getUser(request).context.explain(),
  )
  app.put(
    '/v1/me/context',
    defineRoute('chat', {
      tag: 'gateway',
      summary: 'Switches the context of this user on or off.',
      body: objectSchema({ enabled: { type: 'boolean' } }, ['enabled']),
    }),
    async (request): Promise<{ enabled: boolean }> => {
      const { enabled } = getBody(request) as { enabled: boolean }
      await getUser(request).context.setEnabled(enabled, { actor: getIdentity(request).name })
      return { enabled }
    },
  )
}
