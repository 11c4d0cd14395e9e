import type { FastifyInstance } from 'fastify'
import { getMeta } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { VERSION } from '../../app/version.ts'
import { defineRoute } from '../../http/define-route.ts'

const tag = 'service'

/** Liveness, readiness and the overview of the Deck. */
export function registerHealthRoutes(app: FastifyInstance, context: AppContext): void {
  app.get('/livez', defineRoute('public', { tag, summary: 'Liveness: the process is running.' }), async () => ({
    status: 'alive',
  }))
  app.get(
    '/readyz',
    defineRoute('public', { tag, summary: 'Readiness: the server accepts requests and its store responds.' }),
    async () => {
      if (context.shutdown.signal.aborted) throw new HttpError(503, 'closed', 'The server is shutting down.')
      await getMeta(context.purser).get('server-keys')
      return { status: 'ready' }
    },
  )
  app.get(
    '/api/overview',
    defineRoute('read', { tag: 'users', summary: 'Counts users by phase and risk level, and describes the server.' }),
    async () => ({
      ...(await context.purser.overview()),
      vocabulary: {
        phases: context.purser.vocabulary.phases,
        riskLevels: context.purser.vocabulary.riskLevels,
      },
      server: {
        version: VERSION,
        startedAt: new Date(context.startedAt).toISOString(),
        store: context.purser.store,
        namespace: context.purser.namespace,
      },
    }),
  )
}
