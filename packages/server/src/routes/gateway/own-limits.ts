import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type LimitState, PurserError, type Settings, type User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { idempotencyOptions } from '../../http/idempotency.ts'
import { getBody, getParam } from '../../http/params.ts'
import { ANY_VALUE, objectSchema } from '../../http/schemas.ts'
import { requireUser } from './acting-user.ts'

/** `/v1/me`: what is left for the person; `/v1/me/limits`: limits of their own. */
export function registerOwnLimitRoutes(app: FastifyInstance, context: AppContext): void {
  const getUser = (request: FastifyRequest): User => context.purser.user(requireUser(request, getIdentity(request)))
  app.get(
    '/v1/me',
    defineRoute('chat', { tag: 'gateway', summary: "Returns the user's limits, plan, provider and model." }),
    async (request) => {
      const user = getUser(request)
      const [quota, limits, bond, settings] = await Promise.all([
        user.ledger.quota(),
        user.ledger.limits(),
        user.ledger.bond(),
        getSettings(user),
      ])
      const isBlocked = bond.blocked !== null
      return {
        user: user.id,
        plan: bond.plan,
        allowed: !isBlocked && limits.every(hasRest),
        blocked: isBlocked,
        limits,
        ...quota,
        provider: settings?.provider ?? null,
        model: settings?.model ?? null,
      }
    },
  )
  app.put(
    '/v1/me/limits/:name',
    defineRoute('chat', {
      tag: 'gateway',
      summary: "Sets a limit of the user's own, at most the operator's; null removes it.",
      params: ['name'],
      body: objectSchema({ max: ANY_VALUE }, ['max']),
    }),
    async (request): Promise<LimitState> => {
      const { role, name: key } = getIdentity(request)
      const { max } = getBody(request) as { max: number | string | null }
      const options = { actor: role === 'user' ? undefined : key, ...idempotencyOptions(request) }
      return getUser(request).ledger.setOwnLimit(getParam(request, 'name'), max, options)
    },
  )
}

/** Whether a turn of some model passes. */
function hasRest({ mode, models, remaining }: LimitState): boolean {
  return mode === 'observe' || models !== null || remaining === null || Number(remaining) > 0
}

/** Undefined for a user without a usable model. */
async function getSettings(user: User): Promise<Settings | undefined> {
  try {
    return await user.runtime.settings()
  } catch (error) {
    if (PurserError.is(error, 'model_required') || PurserError.is(error, 'provider_unknown')) return undefined
    throw error
  }
}
