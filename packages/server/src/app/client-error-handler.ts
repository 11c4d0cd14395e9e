import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createErrorResponse, type Effects } from 'purser'
import { isLingering, LINGER_MAX_BYTES, linger } from './linger.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

interface ParseError extends Error {
  readonly code?: string
}

const STATUSES: Readonly<Record<string, readonly [status: number, reason: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The request headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request took too long to arrive.'],
}

/**
 * Answers bytes that are not a valid HTTP request, which never reach a route, with the error body of all routes, and
 * closes the connection: at once when a response is under way, otherwise after the client had a moment to read the
 * answer. A client that does not close its side, sends on or reads nothing cannot keep the connection open.
 */
export function createClientErrorHandler(effects: Effects): (error: ParseError, socket: Socket) => void {
  /** Bytes that had arrived when the connection was answered. */
  const answered = new WeakMap<Socket, number>()
  return (error, socket) => {
    const bytesBefore = answered.get(socket)
    if (bytesBefore !== undefined) {
      if (socket.bytesRead - bytesBefore > LINGER_MAX_BYTES) socket.destroy()
      return
    }
    const hasAnswer = isLingering(socket) || hasResponseUnderWay(socket)
    if (error.code === 'ECONNRESET' || !socket.writable || hasAnswer) {
      socket.destroy()
      return
    }
    answered.set(socket, socket.bytesRead)
    socket.end(createResponse(error, effects.randomId()))
    linger(socket, effects)
  }
}

/** Whether bytes of a response were sent. Reads the same field as Node's own handler of this event. */
function hasResponseUnderWay(socket: Socket): boolean {
  const { _httpMessage: response } = socket as Socket & { readonly _httpMessage?: ServerResponse | null }
  return response?.headersSent === true
}

function createResponse(error: ParseError, requestId: string): string {
  const [status, reason, message] = STATUSES[error.code ?? ''] ?? [400, 'Bad Request', 'Malformed HTTP request.']
  const { body } = createErrorResponse(status, { code: 'invalid_request_error', message }, { requestId })
  const text = JSON.stringify(body)
  return [
    `HTTP/1.1 ${status} ${reason}`,
    'connection: close',
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `x-request-id: ${requestId}`,
    '',
    text,
  ].join('\r\n')
}
