import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { route, userOf } from '../../http/route.ts'

const tag = 'answers'

/** Kept answers: how many there are, and forgetting them. */
export function answerRoutes(app: FastifyInstance, house: AppContext): void {
  app.get('/api/answers/stats', route('read', { tag, summary: 'What is kept and how often it helped.' }), async () =>
    house.purser.answers.stats(),
  )
  app.delete(
    '/api/answers',
    route('administer', { tag, summary: 'Forgets every kept answer.' }),
    async (_request, reply) => {
      await house.purser.answers.clear()
      return reply.code(204).send()
    },
  )
  app.delete(
    '/api/users/:id/answers',
    route('administer', { tag, summary: "Forgets a user's kept answers; tells how many there were." }),
    async (request) => userOf(request, house).answers.forget(),
  )
}
