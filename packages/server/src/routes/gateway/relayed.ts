import type { FastifyInstance } from 'fastify'
import { callUserEndpoint, type EndpointTurn } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { createRelayedCall, RELAYED_ENDPOINTS } from '../../formats/relayed-endpoint.ts'
import { parseBody } from '../../formats/request-body.ts'
import { registerTurnRoute } from './register-turn-route.ts'
import type { ServedTurn } from './turn-route.ts'

const JSON_REQUEST = {
  type: 'object',
  description: "A request in OpenAI's format. Unknown fields are passed through.",
  properties: {
    model: { type: 'string', description: "Absent, 'auto' or 'purser': the model of the user's settings." },
    user: { type: 'string' },
  },
  additionalProperties: true,
} as const

/** OpenAI's endpoints that are relayed as they are: `POST /v1/embeddings`, `/v1/moderations` and so on. */
export function registerRelayedRoutes(app: FastifyInstance, context: AppContext): void {
  for (const endpoint of RELAYED_ENDPOINTS) {
    registerTurnRoute(app, context, {
      path: `/v1/${endpoint}`,
      summary: `Relays one request to the endpoint ${endpoint} of the model's provider.`,
      body: JSON_REQUEST,
      take: async (request, user, options) =>
        serveRelayed(await callUserEndpoint(user, createRelayedCall(endpoint, parseBody(request)), options)),
    })
  }
}

/** A turn that was refused, or whose answer is written as it is. */
export function serveRelayed({ kind, turn }: EndpointTurn): ServedTurn {
  return kind === 'refused' ? turn : { allowed: true, pipe: (response, headers) => turn.pipe(response, headers) }
}
