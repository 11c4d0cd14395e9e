import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LimitState, SimulateOptions, User } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { parseAudit, requireAudit } from '../../http/audit.ts'
import { parseIfMatch, sendVersioned, withPrecondition } from '../../http/conditional.ts'
import { defineRoute } from '../../http/define-route.ts'
import { type IdempotencyOptions, idempotencyOptions } from '../../http/idempotency.ts'
import { getBody, getParam, getUser } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { ANY_VALUE, objectSchema, optionalObjectSchema } from '../../http/schemas.ts'

const tag = 'limits'

interface ChangeOptions extends IdempotencyOptions {
  readonly expectedVersion: number | undefined
}

/** Limits and plans: what users may use, and what operators change about it. */
export function registerLimitRoutes(app: FastifyInstance, context: AppContext): void {
  app.get(
    '/api/plans',
    defineRoute('read', { tag, summary: 'Lists the configured plans.', response: listOf('Plan', 'Plans.') }),
    async () => ({ data: context.purser.vocabulary.plans, cursor: null }),
  )
  app.get(
    '/api/users/:id/limits',
    defineRoute('read', {
      tag,
      summary: 'Lists the limits of a user, in the order of decision.',
      response: listOf('LimitState', 'Limits.'),
    }),
    async (request) => ({ data: await getUser(request, context).ledger.limits(), cursor: null }),
  )
  app.put(
    '/api/users/:id/plan',
    defineRoute('users:moderate', {
      tag,
      summary: 'Assigns a plan; null is the default one.',
      response: responseOf('Bond'),
      body: objectSchema({ plan: ANY_VALUE, reason: ANY_VALUE }, ['plan']),
    }),
    async (request, reply) => {
      const { ledger } = getUser(request, context)
      const by = { ...parseAudit(request), ...changeOptions(request) }
      const bond = await withPrecondition(request, () => ledger.setPlan(getBody(request).plan as string | null, by))
      return sendVersioned(reply, bond)
    },
  )
  app.post(
    '/api/limits/simulate',
    defineRoute('read', {
      tag,
      summary: 'Replays the recorded turns under proposed limits and plans, and returns who would be refused.',
      response: responseOf('Simulation'),
      body: objectSchema({ limits: ANY_VALUE, plans: ANY_VALUE, since: ANY_VALUE, users: ANY_VALUE }),
    }),
    async (request, reply) => {
      const abort = new AbortController()
      reply.raw.on('close', () => abort.abort(new DOMException('The client disconnected.', 'AbortError')))
      const { limits, plans, since, users } = getBody(request) as SimulateOptions
      return context.purser.simulate({ limits, plans, since, users, signal: abort.signal })
    },
  )
  registerChanges(app, context)
}

function registerChanges(app: FastifyInstance, context: AppContext): void {
  const changeLimit =
    (change: (user: User, name: string, request: FastifyRequest) => Promise<LimitState>) =>
    (request: FastifyRequest): Promise<LimitState> =>
      withPrecondition(request, () => change(getUser(request, context), getParam(request, 'name'), request))
  app.put(
    '/api/users/:id/limits/:name',
    defineRoute('users:moderate', {
      tag,
      summary: 'Sets what a user may use under a limit; null is no limit.',
      response: responseOf('LimitState'),
      params: ['id', 'name'],
      body: objectSchema({ max: ANY_VALUE, until: ANY_VALUE, reason: ANY_VALUE }, ['max']),
    }),
    changeLimit(({ ledger }, name, request) => {
      const { max, until } = getBody(request) as { max: number | string | null; until?: string | null }
      return ledger.setLimit(name, max, { ...parseAudit(request), ...changeOptions(request), until })
    }),
  )
  app.delete(
    '/api/users/:id/limits/:name',
    defineRoute('users:moderate', {
      tag,
      summary: 'Returns a limit of a user to the configured one.',
      response: responseOf('LimitState'),
      params: ['id', 'name'],
      body: optionalObjectSchema({ reason: ANY_VALUE }),
    }),
    changeLimit(({ ledger }, name, request) =>
      ledger.setLimit(name, 'default', { ...parseAudit(request), ...changeOptions(request) }),
    ),
  )
  app.delete(
    '/api/users/:id/limits/:name/usage',
    defineRoute('users:moderate', {
      tag,
      summary: 'Sets the use of a limit to 0.',
      response: responseOf('LimitState'),
      params: ['id', 'name'],
      body: optionalObjectSchema({ reason: ANY_VALUE }),
    }),
    changeLimit(({ ledger }, name, request) =>
      ledger.resetLimit(name, { ...requireAudit(request), ...changeOptions(request) }),
    ),
  )
}

function changeOptions(request: FastifyRequest): ChangeOptions {
  return { expectedVersion: parseIfMatch(request), ...idempotencyOptions(request) }
}
