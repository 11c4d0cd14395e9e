import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { VERSION } from '../../app/version.ts'
import { route } from '../../http/route.ts'

const tag = 'service'

/** Whether the server lives, whether it takes work, and a first look at everything. */
export function healthRoutes(app: FastifyInstance, house: AppContext): void {
  app.get('/livez', route('public', { tag, summary: 'The process answers.' }), async () => ({ status: 'alive' }))
  app.get('/readyz', route('public', { tag, summary: 'The server takes work and its store answers.' }), async () => {
    if (house.shutdown.signal.aborted) throw new HttpError(503, 'closed', 'This server is shutting down.')
    await house.purser.meta.get('server-keys')
    return { status: 'ready' }
  })
  app.get(
    '/api/overview',
    route('read', { tag: 'users', summary: 'Users by phase and risk, and the server.' }),
    async () => ({
      ...(await house.purser.overview()),
      vocabulary: {
        phases: house.config?.ledger?.phases ?? null,
        riskLevels: house.config?.ledger?.riskLevels ?? null,
      },
      server: {
        version: VERSION,
        startedAt: new Date(house.startedAt).toISOString(),
        store: house.purser.store,
        namespace: house.purser.namespace,
      },
    }),
  )
}
