import type { FastifyInstance, FastifyRequest } from 'fastify'
import { askUserEndpoint, callUserEndpoint, forEachPiece, jsonPieces, tokensOfBytes } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { MessageWriter } from '../../formats/messages/message-writer.ts'
import { createCountCall, createMessagesCall } from '../../formats/messages/messages-call.ts'
import { modelOf, parseBody } from '../../formats/request-body.ts'
import { invalidRequest } from '../../formats/unsupported-parameter.ts'
import { defineRoute } from '../../http/define-route.ts'
import { pipeTranslated } from './pipe-translated.ts'
import { serveRelayed } from './relayed.ts'
import { runTurn, type ServedTurn, setHeaders } from './run-turn.ts'

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
  const routeOptions = (summary: string): ReturnType<typeof defineRoute> => ({
    ...defineRoute('chat', { tag: 'gateway', summary, body: MESSAGES_REQUEST }),
    config: { scope: 'chat', hasExactNumbers: true },
    validatorCompiler: () => () => true,
  })
  app.post(
    '/v1/messages',
    routeOptions("Creates one message in Anthropic's format; it is JSON or server-sent events."),
    (request, reply) =>
      runTurn(context, { request, reply }, async (user, options) => {
        const body = parseBody(request)
        const result = await callUserEndpoint(user, createMessagesCall(body, request.headers), options)
        if (result.kind !== 'answered') return serveRelayed(result)
        const id = `msg_${effects.randomId().replaceAll('-', '')}`
        const writer = new MessageWriter({ id, model: modelOf(body) ?? 'auto' })
        return {
          allowed: true,
          pipe: (response, headers) => pipeTranslated(result.turn, writer, setHeaders(response, headers)),
        }
      }),
  )
  app.post(
    '/v1/messages/count_tokens',
    routeOptions('Returns the number of input tokens of a message; estimated where the provider cannot count.'),
    (request, reply) =>
      runTurn(context, { request, reply }, async (user, { mode: _mode, ...options }) => {
        const call = createCountCall(parseBody(request), request.headers)
        return serveText((await askUserEndpoint(user, call, options)) ?? (await estimate(request)))
      }),
  )
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
async function estimate(request: FastifyRequest): Promise<string> {
  const { system, messages, tools } = parseBody(request)
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidRequest("'messages' must be a non-empty list of messages.", 'messages')
  }
  let bytes = 0
  await forEachPiece(jsonPieces([system ?? '', messages, tools ?? []]), (piece) => {
    bytes += piece.length
  })
  return JSON.stringify({ input_tokens: tokensOfBytes(bytes) })
}
