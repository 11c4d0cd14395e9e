import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { identityOf } from '../../auth/authenticate.ts'
import { ANY_VALUE, bodyOf, listOf, object, optionalObject, paramOf, queryOf, route, TEXT } from '../../http/route.ts'

const tag = 'keys'

/** Who may call. A key is shown by the answer that makes it and never again. */
export function keyRoutes(app: FastifyInstance, house: AppContext): void {
  app.get('/api/keys', route('administer', { tag, summary: 'Lists keys.', answer: listOf('Keys.') }), async () => ({
    data: await house.keys.list(),
    cursor: null,
  }))
  app.post(
    '/api/keys',
    route('administer', {
      tag,
      summary: 'Makes a key and shows it once.',
      body: object({ role: ANY_VALUE, name: TEXT, user: TEXT }, ['role']),
    }),
    async (request) => {
      const { role, name, user } = bodyOf(request) as { role: unknown; name?: string; user?: string }
      if (user !== undefined) house.purser.user(user)
      return house.keys.create({ role, name, user, createdBy: identityOf(request).name })
    },
  )
  app.delete(
    '/api/keys/:key',
    route('administer', { tag, summary: 'Revokes a key.', params: ['key'] }),
    async (request, reply) => {
      await revoke(house, paramOf(request, 'key'))
      return reply.code(204).send()
    },
  )
  app.delete(
    '/api/keys',
    route('administer', {
      tag,
      summary: 'Revokes the key that the query or the body names.',
      query: { id: TEXT },
      body: optionalObject({ id: TEXT }),
    }),
    async (request, reply) => {
      await revoke(house, queryOf(request).id ?? String(bodyOf(request).id ?? ''))
      return reply.code(204).send()
    },
  )
}

async function revoke(house: AppContext, id: string): Promise<void> {
  if (await house.keys.revoke(id)) return
  throw new HttpError(404, 'key_unknown', 'There is no key of that id.', { hint: 'GET /api/keys lists them.' })
}
