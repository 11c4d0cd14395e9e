import type { FastifyInstance } from 'fastify'
import { askUserEndpoint, callUserEndpoint, forEachPiece, jsonPieces, tokensOfBytes } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { MessageWriter } from '../../formats/messages/message-writer.ts'
import { createCountCall, createMessagesCall } from '../../formats/messages/messages-call.ts'
import { type Fields, modelOf, parseBody } from '../../formats/request-body.ts'
import { invalidRequest } from '../../formats/unsupported-parameter.ts'
import { pipeTranslated } from './pipe-translated.ts'
import { registerTurnRoute } from './register-turn-route.ts'
import { serveRelayed } from './relayed.ts'
import type { ServedTurn } from './turn-route.ts'

const MESSAGES_REQUEST = {
  type: 'object',
  description: "A request in the format of Anthropic's messages.",
  properties: {
    model: { type: 'string', description: "Absent, 'auto' or 'purser': the model of the user's settings." },
    messages: { type: 'array', items: { type: 'object', additionalProperties: true } },
    max_tokens: { type: 'integer' },
    stream: { type: 'boolean' },
  },
  additionalProperties: true,
} as const

/** `POST /v1/messages`: relayed to a provider that has the endpoint, translated for any other; and its token count. */
export function registerMessagesRoutes(app: FastifyInstance, context: AppContext): void {
  const { effects } = context
  registerTurnRoute(app, context, {
    path: '/v1/messages',
    summary: "Creates one message in Anthropic's format; it is JSON or server-sent events.",
    body: MESSAGES_REQUEST,
    async take(request, user, options) {
      const body = parseBody(request)
      const result = await callUserEndpoint(user, createMessagesCall(body, request.headers), options)
      if (result.kind !== 'answered') return serveRelayed(result)
      const id = `msg_${effects.randomId().replaceAll('-', '')}`
      const writer = new MessageWriter({ id, model: modelOf(body) ?? 'auto' })
      return {
        allowed: true,
        pipe: (response, headers) => pipeTranslated(result.turn, writer, { response, headers }),
      }
    },
  })
  registerTurnRoute(app, context, {
    path: '/v1/messages/count_tokens',
    summary: 'Returns the number of input tokens of a message; estimated where the provider cannot count.',
    body: MESSAGES_REQUEST,
    async take(request, user, { mode: _mode, ...options }) {
      const body = parseBody(request)
      const call = createCountCall(body, request.headers)
      return serveText((await askUserEndpoint(user, call, options)) ?? (await estimate(body)))
    },
  })
}

function serveText(text: string): ServedTurn {
  return {
    allowed: true,
    async pipe(response, headers) {
      response.writeHead(200, {
        ...headers,
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'private, no-store',
      })
      response.end(text)
    },
  }
}

/** Of everything that the model reads. */
async function estimate({ system, messages, tools }: Fields): Promise<string> {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidRequest("'messages' must be a non-empty list of messages.", 'messages')
  }
  let bytes = 0
  await forEachPiece(jsonPieces([system ?? '', messages, tools ?? []]), (piece) => {
    bytes += piece.length
  })
  return JSON.stringify({ input_tokens: tokensOfBytes(bytes) })
}
