import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, LogController } from 'fastify'
import { PurserError } from 'purser'
import { guard } from '../auth/authenticate.ts'
import { idempotency } from '../http/idempotency.ts'
import { refuseUnreadBodies } from '../http/unread-bodies.ts'
import { allRoutes } from '../routes/routes.ts'
import { answerBrokenRequest } from './client-error-handler.ts'
import type { AppContext } from './context.ts'
import { HttpError, problemFrom } from './errors.ts'
import { apiDocument } from './openapi.ts'

/** A path parameter may be an id of 256 bytes, percent-encoded, or a ticket. */
const MAX_PARAM_LENGTH = 4_096
/** For a request to arrive whole; how long its answer takes is another matter. */
const REQUEST_TIMEOUT_MS = 120_000
const REQUEST_ID = /^[\w.:=+/@-]{1,128}$/

/** Puts the Fastify app together: who may come in first, then the routes, one error body for everything. */
export async function createApp(house: AppContext): Promise<FastifyInstance> {
  const app = fastify({
    logger: { level: house.options.logLevel, stream: process.stderr },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: house.options.bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: (raw) => {
      const given = raw.headers['x-request-id']
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : house.effects.randomId()
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
    frameworkErrors: answerProblem,
    clientErrorHandler: answerBrokenRequest(house.effects),
  })
  // Answers are sent whole: a response schema describes them for the API document and cuts nothing off.
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler((request, reply) => answerProblem(unknownUrl(request), request, reply))
  takeJsonOnly(app)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    // Whoever still has an open connection is sent elsewhere while we drain.
    const draining = house.shutdown.signal.aborted && !request.url.endsWith('/livez')
    done(draining ? new HttpError(503, 'closed', 'This server is shutting down.', DRAINING) : undefined)
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) if (!reply.hasHeader(name)) reply.header(name, value)
    done(null, payload)
  })
  await registerBehindPrefix(app, house)
  return app
}

const DRAINING = { headers: { connection: 'close', 'retry-after': '1' } } as const

const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cache-control': 'private, no-store',
  vary: 'authorization',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

async function registerBehindPrefix(app: FastifyInstance, house: AppContext): Promise<void> {
  await app.register(
    async (inside) => {
      guard(inside, house)
      idempotency(inside, house)
      refuseUnreadBodies(inside)
      await apiDocument(inside)
      await allRoutes(inside, house)
    },
    { prefix: house.options.prefix },
  )
}

/** A client may name a JSON body and send none; another kind of body, and one that is packed, is 415. */
function takeJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  const types = ['application/json', 'application/merge-patch+json']
  app.addContentTypeParser<string>(types, { parseAs: 'string' }, (request, body, done) => {
    const coding = request.headers['content-encoding'] ?? 'identity'
    if (coding !== 'identity') done(packed(coding))
    else if (body === '') done(null, undefined)
    else parse(request, body, done)
  })
}

function packed(coding: string): HttpError {
  return new HttpError(415, 'invalid_request_error', `This server does not unpack '${coding}'.`, {
    hint: 'Send the JSON as it is, without content-encoding.',
    headers: { 'accept-encoding': 'identity' },
  })
}

function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const face = request.url.includes('/v1/') ? 'gateway' : 'management'
  const problem = problemFrom(error, { requestId: request.id, face })
  report(error, problem.status, request)
  // Fastify would close on whoever still sends a body that is too large, and they would never read why it was refused.
  reply.removeHeader('connection')
  reply
    .code(problem.status)
    .headers({ 'x-request-id': request.id, ...problem.headers })
    .send(problem.body)
}

/** What was foreseen is one line with its code; what was not is told with its stack. */
function report(error: unknown, status: number, request: FastifyRequest): void {
  if (status < 500 || error instanceof HttpError) return
  if (PurserError.is(error)) request.log.warn({ code: error.code, requestId: request.id }, error.message)
  else request.log.error({ err: error, requestId: request.id })
}

function unknownUrl(request: FastifyRequest): HttpError {
  const path = request.url.split('?', 1)[0] ?? ''
  return new HttpError(404, 'unknown_url', `There is nothing at ${request.method} ${path}.`, {
    hint: 'GET /openapi.json lists every address.',
  })
}
