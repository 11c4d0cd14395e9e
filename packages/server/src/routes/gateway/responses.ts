import type { FastifyInstance } from 'fastify'
import { callUserEndpoint } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { parseBody } from '../../formats/request-body.ts'
import { ResponseWriter } from '../../formats/responses/response-writer.ts'
import { createResponsesCall } from '../../formats/responses/responses-call.ts'
import { defineRoute } from '../../http/define-route.ts'
import { pipeTranslated } from './pipe-translated.ts'
import { serveRelayed } from './relayed.ts'
import { runTurn, setHeaders } from './run-turn.ts'

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
  const { effects } = context
  const nowSeconds = (): number => Math.floor(effects.now() / 1000)
  app.post(
    '/v1/responses',
    {
      ...defineRoute('chat', {
        tag: 'gateway',
        summary: 'Creates one response; it is JSON or server-sent events, and is not stored.',
        body: RESPONSES_REQUEST,
      }),
      config: { scope: 'chat', hasExactNumbers: true },
      validatorCompiler: () => () => true,
    },
    (request, reply) =>
      runTurn(context, { request, reply }, async (user, options) => {
        const body = parseBody(request)
        const result = await callUserEndpoint(user, createResponsesCall(body), options)
        if (result.kind !== 'answered') return serveRelayed(result)
        const header = { id: `resp_${effects.randomId().replaceAll('-', '')}`, createdAt: nowSeconds() }
        const writer = new ResponseWriter(body, header, nowSeconds)
        return {
          allowed: true,
          pipe: (response, headers) => pipeTranslated(result.turn, writer, setHeaders(response, headers)),
        }
      }),
  )
}
