import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, LogController } from 'fastify'
import { PurserError } from 'purser'
import { registerAuthentication } from '../auth/authenticate.ts'
import { registerIdempotency } from '../http/idempotency.ts'
import { acceptJsonOnly, rejectUnreadBodies } from '../http/request-body.ts'
import { registerRoutes } from '../routes/routes.ts'
import { createClientErrorHandler } from './client-error-handler.ts'
import type { AppContext } from './context.ts'
import { HttpError, mapError } from './errors.ts'
import { registerOpenApi } from './openapi.ts'

/** A path parameter is an id of up to 256 bytes, percent-encoded, or a ticket. */
const MAX_PARAM_LENGTH = 4_096
/** For receiving a request; the response may take longer. */
const REQUEST_TIMEOUT_MS = 120_000
const REQUEST_ID = /^[\w.:=+/@-]{1,128}$/

const DRAINING = { headers: { connection: 'close', 'retry-after': '1' } } as const

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cache-control': 'private, no-store',
  vary: 'authorization',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

/** Creates the Fastify app: authentication, then the routes, with one error body for everything. */
export async function createApp(context: AppContext): Promise<FastifyInstance> {
  const app = fastify({
    logger: { level: context.options.logLevel, stream: process.stderr },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: context.options.bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: (raw) => {
      const requestId = raw.headers['x-request-id']
      return typeof requestId === 'string' && REQUEST_ID.test(requestId) ? requestId : context.effects.randomId()
    },
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: true,
        allowUnionTypes: true,
      },
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    frameworkErrors: sendError,
    clientErrorHandler: createClientErrorHandler(context.effects),
  })
  // A response schema documents the body and must not remove fields from it.
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(sendError)
  app.setNotFoundHandler((request, reply) => sendError(unknownUrl(request), request, reply))
  acceptJsonOnly(app)
  addHooks(app, context)
  await app.register(
    async (scoped) => {
      registerAuthentication(scoped, context)
      registerIdempotency(scoped, context)
      rejectUnreadBodies(scoped)
      await registerOpenApi(scoped)
      await registerRoutes(scoped, context)
    },
    { prefix: context.options.prefix },
  )
  return app
}

function addHooks(app: FastifyInstance, context: AppContext): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    // Requests on connections that are still open are rejected while the server drains.
    const isDraining = context.shutdown.signal.aborted && !request.url.endsWith('/livez')
    done(isDraining ? new HttpError(503, 'closed', 'The server is shutting down.', DRAINING) : undefined)
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!reply.hasHeader(name)) reply.header(name, value)
    }
    done(null, payload)
  })
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const surface = request.url.includes('/v1/') ? 'gateway' : 'management'
  const response = mapError(error, { requestId: request.id, surface })
  logError(error, response.status, request)
  // Fastify closes the connection when a body is too large; a client that is still sending would not read the 413.
  reply.removeHeader('connection')
  reply
    .code(response.status)
    .headers({ 'x-request-id': request.id, ...response.headers })
    .send(response.body)
}

/** Logs a 5xx: an expected error in one line with its code, an unexpected one with its stack. */
function logError(error: unknown, status: number, request: FastifyRequest): void {
  if (status < 500 || error instanceof HttpError) return
  if (PurserError.is(error)) request.log.warn({ code: error.code, requestId: request.id }, error.message)
  else request.log.error({ err: error, requestId: request.id })
}

function unknownUrl(request: FastifyRequest): HttpError {
  const path = request.url.split('?', 1)[0] ?? ''
  return new HttpError(404, 'unknown_url', `Route ${request.method} ${path} not found.`, {
    hint: 'GET /openapi.json lists all routes.',
  })
}
