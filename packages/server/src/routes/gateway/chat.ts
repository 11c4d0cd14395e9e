import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PurserError, type RefusedTurn, rateLimitHeaders, type TurnOptions, toRefusalResponse } from 'purser'
import type { AppContext } from '../../app/context.ts'
import { HttpError, mapError } from '../../app/errors.ts'
import { logFault } from '../../app/log-fault.ts'
import { SECURITY_HEADERS } from '../../app/security-headers.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { defineRoute } from '../../http/define-route.ts'
import { getHeader } from '../../http/headers.ts'
import { getIdempotencyKey } from '../../http/idempotency.ts'
import { StreamCounter } from '../../http/stream-counter.ts'
import { requireUser } from './acting-user.ts'

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
  const streams = createChatStreams(context)
  app.post(
    '/v1/chat/completions',
    {
      ...defineRoute('chat', {
        tag: 'gateway',
        summary: 'Runs one chat request; the response is JSON or server-sent events.',
        body: CHAT_REQUEST,
      }),
      config: { scope: 'chat', hasExactNumbers: true },
      // The turn parses the request itself, with more precise errors.
      validatorCompiler: () => () => true,
    },
    (request, reply) => {
      const user = requireUser(request, getIdentity(request))
      const release = acquireStream(streams, request, user)
      return handleChat(context, user, { request, reply }).finally(release)
    },
  )
}

/** Open streams by user and by key: a client that opens many holds only its own slots. */
interface ChatStreams {
  readonly byUser: StreamCounter
  readonly byKey: StreamCounter
}

function createChatStreams({ options }: AppContext): ChatStreams {
  return {
    byUser: new StreamCounter(options.maxStreamsPerUser),
    byKey: new StreamCounter(options.maxStreamsPerKey),
  }
}

/** Returns the function that gives the slots of a stream back. Throws 429 when a limit is reached. */
function acquireStream({ byUser, byKey }: ChatStreams, request: FastifyRequest, user: string): () => void {
  if ((request.body as { stream?: unknown } | undefined)?.stream !== true) return () => {}
  const releaseUser = byUser.acquire(user)
  const releaseKey = releaseUser && byKey.acquire(getIdentity(request).id)
  if (releaseUser !== undefined && releaseKey !== undefined) {
    return () => {
      releaseUser()
      releaseKey()
    }
  }
  releaseUser?.()
  const whose = releaseUser === undefined ? 'user' : 'key'
  throw new HttpError(429, 'rate_limit_exceeded', `This ${whose} has too many open streams.`, {
    hint: 'Read the open streams to their end, or close them.',
    headers: { 'retry-after': '1' },
  })
}

async function handleChat(
  context: AppContext,
  id: string,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): Promise<FastifyReply | undefined> {
  const user = context.purser.user(id)
  const res = reply.raw
  const abort = new AbortController()
  const onClose = (): void => {
    // A response that was written completely also closes.
    if (!res.writableFinished) abort.abort(new DOMException('The client disconnected.', 'AbortError'))
  }
  const onForceClose = (): void => abort.abort(context.forceClose.signal.reason)
  res.on('close', onClose)
  context.forceClose.signal.addEventListener('abort', onForceClose)
  try {
    const turn = await user.turn(request.body, parseTurnOptions(context, request, abort.signal))
    if (!turn.allowed) return sendRefusal(context, turn, request, reply)
    reply.hijack()
    res.setHeader('x-request-id', request.id)
    for (const name in SECURITY_HEADERS) res.setHeader(name, SECURITY_HEADERS[name] as string)
    await turn.pipe(res)
  } catch (error) {
    if (res.destroyed) reply.hijack()
    else if (reply.sent) endWithError(res, error, request)
    else throw withHeaderParam(error, request)
  } finally {
    res.off('close', onClose)
    context.forceClose.signal.removeEventListener('abort', onForceClose)
  }
  return undefined
}

/** Like the turn's own refusal response, with the id of this request. */
function sendRefusal(
  context: AppContext,
  { admission }: RefusedTurn,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, headers, body } = toRefusalResponse(admission, { requestId: request.id })
  return reply
    .code(status)
    .headers({ ...rateLimitHeaders(admission, context.effects.now()), ...headers })
    .send(body)
}

function parseTurnOptions(context: AppContext, request: FastifyRequest, signal: AbortSignal): TurnOptions {
  const { headers } = request
  const preset = getHeader(headers, 'x-purser-preset')
  return {
    session: getHeader(headers, 'x-purser-session'),
    override: preset === undefined ? undefined : { preset },
    mode: parseOneOf(headers, 'x-purser-mode', ['plain', 'reuse', 'create']),
    cache: parseOneOf(headers, 'x-purser-cache', ['on', 'refresh', 'off']),
    timeZone: getHeader(headers, 'x-purser-time-zone'),
    idempotencyKey: getIdempotencyKey(request),
    firstChunkTimeoutMs: context.options.firstChunkTimeoutMs,
    idleTimeoutMs: context.options.idleTimeoutMs,
    readerTimeoutMs: context.options.readerTimeoutMs,
    onFailure: ({ error, ...facts }) => logFault(request, error, facts),
    signal,
  }
}

function parseOneOf<Choice extends string>(
  headers: FastifyRequest['headers'],
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  const value = getHeader(headers, name)
  if (value === undefined || choices.includes(value as Choice)) return value as Choice | undefined
  throw new HttpError(400, 'invalid_request_error', `The header ${name} must be one of ${choices.join(', ')}.`, {
    param: name,
  })
}

/** Names the header as `param` when the turn rejects an option that came from a header. */
function withHeaderParam(error: unknown, { headers }: FastifyRequest): unknown {
  if (!PurserError.is(error)) return error
  const isTimeZone = error.code === 'argument_invalid' && error.details?.param === 'timeZone'
  const param = isTimeZone ? 'x-purser-time-zone' : error.code === 'preset_unknown' ? 'x-purser-preset' : undefined
  if (param === undefined || headers[param] === undefined) return error
  const code = isTimeZone ? 'invalid_request_error' : error.code
  const message = isTimeZone ? `The header ${param} must be an IANA time zone.` : error.message
  return new HttpError(400, code, message, { param, hint: error.hint })
}

/** Ends a response that was handed to the turn and failed: with an error body if no header was sent. */
function endWithError(res: ServerResponse, error: unknown, request: FastifyRequest): void {
  logFault(request, error)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const response = mapError(error, { requestId: request.id })
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'private, no-store' }
  res.writeHead(response.status, { ...headers, ...response.headers }).end(JSON.stringify(response.body))
}
