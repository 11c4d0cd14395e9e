import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { type Effects, openPurser, PurserError, type PurserOptions, systemEffects } from 'purser'
import { CallSignal, getEventLog, getMeta, getSealer } from 'purser/internal'
import { ApiKeyStore } from '../auth/api-keys.ts'
import { type EnvironmentKeys, requireStrongKeys } from '../auth/environment-keys.ts'
import { Limiter } from '../auth/limiter.ts'
import { Sessions } from '../auth/sessions.ts'
import { type Config, resolveConfig } from '../config/load.ts'
import { resolveServerOptions } from '../config/server-options.ts'
import { BodyBudget } from '../http/body-budget.ts'
import { OpenStreams } from '../http/open-streams.ts'
import { Webhooks } from '../webhooks/webhooks.ts'
import { createApp } from './app.ts'
import { CONNECTION_TIMEOUTS, type ConnectionTimeouts } from './connection-limits.ts'
import type { AppContext } from './context.ts'
import { FailureLog } from './failure-log.ts'
import { type CreateServerOptions, validateServerOptions } from './options.ts'
import { findOwnUrl } from './own-url.ts'
import { WebHandler } from './web-handler.ts'

/** How often connections are checked while the server drains. */
const DRAIN_CHECK_MS = 50
/** For turns that were cut to report the error to their clients, before their connections are closed. */
const CUT_GRACE_MS = 1_000
/** For closing Purser after the drain has used up `server.shutdownMs`. */
const MIN_PURSER_CLOSE_MS = 1_000

