import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { authenticateByKey, authorize, hasKey } from '../auth/authenticate.ts'
import type { Identity } from '../auth/scopes.ts'
import type { BodyShare } from '../http/body-budget.ts'
import { readJson } from '../http/request-body.ts'
import { runTurn } from '../routes/gateway/run-turn.ts'
import type { TurnHttpRequest, TurnRoute } from '../routes/gateway/turn-route.ts'
import { acceptRequest, getRequestId } from './accept-request.ts'
import type { AppContext } from './context.ts'
import { toReportedResponse, writeError } from './write-error.ts'

const JSON_TYPES: readonly unknown[] = ['application/json', 'application/json; charset=utf-8']

/**
 * Answers requests for turns without Fastify's routing, by the functions that its hooks call. Only requests that need
 * nothing else of it: with a key, for a path as it was registered, with a JSON body. All others are routed.
 */
export function serveUnrouted(app: FastifyInstance, context: AppContext): void {
  const [route] = app.server.listeners('request') as [RequestListener]
  app.server.removeListener('request', route)
  app.server.on('request', (raw: IncomingMessage, response: ServerResponse) => {
    const turnRoute = findTurnRoute(raw, response, context)
    if (turnRoute === undefined) route(raw, response)
    else serve(turnRoute, new UnroutedRequest(raw, turnRoute.path, { app, context }), { response, context })
  })
}

function findTurnRoute(raw: IncomingMessage, response: ServerResponse, context: AppContext): TurnRoute | undefined {
  const { method, url = '', headers } = raw
  const turnRoute = method === 'POST' ? context.turnRoutes.get(url) : undefined
  if (turnRoute === undefined || context.authorize !== undefined) return undefined
  // A response without its connection waits for an earlier one.
  const isPlain = response.socket !== null && JSON_TYPES.includes(headers['content-type'])
  return isPlain && hasKey({ headers, url }, context) ? turnRoute : undefined
}

/** A request that Fastify has not routed. */
class UnroutedRequest implements TurnHttpRequest {
  readonly id: string
  readonly raw: IncomingMessage
  readonly headers: FastifyRequest['headers']
  readonly url: string
  readonly routeOptions: TurnHttpRequest['routeOptions']
  readonly #app: FastifyInstance
  identity: Identity | null = null
  bodyShare: BodyShare | null = null
  body: unknown

  constructor(
    raw: IncomingMessage,
    path: string,
    { app, context }: { readonly app: FastifyInstance; readonly context: AppContext },
  ) {
    this.id = getRequestId(raw, context.effects)
    this.raw = raw
    this.headers = raw.headers
    this.url = raw.url as string
    this.routeOptions = { url: path }
    this.#app = app
  }

  get log(): FastifyRequest['log'] {
    return this.#app.log.child({ requestId: this.id })
  }
}

function serve(
  { take }: TurnRoute,
  request: UnroutedRequest,
  { response, context }: { readonly response: ServerResponse; readonly context: AppContext },
): void {
  const { options, bodyBudget: budget } = context
  const fail = (error: unknown): void =>
    writeError(response, toReportedResponse(error, request, options), { request, options })
  const run = (error: Error | null, body: unknown): void => {
    request.body = body
    if (error === null) runTurn(context, { request, response }, take).catch(fail)
    else fail(error)
  }
  const read = (identity: Identity | undefined): void => {
    const refused = authorize(request, identity, { scope: 'chat', context })
    if (refused !== undefined) fail(refused)
    else readJson(request, { limitBytes: options.bodyLimitBytes, hasExactNumbers: true, budget }, run)
  }
  try {
    const refused = acceptRequest(request, response, context)
    const identity = refused === undefined ? authenticateByKey(request, context) : undefined
    if (refused !== undefined) fail(refused)
    else if (identity instanceof Promise) identity.then(read).catch(fail)
    else read(identity)
  } catch (error) {
    fail(error)
  }
}
