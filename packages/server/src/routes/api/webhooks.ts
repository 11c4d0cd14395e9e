import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { recordAudit } from '../../http/audit.ts'
import { defineRoute } from '../../http/define-route.ts'
import { toRepeatable } from '../../http/idempotency.ts'
import { getBody, getParam, getQuery } from '../../http/params.ts'
import { listOf, responseOf } from '../../http/response-schemas.ts'
import { ANY_VALUE, NO_BODY, objectSchema, TEXT } from '../../http/schemas.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import { DELIVERY_STATES, type DeliveryState } from '../../webhooks/webhooks.ts'

const tag = 'webhooks'
const FIELDS = { url: ANY_VALUE, types: ANY_VALUE }

/** Webhooks. The secret of a webhook is in the response that creates it, and in no other. */
export function registerWebhookRoutes(app: FastifyInstance, context: AppContext): void {
  const { webhooks } = context
  webhooks.onError = (error) => app.log.error({ code: 'webhooks_failed', err: error }, 'Webhooks are delayed.')
  registerChanges(app, context)
  app.get(
    '/api/webhooks',
    defineRoute('admin', {
      tag,
      summary: 'Lists the webhooks, without secrets.',
      response: listOf('WebhookStatus', 'Webhooks.'),
    }),
    async () => ({ data: await webhooks.list(), cursor: null }),
  )
  app.get(
    '/api/webhooks/:webhook',
    defineRoute('admin', {
      tag,
      summary: 'One webhook, and how its deliveries stand.',
      params: ['webhook'],
      response: responseOf('WebhookStatus'),
    }),
    async (request) => (await webhooks.find(idOf(request))) ?? throwUnknown(),
  )
  app.get(
    '/api/webhooks/:webhook/deliveries',
    defineRoute('admin', {
      tag,
      summary: 'Deliveries, newest first: those that wait, the last 100 accepted ones, and the last 1,000 dead ones.',
      params: ['webhook'],
      query: { state: { ...TEXT, enum: DELIVERY_STATES } },
      response: listOf('Delivery', 'Deliveries.'),
    }),
    async (request) => {
      const state = getQuery(request).state as DeliveryState | undefined
      return { data: (await webhooks.deliveries(idOf(request), state)) ?? throwUnknown(), cursor: null }
    },
  )
}

function registerChanges(app: FastifyInstance, context: AppContext): void {
  const { webhooks } = context
  app.post(
    '/api/webhooks',
    defineRoute('admin', {
      tag,
      summary: 'Creates a webhook for events from now on. Its secret is returned only once.',
      body: objectSchema(FIELDS, ['url']),
      response: responseOf('NewWebhook'),
    }),
    async (request) => {
      const createdBy = getIdentity(request).name
      const webhook = await webhooks.create(getBody(request), createdBy, await toRepeatable(request, context))
      if (!request.isReplay) await record(request, context, { action: 'webhook_created', webhook })
      return webhook
    },
  )
  app.patch(
    '/api/webhooks/:webhook',
    defineRoute('admin', {
      tag,
      summary: 'Changes the URL or the types of a webhook, or switches it off and on.',
      params: ['webhook'],
      body: objectSchema({ ...FIELDS, enabled: ANY_VALUE }),
      response: responseOf('Webhook'),
    }),
    async (request) => {
      const webhook = (await webhooks.change(idOf(request), getBody(request))) ?? throwUnknown()
      await record(request, context, { action: 'webhook_changed', webhook })
      return webhook
    },
  )
  app.delete(
    '/api/webhooks/:webhook',
    defineRoute('admin', { tag, summary: 'Deletes a webhook and what waits for it.', params: ['webhook'] }),
    async (request, reply) => {
      const webhook = (await webhooks.remove(idOf(request))) ?? throwUnknown()
      await record(request, context, { action: 'webhook_deleted', webhook })
      return reply.code(204).send()
    },
  )
  registerAttempts(app, context)
}

function registerAttempts(app: FastifyInstance, context: AppContext): void {
  const { webhooks, shutdown } = context
  app.post(
    '/api/webhooks/:webhook/test',
    defineRoute('admin', {
      tag,
      summary: 'Sends an event of the type `webhook_test` once, and tells the outcome.',
      params: ['webhook'],
      body: NO_BODY,
      response: responseOf('WebhookTest'),
    }),
    async (request) => {
      const webhook = (await webhooks.find(idOf(request))) ?? throwUnknown()
      const outcome = (await webhooks.test(webhook.id, shutdown.signal)) ?? throwUnknown()
      await record(request, context, { action: 'webhook_tested', webhook })
      const { ok, status, id } = outcome
      return { id, ok, status, error: outcome.ok ? null : outcome.error }
    },
  )
  app.post(
    '/api/webhooks/:webhook/deliveries/:delivery/retry',
    defineRoute('admin', {
      tag,
      summary: 'Attempts a dead or waiting delivery as soon as possible.',
      params: ['webhook', 'delivery'],
      body: NO_BODY,
    }),
    async (request, reply) => {
      const webhook = (await webhooks.find(idOf(request))) ?? throwUnknown()
      const delivery = getParam(request, 'delivery')
      if (!(await webhooks.retry(webhook.id, delivery))) throw unknownDelivery()
      await record(request, context, { action: 'delivery_retried', webhook, delivery })
      return reply.code(202).send({ id: delivery, state: 'pending' })
    },
  )
}

function idOf(request: FastifyRequest): string {
  return getParam(request, 'webhook')
}

interface Change {
  readonly action: string
  readonly webhook: Webhook
  readonly delivery?: string
}

/** The log has the origin of the URL only: path and query of a receiver often contain a token. */
async function record(
  request: FastifyRequest,
  context: AppContext,
  { action, webhook, delivery }: Change,
): Promise<void> {
  const { id, url, types, enabled } = webhook
  const { origin } = new URL(url)
  await recordAudit(request, context, {
    action,
    detail: `${action.replace('_', ' ')}: ${origin}`,
    data: { webhook: id, origin, types, enabled, ...(delivery === undefined ? {} : { delivery }) },
  })
}

function throwUnknown(): never {
  throw new HttpError(404, 'webhook_unknown', 'No webhook has this id.', {
    hint: 'GET /api/webhooks lists the webhooks.',
  })
}

function unknownDelivery(): HttpError {
  return new HttpError(404, 'delivery_unknown', 'This delivery does not wait and is not dead, or its event is gone.', {
    hint: 'GET /api/webhooks/:id/deliveries lists the deliveries.',
  })
}
