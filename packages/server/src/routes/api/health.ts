import type { FastifyInstance } from 'fastify'
import { PurserError } from 'purser'
import { getMeta } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { VERSION } from '../../app/version.ts'
import { defineRoute } from '../../http/define-route.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'

const tag = 'service'

const CHECK_NAME = 'server-ready'
/** A result is used for this long, so that probes cannot load the disk. */
const CHECK_MAX_AGE_MS = 1_000
/** A disk that takes longer is not ready. */
const CHECK_TIMEOUT_MS = 2_000

/** A function that writes a value to the store and waits for the disk, at most once a second. */
function createWriteCheck({ purser, effects }: AppContext): () => Promise<void> {
  const meta = getMeta(purser)
  let checkedAt = Number.NEGATIVE_INFINITY
  let last: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    const stored = await meta.get(CHECK_NAME)
    // Losing against another server means that it has just written.
    await meta.compareAndSet(CHECK_NAME, stored, stored === '1' ? '0' : '1')
  }

  function writeInTime(): Promise<void> {
    return new Promise((resolve, reject) => {
      const error = new PurserError('store_unavailable', 'The store does not respond in time.')
      const cancel = effects.setTimer(() => reject(error), CHECK_TIMEOUT_MS, { background: true })
      write().then(resolve, reject).finally(cancel)
    })
  }

  return () => {
    const now = effects.monotonic()
    if (now - checkedAt >= CHECK_MAX_AGE_MS) {
      checkedAt = now
      last = writeInTime()
    }
    return last
  }
}

/** Liveness, readiness and the overview of the Deck. */
export function registerHealthRoutes(app: FastifyInstance, context: AppContext): void {
  const checkWrite = createWriteCheck(context)
  app.get('/livez', defineRoute('public', { tag, summary: 'Liveness: the process is running.' }), async () => ({
    status: 'alive',
  }))
  app.get(
    '/readyz',
    defineRoute('public', { tag, summary: 'Readiness: the server accepts requests and its store can be written.' }),
    async () => {
      if (context.shutdown.signal.aborted) throw new HttpError(503, 'closed', 'The server is shutting down.')
      await checkWrite()
      return { status: 'ready' }
    },
  )
  app.get(
    '/api/instances',
    defineRoute('read', {
      tag,
      summary: 'Lists the instances on the store: version, start, last heartbeat, live runtimes, answer statistics.',
      response: listOf('Instance', 'Instances.'),
    }),
    async () => ({ data: await context.purser.instances(), cursor: null }),
  )
  app.get(
    '/api/overview',
    defineRoute('read', {
      tag: 'users',
      summary: 'Counts users by phase and risk level, and describes the server.',
      response: responseOf('Overview'),
    }),
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
        unrecordedAdmissions: context.purser.unrecordedAdmissions,
      },
    }),
  )
}
