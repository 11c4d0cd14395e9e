import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import type { ApiKey } from '../../auth/api-keys.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { recordAudit } from '../../http/audit.ts'
import { defineRoute } from '../../http/define-route.ts'
import { toRepeatable } from '../../http/idempotency.ts'
import { getBody, getParam, getQuery } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { ANY_VALUE, objectSchema, optionalObjectSchema, TEXT } from '../../http/schemas.ts'

const tag = 'keys'

/** API keys. The secret of a key is in the response that creates it, and in no other. */
export function registerKeyRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/keys',
    defineRoute('admin', {
      tag,
      summary: 'Lists the API keys, without their secrets.',
      response: listOf('ApiKey', 'Keys.'),
    }),
    async () => ({ data: await context.keys.list(), cursor: null }),
  )
  app.post(
    '/api/keys',
    defineRoute('admin', {
      tag,
      summary: 'Creates an API key. Its secret is returned only once.',
      response: responseOf('NewApiKey'),
      body: objectSchema({ role: ANY_VALUE, name: TEXT, user: TEXT }, ['role']),
    }),
    async (request) => {
      const { role, name, user } = getBody(request) as { role: unknown; name?: string; user?: string }
      // Throws `user_id_invalid`.
      if (user !== undefined) context.purser.user(user)
      const createdBy = getIdentity(request).name
      const key = await context.keys.create({ role, name, user, createdBy }, await toRepeatable(request, context))
      if (request.isReplay) return key
      await recordAudit(request, context, {
        action: 'key_created',
        detail: `${key.role} key created: ${labelOf(key)}`,
        data: describeKey(key),
      })
      return key
    },
  )
  app.delete(
    '/api/keys/:key',
    defineRoute('admin', { tag, summary: 'Revokes an API key.', params: ['key'] }),
    async (request, reply) => {
      await revokeKey(request, context, getParam(request, 'key'))
      return reply.code(204).send()
    },
  )
  app.delete(
    '/api/keys',
    defineRoute('admin', {
      tag,
      summary: 'Revokes the API key named by `id` in the query or the body.',
      query: { id: TEXT },
      body: optionalObjectSchema({ id: TEXT }),
    }),
    async (request, reply) => {
      await revokeKey(request, context, getQuery(request).id ?? String(getBody(request).id ?? ''))
      return reply.code(204).send()
    },
  )
}

async function revokeKey(request: FastifyRequest, context: AppContext, id: string): Promise<void> {
  const key = await context.keys.revoke(id)
  if (key !== undefined) {
    await recordAudit(request, context, {
      action: 'key_revoked',
      detail: `${key.role} key revoked: ${labelOf(key)}`,
      data: describeKey(key),
    })
    return
  }
  throw new HttpError(404, 'key_unknown', 'No API key has this id.', { hint: 'GET /api/keys lists the keys.' })
}

/** The log of the namespace outlives an erasure: it has neither the user of a `user` key nor its name, which may tell. */
function describeKey({ id, role, name }: ApiKey): Record<string, unknown> {
  return role === 'user' ? { id, role } : { id, role, name }
}

function labelOf({ id, role, name }: ApiKey): string {
  return role === 'user' ? id : name
}
