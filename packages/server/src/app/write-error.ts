import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { ErrorResponse } from 'purser'
import type { ServerOptions } from '../config/server-options.ts'
import { formatErrorBody, HttpError, mapError } from './errors.ts'
import { logFault } from './log-fault.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import { getSurface } from './surface.ts'

/** A request that failed, whether Fastify has routed it or not. */
export type FailedRequest = Pick<FastifyRequest, 'id' | 'url' | 'log'>

/** The response to an error. An error of the server is logged. */
export function toReportedResponse(
  error: unknown,
  request: FailedRequest,
  { prefix }: Pick<ServerOptions, 'prefix'>,
): ErrorResponse {
  const response = mapError(error, { requestId: request.id, surface: getSurface(request.url, prefix) })
  if (response.status >= 500 && !(error instanceof HttpError)) logFault(request, error)
  return response
}

/** The headers of an error, beside those of every response. */
export function errorHeaders({ id }: FailedRequest, { headers }: ErrorResponse): Readonly<Record<string, string>> {
  return { 'x-request-id': id, 'content-type': 'application/json; charset=utf-8', ...headers }
}

export interface WriteErrorOptions {
  readonly request: FailedRequest
  readonly options: Pick<ServerOptions, 'prefix'>
  /** In addition to those of every error. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Writes an error to a response that Fastify does not write. Cuts one that has begun. */
export function writeError(response: ServerResponse, error: ErrorResponse, options: WriteErrorOptions): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { request } = options
  const text = JSON.stringify(formatErrorBody(error, request, options.options))
  response
    .writeHead(error.status, {
      ...SECURITY_HEADERS,
      ...options.headers,
      ...errorHeaders(request, error),
      'content-length': String(Buffer.byteLength(text)),
    })
    .end(text)
}
