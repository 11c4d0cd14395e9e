import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { runTurn } from './run-turn.ts'
import type { TurnRoute } from './turn-route.ts'

/** Registers `POST` of a path: with Fastify, and for requests that need no routing (`app/unrouted-requests.ts`). */
export function registerTurnRoute(app: FastifyInstance, context: AppContext, route: TurnRoute): void {
  const { path, summary, body, take } = route
  context.turnRoutes.set(`${context.options.prefix}${path}`, route)
  app.post(
    path,
    {
      ...defineRoute('chat', { tag: 'gateway', summary, body }),
      config: { scope: 'chat', hasExactNumbers: true },
      // The turn parses the request itself, with more precise errors.
      validatorCompiler: () => () => true,
    },
    (request, reply) => {
      reply.hijack()
      return runTurn(context, { request, response: reply.raw }, take)
    },
  )
}
