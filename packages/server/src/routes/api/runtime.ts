import type { FastifyInstance } from 'fastify'
import { listRuntimes } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { getReasonHeader, parseAudit } from '../../http/audit.ts'
import { parseIfMatch, sendVersioned, withPrecondition } from '../../http/conditional.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getBody, getParam, getQuery, getUser } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { ANY_OBJECT, ANY_VALUE, objectSchema, optionalObjectSchema, TEXT } from '../../http/schemas.ts'

const tag = 'runtime'

/** The runtime of a user: settings, secrets, sessions and live clients. */
export function registerRuntimeRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/runtime',
    defineRoute('application:read', {
      tag,
      summary: 'Returns the effective settings and the layer each field comes from.',
      response: responseOf('Settings'),
      query: { session: TEXT },
    }),
    async (request, reply) => {
      const { session } = getQuery(request)
      return sendVersioned(reply, await getUser(request, context).runtime.settings({ session }))
    },
  )
  app.patch(
    '/api/users/:id/runtime',
    defineRoute('application:write', {
      tag,
      summary: 'Changes the settings with a JSON merge patch; null clears a field.',
      response: responseOf('Settings'),
      body: ANY_OBJECT,
    }),
    async (request, reply) => {
      const options = {
        actor: getIdentity(request).name,
        reason: getReasonHeader(request),
        expectedVersion: parseIfMatch(request),
      }
      const settings = await withPrecondition(request, () =>
        getUser(request, context).runtime.configure(getBody(request), options),
      )
      return sendVersioned(reply, settings)
    },
  )
  app.post(
    '/api/users/:id/evict',
    defineRoute('users:moderate', {
      tag,
      summary: "Closes the user's live clients when their last lease ends.",
      body: optionalObjectSchema({ reason: ANY_VALUE }),
    }),
    async (request, reply) => {
      await getUser(request, context).runtime.evict(parseAudit(request))
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/runtimes',
    defineRoute('read', {
      tag,
      summary: 'Lists the live runtimes of all instances: of each other instance the 500 that were used last.',
      response: listOf('ActiveRuntime', 'Runtimes.'),
    }),
    async () => ({ data: await listRuntimes(context.purser), cursor: null }),
  )
  registerSecretRoutes(app, context)
  registerSessionRoutes(app, context)
}

function registerSecretRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/secrets',
    defineRoute('application:read', {
      tag,
      summary: 'Lists the names and fields of secrets, without their values.',
      response: listOf('SecretInfo', 'Names and fields.'),
    }),
    async (request) => ({ data: await getUser(request, context).runtime.secrets(), cursor: null }),
  )
  app.put(
    '/api/users/:id/secrets/:name',
    defineRoute('application:write', {
      tag,
      summary: 'Stores a secret, encrypted.',
      params: ['id', 'name'],
      body: ANY_OBJECT,
    }),
    async (request, reply) => {
      const { runtime } = getUser(request, context)
      const fields = getBody(request) as Record<string, string>
      const { actor } = parseAudit(request)
      await runtime.setSecret(getParam(request, 'name'), fields, { actor })
      return reply.code(204).send()
    },
  )
  app.delete(
    '/api/users/:id/secrets/:name',
    defineRoute('application:write', { tag, summary: 'Deletes a secret.', params: ['id', 'name'] }),
    async (request, reply) => {
      const { runtime } = getUser(request, context)
      const { actor } = parseAudit(request)
      await runtime.setSecret(getParam(request, 'name'), null, { actor })
      return reply.code(204).send()
    },
  )
}

function registerSessionRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/users/:id/sessions',
    defineRoute('application:read', {
      tag,
      summary: 'Lists the sessions of a user.',
      response: listOf('RuntimeSession', 'Sessions.'),
    }),
    async (request) => ({ data: await getUser(request, context).runtime.sessions(), cursor: null }),
  )
  app.post(
    '/api/users/:id/sessions',
    defineRoute('application:write', {
      tag,
      summary: 'Starts a session that pins or follows the settings.',
      response: responseOf('RuntimeSession'),
      body: objectSchema({ id: ANY_VALUE, policy: ANY_VALUE }, ['id', 'policy']),
    }),
    async (request) => {
      const { id, policy } = getBody(request) as { id: string; policy: 'pin' | 'follow' }
      return getUser(request, context).runtime.startSession(id, { policy, actor: getIdentity(request).name })
    },
  )
  app.delete(
    '/api/users/:id/sessions/:session',
    defineRoute('application:write', {
      tag,
      summary: 'Ends a session; returns whether it existed.',
      params: ['id', 'session'],
    }),
    async (request) =>
      getUser(request, context).runtime.endSession(getParam(request, 'session'), {
        actor: getIdentity(request).name,
      }),
  )
}
