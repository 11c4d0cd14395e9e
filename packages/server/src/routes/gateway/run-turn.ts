import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { PurserError, type RefusedTurn, rateLimitHeaders, type TurnOptions, toRefusalResponse, type User } from 'purser'
import { CallSignal } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { formatErrorBody, HttpError, mapError } from '../../app/errors.ts'
import { logFault } from '../../app/log-fault.ts'
import { SECURITY_HEADERS } from '../../app/security-headers.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { getHeader } from '../../http/headers.ts'
import { getIdempotencyKey } from '../../http/idempotency.ts'
import { requireUser } from './acting-user.ts'

/** A request and its reply, as every route gets them. */
export interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** A turn as a route answers it: refused, or an answer that writes itself. */
export type ServedTurn =
  | Pick<RefusedTurn, 'allowed' | 'admission'>
  | {
      readonly allowed: true
      /** `headers`: of every response of this server. */
      pipe(response: ServerResponse, headers: Readonly<Record<string, string>>): Promise<void>
    }

/**
 * Answers a gateway request with a turn of its user. `take` gets the options that the headers set. A client that leaves
 * and a server that closes abort the turn.
 */
export async function runTurn(
  context: AppContext,
  { request, reply }: Exchange,
  take: (user: User, options: TurnOptions) => Promise<ServedTurn>,
): Promise<FastifyReply | undefined> {
  const id = requireUser(request, getIdentity(request))
  const user = context.purser.user(id)
  const release = isStreamed(request) ? context.streams.acquire(id, getIdentity(request).id) : () => {}
  const res = reply.raw
  const abort = new CallSignal()
  const onClose = (): void => {
    // A response that was written completely also closes.
    if (!res.writableFinished) abort.abort(new DOMException('The client disconnected.', 'AbortError'))
  }
  const onForceClose = (): void => abort.abort(context.forceClose.reason)
  res.on('close', onClose)
  // The client may have left while a large request was parsed.
  if (res.destroyed) onClose()
  context.forceClose.addEventListener('abort', onForceClose)
  try {
    const turn = await take(user, parseTurnOptions(context, request, abort))
    if (!turn.allowed) return sendRefusal(context, turn, { request, reply })
    reply.hijack()
    await turn.pipe(res, { ...SECURITY_HEADERS, 'x-request-id': request.id })
  } catch (error) {
    if (res.destroyed) reply.hijack()
    else if (reply.sent) endWithError(context, error, { request, reply })
    else throw withHeaderParam(error, request)
  } finally {
    release()
    res.off('close', onClose)
    context.forceClose.removeEventListener('abort', onForceClose)
  }
  return undefined
}

/** For an answer that writes its headers without them. */
export function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): ServerResponse {
  for (const name in headers) response.setHeader(name, headers[name] as string)
  return response
}

function isStreamed({ body }: FastifyRequest): boolean {
  return (body as { readonly stream?: unknown } | undefined)?.stream === true
}

/** Like the turn's own refusal response, with the id of this request and in the format of the endpoint. */
function sendRefusal(
  context: AppContext,
  { admission }: Pick<RefusedTurn, 'admission'>,
  { request, reply }: Exchange,
): FastifyReply {
  const response = toRefusalResponse(admission, { requestId: request.id })
  return reply
    .code(response.status)
    .headers({ ...rateLimitHeaders(admission, context.effects.now()), ...response.headers })
    .serializer(JSON.stringify)
    .send(formatErrorBody(response, request, context.options))
}

function parseTurnOptions(context: AppContext, request: FastifyRequest, signal: CallSignal): TurnOptions {
  const { headers } = request
  const preset = getHeader(headers, 'x-purser-preset')
  return {
    session: getSession(request),
    override: preset === undefined ? undefined : { preset },
    mode: parseOneOf(headers, 'x-purser-mode', ['plain', 'reuse', 'create']),
    cache: parseOneOf(headers, 'x-purser-cache', ['on', 'refresh', 'off']),
    timeZone: getHeader(headers, 'x-purser-time-zone'),
    idempotencyKey: getIdempotencyKey(request),
    firstChunkTimeoutMs: context.options.firstChunkTimeoutMs,
    idleTimeoutMs: context.options.idleTimeoutMs,
    readerTimeoutMs: context.options.readerTimeoutMs,
    onFailure: (failure) => context.failureLog.write(request, failure),
    requestId: request.id,
    signal,
  }
}

/** Claude Code names its session in a header of its own. */
function getSession({ headers }: FastifyRequest): string | undefined {
  return getHeader(headers, 'x-purser-session') ?? getHeader(headers, 'x-claude-code-session-id')
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
function endWithError({ options }: AppContext, error: unknown, { request, reply: { raw: res } }: Exchange): void {
  logFault(request, error)
  if (res.headersSent) {
    res.destroy()
    return
  }
  const response = mapError(error, { requestId: request.id })
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'private, no-store' }
  const body = formatErrorBody(response, request, options)
  res.writeHead(response.status, { ...headers, ...response.headers }).end(JSON.stringify(body))
}
