import type { Socket } from 'node:net'
import { createErrorResponse, type Effects } from 'purser'
import { SECURITY_HEADERS } from './security-headers.ts'

interface ParseError extends Error {
  readonly code?: string
}

const STATUSES: Readonly<Record<string, readonly [status: number, reason: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The request headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request took too long to arrive.'],
}

/** Answers bytes that are not a valid HTTP request, which never reach a route, with the error body of all routes. */
export function createClientErrorHandler(effects: Effects): (error: ParseError, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
      socket.destroy()
      return
    }
    const requestId = effects.randomId()
    const [status, reason, message] = STATUSES[error.code ?? ''] ?? [400, 'Bad Request', 'Malformed HTTP request.']
    const { body } = createErrorResponse(status, { code: 'invalid_request_error', message }, { requestId })
    const text = JSON.stringify(body)
    socket.end(
      [
        `HTTP/1.1 ${status} ${reason}`,
        'connection: close',
        ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
        'content-type: application/json; charset=utf-8',
        `content-length: ${Buffer.byteLength(text)}`,
        `x-request-id: ${requestId}`,
        '',
        text,
      ].join('\r\n'),
    )
  }
}
