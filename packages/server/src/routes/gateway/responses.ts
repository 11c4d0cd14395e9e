import type { FastifyInstance } from 'fastify'
import { callUserEndpoint } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { type Fields, parseBody } from '../../formats/request-body.ts'
import type { Conversation } from '../../formats/responses/conversation.ts'
import { ResponseWriter } from '../../formats/responses/response-writer.ts'
import { createResponsesCall } from '../../formats/responses/responses-call.ts'
import { openConversation } from './open-conversation.ts'
import { type AnsweredTurn, pipeTranslated } from './pipe-translated.ts'
import { registerTurnRoute } from './register-turn-route.ts'
import { serveRelayed } from './relayed.ts'
import type { ServedTurn } from './turn-route.ts'

const RESPONSES_REQUEST = {
  type: 'object',
  description: "A request in the format of OpenAI's responses.",
  properties: {
    model: { type: 'string', description: "Absent, 'auto' or 'purser': the model of the user's settings." },
    input: { description: 'Text, or a list of items.' },
    stream: { type: 'boolean' },
    user: { type: 'string' },
    safety_identifier: { type: 'string' },
  },
  additionalProperties: true,
} as const

/** `POST /v1/responses`: relayed to a provider that has the endpoint, translated for any other. */
export function registerResponsesRoutes(app: FastifyInstance, context: AppContext): void {
  registerTurnRoute(app, context, {
    path: '/v1/responses',
    summary: 'Creates one response; it is JSON or server-sent events.',
    body: RESPONSES_REQUEST,
    async take(request, user, options) {
      const body = parseBody(request)
      const conversation = await openConversation(context, { user, request }, body)
      const result = await callUserEndpoint(user, createResponsesCall(body, conversation), options)
      if (result.kind !== 'answered') return serveRelayed(result)
      return serveTranslated(context, body, { conversation, turn: result.turn })
    },
  })
}

function serveTranslated(
  { effects }: AppContext,
  body: Fields,
  { conversation, turn }: { readonly conversation: Conversation; readonly turn: AnsweredTurn },
): ServedTurn {
  const now = (): number => Math.floor(effects.now() / 1000)
  const { previousId, id = `resp_${effects.randomId().replaceAll('-', '')}` } = conversation
  const { incarnation } = turn
  const keep =
    conversation.keep === undefined || incarnation === undefined
      ? undefined
      : (response: Fields) => conversation.keep?.(response, { incarnation }) ?? Promise.resolve(false)
  const header = { id, createdAt: now(), previousId, store: keep !== undefined }
  const writer = new ResponseWriter(body, header, { now, keep })
  return { allowed: true, pipe: (response, headers) => pipeTranslated(turn, writer, { response, headers }) }
}
