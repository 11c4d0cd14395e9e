import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PurserError, type RefusedTurn, rateLimitHeaders, type TurnOptions, toRefusalResponse } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { HttpError, problemFrom } from '../../app/errors.ts'
import { identityOf } from '../../auth/authenticate.ts'
import { headerText } from '../../http/header-text.ts'
import { idempotencyKeyOf, route } from '../../http/route.ts'
import { requiredUser } from './acting-user.ts'

const CHAT_REQUEST = {
  type: 'object',
  description: 'An OpenAI chat request; fields that are not named here pass through. Purser judges it, with its codes.',
  properties: {
    model: { type: 'string', description: "Left out, 'auto' or 'purser': what the user's settings say." },
    messages: { type: 'array', items: { type: 'object', additionalProperties: true } },
    stream: { type: 'boolean' },
    user: { type: 'string' },
    safety_identifier: { type: 'string' },
  },
  required: ['messages'],
  additionalProperties: true,
} as const

/** `POST /v1/chat/completions`: a turn over HTTP. */
export function chatRoutes(app: FastifyInstance, house: AppContext): void {
  app.post(
    '/v1/chat/completions',
    {
      ...route('chat', {
        tag: 'gateway',
        summary: 'One chat request, as JSON or server-sent events.',
        body: CHAT_REQUEST,
      }),
      // The turn reads the request itself and knows better what to say of it.
      validatorCompiler: () => () => true,
    },
    (request, reply) => chat(house, request, reply),
  )
}

async function chat(
  house: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const user = house.purser.user(requiredUser(request, identityOf(request)))
  const line = reply.raw
  const ending = new AbortController()
  const left = (): void => {
    // A response that was written to its end closes as well.
    if (!line.writableFinished) ending.abort(new DOMException('The client has left.', 'AbortError'))
  }
  const cut = (): void => ending.abort(house.forceClose.signal.reason)
  line.on('close', left)
  house.forceClose.signal.addEventListener('abort', cut)
  try {
    const turn = await user.turn(request.body, turnOptions(house, request, ending.signal))
    if (!turn.allowed) return refuse(house, turn, request, reply)
    reply.hijack()
    line.setHeader('x-request-id', request.id)
    line.setHeader('vary', 'authorization')
    await turn.pipe(line)
  } catch (error) {
    if (line.destroyed) reply.hijack()
    else if (reply.sent) endWith(line, error, request)
    else throw namingHeader(error, request)
  } finally {
    line.off('close', left)
    house.forceClose.signal.removeEventListener('abort', cut)
  }
  return undefined
}

/** The turn's own refusal, with this request's id in it. */
function refuse(
  house: AppContext,
  { admission }: RefusedTurn,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, headers, body } = toRefusalResponse(admission, { requestId: request.id })
  return reply
    .code(status)
    .headers({ ...rateLimitHeaders(admission, house.effects.now()), ...headers })
    .send(body)
}

function turnOptions(house: AppContext, request: FastifyRequest, signal: AbortSignal): TurnOptions {
  const { headers } = request
  const preset = headerText(headers, 'x-purser-preset')
  return {
    session: headerText(headers, 'x-purser-session'),
    override: preset === undefined ? undefined : { preset },
    mode: oneOf(headers, 'x-purser-mode', ['reuse', 'create']),
    cache: oneOf(headers, 'x-purser-cache', ['on', 'refresh', 'off']),
    timeZone: headerText(headers, 'x-purser-time-zone'),
    idempotencyKey: idempotencyKeyOf(request),
    firstChunkTimeoutMs: house.options.firstChunkTimeoutMs,
    idleTimeoutMs: house.options.idleTimeoutMs,
    signal,
  }
}

function oneOf<Choice extends string>(
  headers: FastifyRequest['headers'],
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const given = headerText(headers, name)
  if (given === undefined || choices.includes(given as Choice)) return given as Choice | undefined
  throw new HttpError(400, 'invalid_request_error', `The header ${name} must be one of ${choices.join(', ')}.`, {
    param: name,
  })
}

/** What the turn refuses of a header is told by the header's name. */
function namingHeader(error: unknown, { headers }: FastifyRequest): unknown {
  if (!PurserError.is(error)) return error
  const isZone = error.code === 'argument_invalid' && error.details?.param === 'timeZone'
  const param = isZone ? 'x-purser-time-zone' : error.code === 'preset_unknown' ? 'x-purser-preset' : undefined
  if (param === undefined || headers[param] === undefined) return error
  const code = isZone ? 'invalid_request_error' : error.code
  const message = isZone ? `The header ${param} must be an IANA time zone.` : error.message
  return new HttpError(400, code, message, { param, hint: error.hint })
}

/** The answer had been promised to the turn, but failed before its first byte. */
function endWith(line: ServerResponse, error: unknown, request: FastifyRequest): void {
  if (line.headersSent) {
    line.destroy()
    return
  }
  const problem = problemFrom(error, { requestId: request.id })
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'private, no-store' }
  line.writeHead(problem.status, { ...headers, ...problem.headers }).end(JSON.stringify(problem.body))
}
