import type { ServerResponse } from 'node:http'
import { PurserError, type RefusedTurn, rateLimitHeaders, type TurnOptions, toRefusalResponse } from 'purser'
import { CallSignal } from 'purser/internal'
import type { AppContext } from '../../app/context.ts'
import { HttpError } from '../../app/errors.ts'
import { logFault } from '../../app/log-fault.ts'
import { SECURITY_HEADERS } from '../../app/security-headers.ts'
import { toReportedResponse, writeError } from '../../app/write-error.ts'
import { getIdentity } from '../../auth/authenticate.ts'
import { getHeader } from '../../http/headers.ts'
import { getIdempotencyKey } from '../../http/idempotency.ts'
import { requireUser } from './acting-user.ts'
import type { TakeTurn, TurnHttpRequest } from './turn-route.ts'

/** A request with its body, and the response that the turn writes. */
export interface Exchange {
  readonly request: TurnHttpRequest
  readonly response: ServerResponse
}

/**
 * Answers a gateway request with a turn of its user, or with an error; never rejects. A client that leaves and a server
 * that closes abort the turn.
 */
export async function runTurn(context: AppContext, { request, response }: Exchange, take: TakeTurn): Promise<void> {
  const abort = new CallSignal()
  const onClose = (): void => {
    // A response that was written completely also closes.
    if (!response.writableFinished) abort.abort(new DOMException('The client disconnected.', 'AbortError'))
  }
  const onForceClose = (): void => abort.abort(context.forceClose.reason)
  response.on('close', onClose)
  // The client may have left while a large request was parsed.
  if (response.destroyed) onClose()
  context.forceClose.addEventListener('abort', onForceClose)
  let release: (() => void) | undefined
  let hasAnswer = false
  try {
    const identity = getIdentity(request)
    const id = requireUser(request, identity)
    const user = context.purser.user(id)
    if (isStreamed(request)) release = context.streams.acquire(id, identity.id)
    const turn = await take(request, user, parseTurnOptions(context, request, abort))
    if (turn.allowed) {
      hasAnswer = true
      await turn.pipe(response, { ...SECURITY_HEADERS, 'x-request-id': request.id })
    } else writeRefusal(context, turn, { request, response })
  } catch (error) {
    if (response.destroyed) return
    if (hasAnswer) logFault(request, error)
    endWithError(context, error, { request, response })
  } finally {
    release?.()
    response.off('close', onClose)
    context.forceClose.removeEventListener('abort', onForceClose)
  }
}

function isStreamed({ body }: TurnHttpRequest): boolean {
  return (body as { readonly stream?: unknown } | undefined)?.stream === true
}

/** Like the turn's own refusal response, with the id of this request and in the format of the endpoint. */
function writeRefusal(
  { effects, options }: AppContext,
  { admission }: Pick<RefusedTurn, 'admission'>,
  { request, response }: Exchange,
): void {
  const headers = rateLimitHeaders(admission, effects.now())
  writeError(response, toRefusalResponse(admission, { requestId: request.id }), { request, options, headers })
}

function endWithError({ options }: AppContext, error: unknown, { request, response }: Exchange): void {
  const reported = toReportedResponse(withHeaderParam(error, request), request, options)
  writeError(response, reported, { request, options })
}

function parseTurnOptions(context: AppContext, request: TurnHttpRequest, signal: CallSignal): TurnOptions {
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
function getSession({ headers }: TurnHttpRequest): string | undefined {
  return getHeader(headers, 'x-purser-session') ?? getHeader(headers, 'x-claude-code-session-id')
}

function parseOneOf<Choice extends string>(
  headers: TurnHttpRequest['headers'],
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
function withHeaderParam(error: unknown, { headers }: TurnHttpRequest): unknown {
  if (!PurserError.is(error)) return error
  const isTimeZone = error.code === 'argument_invalid' && error.details?.param === 'timeZone'
  const param = isTimeZone ? 'x-purser-time-zone' : error.code === 'preset_unknown' ? 'x-purser-preset' : undefined
  if (param === undefined || headers[param] === undefined) return error
  const code = isTimeZone ? 'invalid_request_error' : error.code
  const message = isTimeZone ? `The header ${param} must be an IANA time zone.` : error.message
  return new HttpError(400, code, message, { param, hint: error.hint })
}
