import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { ANY_VALUE, actOf, bodyOf, listOf, object, paramOf, route, TEXT, userOf } from '../../http/route.ts'

const tag = 'runtime'
const params = ['id', 'name']

/** MCP servers that want OAuth: each user allows them for themselves. Tokens come in here, and never out. */
export function authorizationRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users/:id/mcp',
    route('application:read', {
      tag,
      summary: 'MCP servers that the user has authorized.',
      answer: listOf('Servers.'),
    }),
    async (request) => ({ data: await userOf(request, house).runtime.mcpAuthorizations(), cursor: null }),
  )
  app.post(
    '/api/users/:id/mcp/:name/authorization',
    route('application:write', {
      tag,
      summary: "Begins an authorization: send the person's browser to the url, within ten minutes.",
      params,
      answer: object({ url: TEXT, expiresAt: TEXT }, ['url', 'expiresAt']),
    }),
    async (request) => userOf(request, house).runtime.authorizeMcp(paramOf(request, 'name')),
  )
  app.post(
    '/api/users/:id/mcp/:name/authorization/completion',
    route('application:write', {
      tag,
      summary: 'Completes it with the query that the person came back with, once.',
      params,
      body: object({ state: ANY_VALUE, code: ANY_VALUE, iss: ANY_VALUE }, ['state', 'code']),
    }),
    async (request) => {
      const answer = bodyOf(request) as { state: string; code: string; iss?: string }
      const { actor } = actOf(request)
      return userOf(request, house).runtime.completeMcp(paramOf(request, 'name'), answer, { actor })
    },
  )
  app.delete(
    '/api/users/:id/mcp/:name/authorization',
    route('application:write', { tag, summary: 'Forgets the tokens of a server.', params }),
    async (request, reply) => {
      const { actor } = actOf(request)
      await userOf(request, house).runtime.deauthorizeMcp(paramOf(request, 'name'), { actor })
      return reply.code(204).send()
    },
  )
}
