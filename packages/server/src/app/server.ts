import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type Effects, openPurser, type Purser, PurserError, type PurserOptions, systemEffects } from 'purser'
import { ApiKeyStore } from '../auth/api-keys.ts'
import { Limiter } from '../auth/limiter.ts'
import { Sessions } from '../auth/sessions.ts'
import { checkConfig } from '../config/check.ts'
import { type Config, effective } from '../config/load.ts'
import { type ConfigFile, SERVER_DEFAULTS } from '../config/schema.ts'
import { isLoopback, urlOf } from './address.ts'
import { createApp } from './app.ts'
import type { AppContext } from './context.ts'
import { type CreateServerOptions, checkServerOptions } from './options.ts'

/** A server in all the forms in which it can be put into a program. */
export interface PurserServer {
  /** Answers one web request; the answer streams. */
  fetch(request: Request): Promise<Response>
  /** Answers one Node request; with `next`, addresses that are not ours go there. */
  node(request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): Promise<void>
  readonly fastify: FastifyInstance
  /** Listens; answers the URL. Refuses to listen beyond this machine while there are no keys. */
  listen(address?: { readonly port?: number | undefined; readonly host?: string | undefined }): Promise<string>
  /** Takes no more work, lets what is under way end, then closes. Bounded by `server.shutdownMs`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** As `createServer`, with what the `purser` command needs beside it. */
export interface OpenServer extends PurserServer {
  readonly house: AppContext
}

/** Rejects with `option_unknown` or `option_invalid`, and with what `openPurser` does; then nothing is open. */
export async function createServer(options: CreateServerOptions): Promise<PurserServer> {
  const { house: _, ...server } = await openServer(options)
  return server
}

export async function openServer(options: CreateServerOptions): Promise<OpenServer> {
  checkServerOptions(options)
  const config = options.config === undefined ? undefined : configOf(options.config)
  // A clock made for tests has more to it than the library takes.
  const { now, monotonic, randomId, setTimer } = { ...systemEffects, ...options.effects }
  const effects: Effects = { now, monotonic, randomId, setTimer }
  const purser = options.purser ?? (await openPurser(libraryOptions(config as Config, effects)))
  try {
    const house = createHouse(purser, config, effects, options)
    const app = await createApp(house)
    await app.ready()
    return assemble(app, house, config !== undefined)
  } catch (error) {
    if (config !== undefined) await purser.close()
    throw error
  }
}

function configOf(given: ConfigFile): Config {
  const checked = checkConfig(given, 'The configuration')
  return effective(checked)
}

/** What of the configuration is the library's. */
function libraryOptions(config: Config, effects: Effects): PurserOptions {
  const { server: _, ...options } = config
  return { ...(options as PurserOptions), effects }
}

function createHouse(
  purser: Purser,
  config: Config | undefined,
  effects: Effects,
  { prefix, authorize, keys: given }: CreateServerOptions,
): AppContext {
  const keys = new ApiKeyStore(purser.meta, effects, given)
  const options = config?.server ?? SERVER_DEFAULTS
  return {
    purser,
    options: prefix === undefined ? options : { ...options, prefix },
    config,
    keys,
    sessions: new Sessions(purser.meta, effects, (id) => keys.holds(id)),
    limiter: new Limiter(effects),
    effects,
    authorize,
    startedAt: effects.now(),
    shutdown: new AbortController(),
    forceClose: new AbortController(),
  }
}

function assemble(app: FastifyInstance, house: AppContext, ownsPurser: boolean): OpenServer {
  let closed: Promise<void> | undefined
  return {
    house,
    fastify: app,
    fetch: (request) => answer(app, request),
    async node(request, response, next) {
      if (next !== undefined && !isOurs(request.url ?? '/', house.options.prefix)) return next()
      app.routing(request, response)
    },
    async listen({ port, host } = {}) {
      const address = { port: port ?? house.options.port, host: host ?? house.options.host }
      if (!isLoopback(address.host) && house.authorize === undefined && !(await house.keys.any()))
        throw noKeys(address.host)
      await app.listen(address)
      return urlOf(app.server, address.host, house.options.prefix)
    },
    close: () => {
      closed ??= close(app, house, ownsPurser)
      return closed
    },
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
}

async function close(app: FastifyInstance, house: AppContext, ownsPurser: boolean): Promise<void> {
  const { effects, options } = house
  const endsAt = effects.monotonic() + options.shutdownMs
  house.shutdown.abort()
  // A connection that a client keeps open is closed as soon as its last answer is out. At the end every turn is cut,
  // which tells its client why, and with the next look all that is left.
  let cancel = (): void => {}
  const sweep = (): void => {
    if (house.forceClose.signal.aborted) app.server.closeAllConnections()
    else app.server.closeIdleConnections()
    if (effects.monotonic() >= endsAt) house.forceClose.abort(cut())
    cancel = effects.setTimer(sweep, 50)
  }
  sweep()
  try {
    await app.close()
  } finally {
    cancel()
  }
  if (ownsPurser) await house.purser.close({ timeoutMs: Math.max(1_000, endsAt - effects.monotonic()) })
}

function cut(): PurserError {
  return new PurserError('closed', 'This server was shut down before the answer was whole.', { hint: 'Ask again.' })
}

/** A web request through the app without a socket. */
async function answer(app: FastifyInstance, request: Request): Promise<Response> {
  const url = new URL(request.url)
  const response = await app.inject({
    method: request.method as 'GET',
    url: `${url.pathname}${url.search}`,
    headers: { host: url.host, ...Object.fromEntries(request.headers) },
    ...(request.body === null ? {} : { payload: Readable.fromWeb(request.body as never) }),
    payloadAsStream: true,
    signal: request.signal,
  })
  const headers = new Headers()
  for (const [name, value] of Object.entries(response.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, String(one))
  }
  const empty = [204, 304].includes(response.statusCode) || request.method === 'HEAD'
  const body = empty ? null : (Readable.toWeb(response.stream()) as unknown as ReadableStream)
  return new Response(body, { status: response.statusCode, headers })
}

const OURS = /^\/(v1|api|deck|livez|readyz|metrics|openapi\.json)(\/|\?|$)/

function isOurs(url: string, prefix: string): boolean {
  return url.startsWith(prefix) && OURS.test(url.slice(prefix.length))
}

function noKeys(host: string): PurserError {
  return new PurserError('option_invalid', `Purser does not listen on ${host} while there are no keys.`, {
    hint: 'Run `purser keys create --role admin` first, or set PURSER_ADMIN_KEY and PURSER_SERVICE_KEY, or listen on 127.0.0.1.',
  })
}
