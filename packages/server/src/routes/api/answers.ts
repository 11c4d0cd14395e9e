import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { recordAudit, recordRequest } from '../../http/audit.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getUser } from '../../http/params.ts'
import { responseOf } from '../../http/response-schemas.ts'

const tag = 'answers'

/** Statistics of cached answers, and deleting them. */
export function registerAnswerRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/answers/stats',
    defineRoute('read', {
      tag,
      summary: 'Size and hit counts of the answer cache.',
      response: responseOf('AnswerStats'),
    }),
    async () => context.purser.answers.stats(),
  )
  app.delete(
    '/api/answers',
    defineRoute('admin', { tag, summary: 'Deletes all cached answers.' }),
    async (request, reply) => {
      await context.purser.answers.clear()
      await recordAudit(request, context, { action: 'answers_cleared', detail: 'all cached answers deleted' })
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/users/:id/answers',
    defineRoute('read', {
      tag,
      summary: 'How many answers are stored for a user.',
      response: responseOf('StoredAnswers'),
    }),
    (request) => getUser(request, context).answers.stored(),
  )
  app.delete(
    '/api/users/:id/answers',
    defineRoute('admin', { tag, summary: "Deletes a user's cached answers; returns how many there were." }),
    async (request) => {
      const count = await getUser(request, context).answers.forget()
      await recordRequest(request, context)
      return count
    },
  )
}
