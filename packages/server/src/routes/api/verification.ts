import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getBody } from '../../http/params.ts'
import { optionalObjectSchema, TEXT, textSchema } from '../../http/schemas.ts'

const tag = 'ledger'

/** Verification of all event logs, and the signed text that finds a store that was rolled back. */
export function registerVerificationRoutes(app: FastifyInstance, context: AppContext): void {
  app.post(
    '/api/verify',
    defineRoute('read', {
      tag,
      summary: "Verifies the logs of all users, or of one, and the namespace's own; with a checkpoint also their age.",
      body: optionalObjectSchema({ checkpoint: TEXT, user: TEXT }),
    }),
    async (request) => {
      const { checkpoint, user } = getBody(request) as { checkpoint?: string; user?: string }
      const options = { checkpoint, signal: request.signal }
      return user === undefined ? context.purser.verify(options) : context.purser.user(user).ledger.verify(options)
    },
  )
  app.get(
    '/api/checkpoint',
    {
      ...defineRoute('users:moderate', {
        tag,
        summary: 'Returns signed text that covers all events so far. Store it outside the database.',
        response: textSchema('text/plain', 'The text for `checkpoint` of POST /api/verify.'),
      }),
      // It appends an event to the log, which a HEAD request must not do.
      exposeHeadRoute: false,
    },
    async (request, reply) =>
      reply
        .type('text/plain; charset=utf-8')
        .send(await context.purser.checkpoint({ actor: getIdentity(request).name })),
  )
}
