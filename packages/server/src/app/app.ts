import type { Server } from 'node:http'
import {
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify'
import { erasuresOf } from 'purser/internal'
import { registerAuthentication } from '../auth/authenticate.ts'
import { parseTrustProxy } from '../config/trust-proxy.ts'
import { registerAudit } from '../http/audit.ts'
import { deferContinue } from '../http/expect-continue.ts'
import { registerIdempotency } from '../http/idempotency.ts'
import { acceptJsonOnly, rejectUnreadBodies } from '../http/request-body.ts'
import { registerRoutes } from '../routes/routes.ts'
import { acceptRequest, getRequestId } from './accept-request.ts'
import { createClientErrorHandler } from './client-error-handler.ts'
import type { AppContext } from './context.ts'
import { formatErrorBody, HttpError } from './errors.ts'
import { escapeLines } from './escape-controls.ts'
import { limitPipelining } from './limit-pipelining.ts'
import { registerOpenApi } from './openapi.ts'
import { SCHEMA_COMPILERS } from './schema-compilers.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import { serveUnrouted } from './unrouted-requests.ts'
import { errorHeaders, toReportedResponse } from './write-error.ts'

/** A path parameter is an id of up to 256 bytes, percent-encoded, or a ticket. */
const MAX_PARAM_LENGTH = 4_096

/** Log lines are JSON; what could control a terminal is escaped. */
const LOG_STREAM = { write: (line: string): boolean => process.stderr.write(escapeLines(line)) }

/** Creates the Fastify app: authentication, then the routes, with one error body for everything. */
export async function createApp(context: AppContext): Promise<FastifyInstance> {
  const sendError = createErrorHandler(context.options)
  const app = fastify({
    logger: { level: context.options.logLevel, stream: LOG_STREAM },
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: context.options.bodyLimitBytes,
    trustProxy: parseTrustProxy(context.options.trustProxy),
    ...connectionOptions(context),
    genReqId: (raw) => getRequestId(raw, context.effects),
    schemaController: { compilersFactory: SCHEMA_COMPILERS },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    exposeHeadRoutes: true,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    frameworkErrors: sendError,
    clientErrorHandler: createClientErrorHandler(context.effects),
  })
  app.setErrorHandler(sendError)
  app.setNotFoundHandler((request, reply) => sendError(unknownUrl(request), request, reply))
  deferContinue(app.server)
  acceptJsonOnly(app, context)
  addHooks(app, context)
  // An erasure, in any process, revokes the keys of its user.
  const unsubscribe = erasuresOf(context.purser)?.subscribe(() => context.keys.expire())
  app.addHook('onClose', async () => unsubscribe?.())
  await app.register(
    async (scoped) => {
      registerAuthentication(scoped, context)
      registerAudit(scoped)
      registerIdempotency(scoped, context)
      rejectUnreadBodies(scoped)
      await registerOpenApi(scoped)
      await registerRoutes(scoped, context)
    },
    { prefix: context.options.prefix },
  )
  serveUnrouted(app, context)
  return app
}

/** Limits on the wait for a client, in every state of its connection. A response that is not read ends with it. */
function connectionOptions({ timeouts, options }: AppContext): Partial<FastifyHttpOptions<Server>> {
  return {
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionTimeout: Math.max(timeouts.inactivityMs, options.readerTimeoutMs),
    http: { headersTimeout: timeouts.headersMs, connectionsCheckingInterval: timeouts.checkMs },
  }
}

function addHooks(app: FastifyInstance, context: AppContext): void {
  app.addHook('onRequest', (request, reply, done) => {
    if (!limitPipelining(request.raw, reply.raw)) {
      reply.hijack()
      return
    }
    reply.header('x-request-id', request.id)
    const refused = acceptRequest(request, reply.raw, context)
    // Before a body is read that no route needs.
    done(refused ?? (request.is404 ? unknownUrl(request) : undefined))
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!reply.hasHeader(name)) reply.header(name, value)
    }
    done(null, payload)
  })
}

type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void

function createErrorHandler(options: AppContext['options']): ErrorHandler {
  return (error, request, reply) => {
    const response = toReportedResponse(error, request, options)
    // Fastify closes the connection when a body is too large; a client that is still sending would not read the 413.
    reply.removeHeader('connection')
    reply
      .code(response.status)
      .headers(errorHeaders(request, response))
      // The schema of a route documents one of the formats of errors.
      .serializer(JSON.stringify)
      .send(formatErrorBody(response, request, options))
  }
}

function unknownUrl(request: FastifyRequest): HttpError {
  const path = request.url.split('?', 1)[0] ?? ''
  return new HttpError(404, 'unknown_url', `Route ${request.method} ${path} not found.`, {
    hint: 'GET /openapi.json lists all routes.',
  })
}
