import type { FastifyRequest } from 'fastify'
import { PurserError } from 'purser'

/** A request with its log. */
export type LoggedRequest = Pick<FastifyRequest, 'log'>

/** Requests whose fault was logged: the layers it passes may each report it. */
const logged = new WeakSet<LoggedRequest>()

/**
 * Logs why a request failed, once, under its request id: an expected error in one line with its code, an unexpected one
 * with its stack. Also when the response has begun and no status can say it any more.
 */
export function logFault(request: LoggedRequest, error: unknown, facts: Readonly<Record<string, unknown>> = {}): void {
  if (logged.has(request)) return
  logged.add(request)
  if (PurserError.is(error)) request.log.warn({ ...facts, code: error.code }, messageOf(error))
  else request.log.error({ ...facts, code: 'internal_error', err: error })
}

/** Leaves the fault of a request out of the log, whichever layer reports it. */
export function skipFault(request: LoggedRequest): void {
  logged.add(request)
}

/** A provider's own words may quote what was said. They are for the caller only. */
function messageOf({ code, message, details }: PurserError): string {
  return code === 'upstream_rejected' ? `The provider rejected the request (status ${details?.status}).` : message
}