/** A server that can be mounted in another program as a web handler, as a Node handler or as a Fastify app. */
export interface PurserServer {
  /** Answers a web request without a socket. The response body streams. */
  fetch(request: Request): Promise<Response>
  /**
   * Answers a Node request. With `next`, requests for other paths are passed on. A body that the host has parsed is taken
   * from `request.body`; one that it has read and not left there is 500 `body_consumed`.
   */
  node(request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): Promise<void>
  readonly fastify: FastifyInstance
  /**
   * Listens and returns the URL. Port and host default to `server.port` and `server.host`.
   *
   * @throws {PurserError} `option_invalid` for an address that is not loopback, while no keys exist or one of `keys` is
   * shorter than 32 characters.
   */
  listen(address?: { readonly port?: number | undefined; readonly host?: string | undefined }): Promise<string>
  /**
   * Rejects new requests, drains running ones and closes. Requests that are still running after `server.shutdownMs` are
   * cut, and have one second to report it. A Purser that was passed in `purser` stays open. Repeated calls return the
   * same promise.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A `PurserServer` with its context, for the `purser` command. */
export interface OpenServer extends PurserServer {
  readonly context: AppContext
}

/**
 * Creates a server with the gateway, the management API and the Deck. It does not listen until `listen()`.
 *
 * @param options Either `purser`, which the host opened and closes, or `config`, the content of a configuration file.
 * @throws {PurserError} `option_unknown` or `option_invalid`, and the errors of `openPurser`; nothing stays open then.
 * @example
 * const server = await createServer({ config: { store: 'sqlite:purser.db' } })
 * const url = await server.listen({ port: 7117 })
 */
export async function createServer(options: CreateServerOptions): Promise<PurserServer> {
  const { context, ...server } = await openServer(options)
  context.webhooks.start()
  return server
}

/** Opens a server that delivers no webhooks until `context.webhooks.start()`: commands on a store open one, too. */
export async function openServer(
  options: CreateServerOptions,
  timeouts: ConnectionTimeouts = CONNECTION_TIMEOUTS,
): Promise<OpenServer> {
  validateServerOptions(options)
  const config = options.config === undefined ? undefined : resolveConfig(options.config)
  // A fake clock has more members than the library accepts.
  const { now, monotonic, randomId, setTimer } = { ...systemEffects, ...options.effects }
  const effects: Effects = { now, monotonic, randomId, setTimer }
  const purser = options.purser ?? (await openPurser(toPurserOptions(config as Config, effects)))
  try {
    const context = createContext({ purser, config, effects, timeouts }, options)
    const app = await createApp(context)
    await app.ready()
    await context.keys.recordEnvironmentKeys()
    return assemble(app, context, options.keys)
  } catch (error) {
    if (config !== undefined) await purser.close()
    throw error
  }
}

/** The part of the configuration that belongs to the library. */
function toPurserOptions(config: Config, effects: Effects): PurserOptions {
  const { server: _, ...options } = config
  return { ...(options as PurserOptions), effects }
}

/** How long keys that were read stay valid while the store fails, where turns go on then. */
const STALE_KEYS_MS = 300_000

function createContext(
  opened: Pick<AppContext, 'purser' | 'config' | 'effects' | 'timeouts'>,
  { prefix, authorize, keys: environmentKeys, server }: CreateServerOptions,
): AppContext {
  const { purser, config, effects, timeouts } = opened
  const deps = { meta: getMeta(purser), effects }
  const staleOnFailureMs = config?.ledger?.onStoreFailure === 'admit' ? STALE_KEYS_MS : 0
  const keys = new ApiKeyStore({ ...deps, staleOnFailureMs }, environmentKeys)
  const options = config?.server ?? resolveServerOptions(server)
  return {
    streams: new OpenStreams(options),
    bodyBudget: new BodyBudget(options.maxConcurrentBodyBytes),
    turnRoutes: new Map(),
    purser,
    options: prefix === undefined ? options : { ...options, prefix },
    config,
    keys,
    sessions: new Sessions({ ...deps, hasKey: (id) => keys.has(id) }),
    limiter: new Limiter(deps),
    failureLog: new FailureLog(effects),
    webhooks: new Webhooks({
      ...deps,
      log: getEventLog(purser),
      sealer: getSealer(purser),
      namespace: purser.namespace,
      allowPrivate: options.allowPrivateWebhooks,
    }),
    effects,
    authorize,
    timeouts,
    startedAt: effects.now(),
    shutdown: new AbortController(),
    forceClose: new CallSignal(),
  }
}

function assemble(app: FastifyInstance, context: AppContext, keys: EnvironmentKeys = {}): OpenServer {
  let closed: Promise<void> | undefined
  const web = new WebHandler(app.server, context.effects)
  return {
    context,
    fastify: app,
    fetch: (request) => web.fetch(request, context.options.prefix),
    async node(request, response, next) {
      const url = findOwnUrl(request, context.options.prefix)
      if (url !== undefined) request.url = url
      else if (next !== undefined) return next()
      app.server.emit('request', request, response)
    },
    async listen({ port, host } = {}) {
      const address = { port: port ?? context.options.port, host: host ?? context.options.host }
      if (!isLoopback(address.host)) {
        requireStrongKeys(keys, address.host)
        if (context.authorize === undefined && (await context.keys.isEmpty())) throw noKeys(address.host)
      }
      await app.listen(address)
      context.webhooks.start()
      return getLocalUrl(app.server, address.host, context.options.prefix)
    },
    close: () => {
      closed ??= close(app, web, context)
      return closed
    },
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
}

async function close(app: FastifyInstance, web: WebHandler, context: AppContext): Promise<void> {
  const { effects, options } = context
  const endsAt = effects.monotonic() + options.shutdownMs
  context.shutdown.abort()
  // Closes keep-alive connections as soon as their last response is sent. After shutdownMs it cuts every turn, which
  // reports the reason to its client, and a second later it closes the connections that are still busy.
  let cancelTimer = (): void => {}
  const closeConnections = (): void => {
    const now = effects.monotonic()
    if (now >= endsAt + CUT_GRACE_MS) {
      app.server.closeAllConnections()
      web.cut()
    } else app.server.closeIdleConnections()
    if (now >= endsAt) context.forceClose.abort(shutdownError())
    cancelTimer = effects.setTimer(closeConnections, DRAIN_CHECK_MS)
  }
  closeConnections()
  try {
    await Promise.all([context.webhooks.close(), app.close()])
    await web.drain()
  } finally {
    cancelTimer()
  }
  const ownsPurser = context.config !== undefined
  if (!ownsPurser) return
  await context.purser.close({ timeoutMs: Math.max(MIN_PURSER_CLOSE_MS, endsAt - effects.monotonic()) })
}

/** Whether a host is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** The URL of a listening server, as seen from this machine. */
function getLocalUrl(server: Server, host: string, prefix: string): string {
  const { port } = server.address() as AddressInfo
  const isWildcard = host === '0.0.0.0' || host === '::'
  const hostname = isWildcard ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${hostname}:${port}${prefix}`
}

function shutdownError(): PurserError {
  return new PurserError('closed', 'The server was shut down before the response was complete.', {
    hint: 'Send the request again.',
  })
}

/** The error of listening where others can reach a server that has no keys. */
export function noKeys(host: string): PurserError {
  return new PurserError('option_invalid', `Cannot listen on ${host} while no API keys exist.`, {
    hint: 'Run `purser keys create --role admin` first, set PURSER_ADMIN_KEY and PURSER_SERVICE_KEY, or listen on 127.0.0.1.',
  })
}
