import type { FastifyInstance, FastifyRequest } from 'fastify'
import { responsesOf, type UserResponses } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { unsupportedParameter } from '../../formats/unsupported-parameter.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getParam, getQuery } from '../../http/params.ts'
import { requireUser } from './acting-user.ts'

/** `GET` and `DELETE /v1/responses/:id`, where `server.keepResponses` is set. Neither is a turn. */
export function registerStoredResponseRoutes(app: FastifyInstance, context: AppContext): void {
  if (context.options.keepResponses === undefined) return
  const getResponses = (request: FastifyRequest): UserResponses =>
    responsesOf(context.purser.user(requireUser(request, getIdentity(request))))
  app.get(
    '/v1/responses/:id',
    defineRoute('chat', { tag: 'gateway', summary: 'Returns a kept response of this user.', params: ['id'] }),
    async (request, reply) => {
      if (getQuery(request).stream === 'true') throw unsupportedParameter('streaming a kept response', 'stream')
      const id = getParam(request, 'id')
      const stored = await getResponses(request).get(id)
      if (stored === undefined) throw responseNotFound(id)
      return reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(stored.response)
    },
  )
  app.delete(
    '/v1/responses/:id',
    defineRoute('chat', { tag: 'gateway', summary: 'Deletes a kept response of this user.', params: ['id'] }),
    async (request) => {
      const id = getParam(request, 'id')
      if (!(await getResponses(request).delete(id))) throw responseNotFound(id)
      return { id, object: 'response', deleted: true }
    },
  )
}

function responseNotFound(id: string): HttpError {
  return new HttpError(404, 'response_not_found', `There is no response '${id}'.`, { param: 'id' })
}
