import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { identityOf } from '../../auth/authenticate.ts'
import {
  ANY_OBJECT,
  ANY_VALUE,
  actOf,
  bodyOf,
  decidedOn,
  expectedVersion,
  listOf,
  object,
  optionalObject,
  paramOf,
  queryOf,
  reasonHeader,
  route,
  TEXT,
  tagged,
  userOf,
} from '../../http/route.ts'

const tag = 'runtime'

/** What a user runs on: settings, secrets, sessions, live clients. */
export function runtimeRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users/:id/runtime',
    route('application:read', { tag, summary: 'The settings, with where each came from.', query: { session: TEXT } }),
    async (request, reply) =>
      tagged(reply, await userOf(request, house).runtime.settings({ session: queryOf(request).session })),
  )
  app.patch(
    '/api/users/:id/runtime',
    route('application:write', { tag, summary: 'Changes settings by a merge patch; null clears.', body: ANY_OBJECT }),
    async (request, reply) => {
      const options = {
        actor: identityOf(request).name,
        reason: reasonHeader(request),
        expectedVersion: expectedVersion(request),
      }
      const configure = () => userOf(request, house).runtime.configure(bodyOf(request), options)
      return tagged(reply, await decidedOn(request, configure))
    },
  )
  app.post(
    '/api/users/:id/evict',
    route('operate', { tag, summary: "Closes the user's live clients.", body: optionalObject({ reason: ANY_VALUE }) }),
    async (request, reply) => {
      await userOf(request, house).runtime.evict(actOf(request))
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/runtimes',
    route('read', { tag, summary: 'Live runtimes.', answer: listOf('Runtimes.') }),
    async () => ({
      data: house.purser.runtime.active(),
      cursor: null,
    }),
  )
  secretRoutes(app, house)
  sessionRoutes(app, house)
}

function secretRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users/:id/secrets',
    route('application:read', { tag, summary: 'Names of the secrets, never their values.', answer: listOf('Names.') }),
    async (request) => ({ data: await userOf(request, house).runtime.secrets(), cursor: null }),
  )
  app.put(
    '/api/users/:id/secrets/:name',
    route('application:write', { tag, summary: 'Keeps a secret, sealed.', params: ['id', 'name'], body: ANY_OBJECT }),
    async (request, reply) => {
      const fields = bodyOf(request) as Record<string, string>
      await userOf(request, house).runtime.setSecret(paramOf(request, 'name'), fields, { actor: actOf(request).actor })
      return reply.code(204).send()
    },
  )
  app.delete(
    '/api/users/:id/secrets/:name',
    route('application:write', { tag, summary: 'Removes a secret.', params: ['id', 'name'] }),
    async (request, reply) => {
      await userOf(request, house).runtime.setSecret(paramOf(request, 'name'), null, { actor: actOf(request).actor })
      return reply.code(204).send()
    },
  )
}

function sessionRoutes(app: FastifyInstance, house: AppContext): void {
  app.get(
    '/api/users/:id/sessions',
    route('application:read', {
      tag,
      summary: 'Conversations with settings of their own.',
      answer: listOf('Sessions.'),
    }),
    async (request) => ({ data: await userOf(request, house).runtime.sessions(), cursor: null }),
  )
  app.post(
    '/api/users/:id/sessions',
    route('application:write', {
      tag,
      summary: 'Begins a session that pins or follows the settings.',
      body: object({ id: ANY_VALUE, policy: ANY_VALUE }, ['id', 'policy']),
    }),
    async (request) => {
      const { id, policy } = bodyOf(request) as { id: string; policy: 'pin' | 'follow' }
      return userOf(request, house).runtime.startSession(id, { policy })
    },
  )
  app.delete(
    '/api/users/:id/sessions/:session',
    route('application:write', {
      tag,
      summary: 'Ends a session; tells whether there was one.',
      params: ['id', 'session'],
    }),
    async (request) => userOf(request, house).runtime.endSession(paramOf(request, 'session')),
  )
}
