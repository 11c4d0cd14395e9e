import type { FastifyInstance } from 'fastify'
import type { AppContext } from '../app/context.ts'
import { registerAnswerRoutes } from './api/answers.ts'
import { registerAttentionRoutes } from './api/attention.ts'
import { registerAuditRoutes } from './api/audit.ts'
import { registerAuthorizationRoutes } from './api/authorizations.ts'
import { registerConfigurationRoutes } from './api/configuration.ts'
import { registerContextRoutes } from './api/context.ts'
import { registerEventRoutes } from './api/events.ts'
import { registerHealthRoutes } from './api/health.ts'
import { registerKeyRoutes } from './api/keys.ts'
import { registerLedgerRoutes } from './api/ledger.ts'
import { registerLimitRoutes } from './api/limits.ts'
import { registerMetricRoutes } from './api/metrics.ts'
import { registerRuntimeRoutes } from './api/runtime.ts'
import { registerSessionRoutes } from './api/sessions.ts'
import { registerTurnRoutes } from './api/turns.ts'
import { registerUserRoutes } from './api/users.ts'
import { registerVerificationRoutes } from './api/verification.ts'
import { registerWebhookRoutes } from './api/webhooks.ts'
import { registerDeckRoutes } from './deck.ts'
import { registerChatRoutes } from './gateway/chat.ts'
import { registerMessagesRoutes } from './gateway/messages.ts'
import { registerModelRoutes } from './gateway/models.ts'
import { registerOwnContextRoutes } from './gateway/own-context.ts'
import { registerOwnLimitRoutes } from './gateway/own-limits.ts'
import { registerOwnUsageRoutes } from './gateway/own-usage.ts'
import { registerRelayedRoutes } from './gateway/relayed.ts'
import { registerResponsesRoutes } from './gateway/responses.ts'
import { registerStoredResponseRoutes } from './gateway/stored-responses.ts'
import { registerTranscriptionRoutes } from './gateway/transcriptions.ts'

export async function registerRoutes(app: FastifyInstance, context: AppContext): Promise<void> {
  registerChatRoutes(app, context)
  registerModelRoutes(app, context)
  registerOwnContextRoutes(app, context)
  registerOwnLimitRoutes(app, context)
  registerOwnUsageRoutes(app, context)
  registerMessagesRoutes(app, context)
  registerRelayedRoutes(app, context)
  registerResponsesRoutes(app, context)
  registerStoredResponseRoutes(app, context)
  registerTranscriptionRoutes(app, context)
  registerHealthRoutes(app, context)
  registerAttentionRoutes(app, context)
  registerAuditRoutes(app, context)
  registerConfigurationRoutes(app, context)
  registerSessionRoutes(app, context)
  registerUserRoutes(app, context)
  registerLedgerRoutes(app, context)
  registerLimitRoutes(app, context)
  registerTurnRoutes(app, context)
  registerVerificationRoutes(app, context)
  registerRuntimeRoutes(app, context)
  registerAuthorizationRoutes(app, context)
  registerContextRoutes(app, context)
  registerAnswerRoutes(app, context)
  registerKeyRoutes(app, context)
  registerWebhookRoutes(app, context)
  registerEventRoutes(app, context)
  registerMetricRoutes(app, context)
  await registerDeckRoutes(app)
}
