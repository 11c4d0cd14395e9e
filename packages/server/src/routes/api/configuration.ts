import type { FastifyInstance } from 'fastify'
import { DEFAULTS } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { defineRoute } from '../../http/define-route.ts'
import { responseOf } from '../../http/response-schemas.ts'

/** `GET /api/config`: what the server runs with. Names only: no address, no header and no secret is in it. */
export function registerConfigurationRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/config',
    defineRoute('read', {
      tag: 'service',
      summary: 'Returns what the server runs with, without addresses and secrets.',
      response: responseOf('Configuration'),
    }),
    async () => describeConfiguration(context),
  )
}

function describeConfiguration({ purser, config }: AppContext): object {
  const { models, defaults, currency, limits } = purser.vocabulary
  const ledger = { ...DEFAULTS.ledger, ...config?.ledger }
  const answers = { ...DEFAULTS.answers, ...config?.answers }
  const context = { ...DEFAULTS.context, ...config?.context }
  return {
    providers: Array.from(models, ([name, ids]) => ({ name, kind: kindOf(config?.providers?.[name]), models: ids })),
    mcpServers: Object.entries(config?.mcpServers ?? {}).map(([name, server]) => ({
      name,
      transport: 'url' in server ? 'http' : 'process',
    })),
    defaults,
    timeZone: config?.timeZone ?? DEFAULTS.timeZone,
    currency,
    limits,
    window: ledger.window,
    keepEvents: ledger.keepEvents,
    keepTurns: { ...DEFAULTS.ledger.keepTurns, ...config?.ledger?.keepTurns },
    answers: { enabled: answers.enabled, ttlMs: answers.ttlMs },
    context: { mode: context.mode, maxTokens: context.maxTokens, budgetMs: context.budgetMs, ttlMs: context.ttlMs },
  }
}

/** Null when the host has opened Purser itself. */
function kindOf(provider: { readonly kind?: string } | undefined): string | null {
  return provider?.kind ?? null
}
