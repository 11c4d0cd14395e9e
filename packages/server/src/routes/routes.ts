import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../app/context.ts'
import { answerRoutes } from './api/answers.ts'
import { authorizationRoutes } from './api/authorizations.ts'
import { contextRoutes } from './api/context.ts'
import { eventRoutes } from './api/events.ts'
import { healthRoutes } from './api/health.ts'
import { keyRoutes } from './api/keys.ts'
import { ledgerRoutes } from './api/ledger.ts'
import { metricRoutes } from './api/metrics.ts'
import { runtimeRoutes } from './api/runtime.ts'
import { sessionRoutes } from './api/sessions.ts'
import { userRoutes } from './api/users.ts'
import { deckRoutes } from './deck.ts'
import { chatRoutes } from './gateway/chat.ts'
import { modelRoutes } from './gateway/models.ts'

/** Every route there is. */
export async function allRoutes(app: FastifyInstance, house: AppContext): Promise<void> {
  chatRoutes(app, house)
  modelRoutes(app, house)
  healthRoutes(app, house)
  sessionRoutes(app, house)
  userRoutes(app, house)
  ledgerRoutes(app, house)
  runtimeRoutes(app, house)
  authorizationRoutes(app, house)
  contextRoutes(app, house)
  answerRoutes(app, house)
  keyRoutes(app, house)
  eventRoutes(app, house)
  metricRoutes(app, house)
  await deckRoutes(app)
}
