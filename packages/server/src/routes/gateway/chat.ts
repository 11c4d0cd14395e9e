import type { FastifyInstance } from 'fastify'
import type { ChatRequest } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { registerTurnRoute } from './register-turn-route.ts'

const CHAT_REQUEST = {
  type: 'object',
  description: 'An OpenAI chat completions request. Unknown fields are passed through.',
  properties: {
    model: { type: 'string', description: "Absent, 'auto' or 'purser': the model of the user's settings." },
    messages: { type: 'array', items: { type: 'object', additionalProperties: true } },
    stream: { type: 'boolean' },
    user: { type: 'string' },
    safety_identifier: { type: 'string' },
  },
  required: ['messages'],
  additionalProperties: true,
} as const

/** `POST /v1/chat/completions`: a turn over HTTP. */
export function registerChatRoutes(app: FastifyInstance, context: AppContext): void {
  registerTurnRoute(app, context, {
    path: '/v1/chat/completions',
    summary: 'Runs one chat request; the response is JSON or server-sent events.',
    body: CHAT_REQUEST,
    take: (request, user, options) =>
      user.turn(request.body as ChatRequest, { endpoint: 'chat/completions', ...options }),
  })
}
