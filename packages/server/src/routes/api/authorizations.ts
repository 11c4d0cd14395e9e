import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { parseAudit } from '../../http/audit.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getBody, getParam, getUser } from '../../http/params.ts'
import { listOf } from '../../http/response-schemas.ts'
import { ANY_VALUE, objectSchema, TEXT } from '../../http/schemas.ts'

const tag = 'runtime'
const params = ['id', 'name']

/** OAuth of MCP servers: each user authorizes a server for themselves. Tokens are stored and never returned. */
export function registerAuthorizationRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/mcp',
    defineRoute('application:read', {
      tag,
      summary: 'Lists the MCP servers that the user has authorized.',
      response: listOf('McpAuthorization', 'Authorized MCP servers.'),
    }),
    async (request) => ({ data: await getUser(request, context).runtime.mcpAuthorizations(), cursor: null }),
  )
  app.post(
    '/api/users/:id/mcp/:name/authorization',
    defineRoute('application:write', {
      tag,
      summary: "Starts an authorization: redirect the user's browser to `url` within 10 minutes.",
      params,
      response: objectSchema({ url: TEXT, expiresAt: TEXT }, ['url', 'expiresAt']),
    }),
    async (request) => getUser(request, context).runtime.authorizeMcp(getParam(request, 'name')),
  )
  app.post(
    '/api/users/:id/mcp/:name/authorization/completion',
    defineRoute('application:write', {
      tag,
      summary: "Completes an authorization, once, with the query parameters of the browser's return.",
      params,
      body: objectSchema({ state: ANY_VALUE, code: ANY_VALUE, iss: ANY_VALUE }, ['state', 'code']),
    }),
    async (request) => {
      const callback = getBody(request) as { state: string; code: string; iss?: string }
      const { actor } = parseAudit(request)
      return getUser(request, context).runtime.completeMcp(getParam(request, 'name'), callback, { actor })
    },
  )
  app.delete(
    '/api/users/:id/mcp/:name/authorization',
    defineRoute('application:write', { tag, summary: "Deletes the user's tokens for an MCP server.", params }),
    async (request, reply) => {
      const { actor } = parseAudit(request)
      await getUser(request, context).runtime.deauthorizeMcp(getParam(request, 'name'), { actor })
      return reply.code(204).send()
    },
  )
}
