import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { Effects } from 'purser'
import { unknownExpectation } from '../http/expect-continue.ts'
import { rejectRepeatedHeaders } from '../http/headers.ts'
import { limitBody } from '../http/limit-body.ts'
import type { AppContext } from './context.ts'
import { HttpError } from './errors.ts'

const REQUEST_ID = /^[\w.:=+/@-]{1,128}$/
const DRAINING = { headers: { connection: 'close', 'retry-after': '1' } } as const

/** The id that the client has given to its request, or a new one. */
export function getRequestId({ headers }: IncomingMessage, effects: Effects): string {
  const requestId = headers['x-request-id']
  return typeof requestId === 'string' && REQUEST_ID.test(requestId) ? requestId : effects.randomId()
}

/**
 * The first step of every request, before it is authenticated and read: sets its limits. Returns or throws the error of one that is
 * refused whatever it asks for.
 */
export function acceptRequest(
  request: Pick<FastifyRequest, 'raw' | 'url' | 'bodyShare'>,
  response: ServerResponse,
  { effects, shutdown }: AppContext,
): HttpError | undefined {
  const { raw } = request
  limitBody(request, response, effects)
  response.on('timeout', closeUnreadResponse)
  rejectRepeatedHeaders(raw)
  const unmet = unknownExpectation(raw)
  if (unmet !== undefined) return unmet
  // Requests on connections that are still open are rejected while the server drains.
  const isDraining = shutdown.signal.aborted && !request.url.endsWith('/livez')
  return isDraining ? new HttpError(503, 'closed', 'The server is shutting down.', DRAINING) : undefined
}

/** A response that waits for the model is not cut; one whose bytes the client does not take is. */
function closeUnreadResponse(this: ServerResponse, socket: Socket): void {
  if (this.writableLength > 0 || socket.writableLength > 0) socket.destroy()
}
