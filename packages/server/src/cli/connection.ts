import type { Purser } from 'purser'
import { openServer } from '../app/server.ts'
import { loadConfig } from '../config/load.ts'
import { type Call, requireSegment, text, UsageError } from './command.ts'
import { requireStore } from './store-files.ts'
import { say } from './terminal.ts'

/**
 * How a command reaches the data: the management API, of a running server or of one that is opened for this command
 * alone. So every command does the same either way, and is checked by the same rules.
 */
export interface Connection extends AsyncDisposable {
  /** Calls the API; answers the parsed body, undefined when there was none. Throws `ApiProblem`. */
  call(method: string, segments: readonly string[], options?: CallOptions): Promise<unknown>
  /** The same, for answers that are read as they come. */
  open(segments: readonly string[], options?: CallOptions): Promise<Response>
  /** The store itself, when it was opened here. */
  readonly purser: Purser | undefined
}

/** A connection to a store that was opened here. */
export interface LocalConnection extends Connection {
  readonly purser: Purser
}

export interface CallOptions {
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | boolean | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** What the API said no with; status 0 when it could not be reached. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly status: number
  readonly code: string
  readonly hint: string | undefined

  constructor(status: number, code: string, message: string, hint?: string) {
    super(message)
    this.status = status
    this.code = code
    this.hint = hint
  }
}

type Ask = (request: Request) => Promise<Response>

/** A running server, where one is named; else the configured store, which is made if there is none. */
export async function connect(call: Call): Promise<Connection> {
  return remotely(call) ?? openHere(call)
}

/** As `connect`, for what only looks: where there is no store, there is nothing to see, and none is made. */
export async function connectToLook(call: Call): Promise<Connection> {
  return remotely(call) ?? openHere(call, { looks: true })
}

/** The address of the server that a command is to work through. */
export function serverNamed({ flags, terminal }: Call): string | undefined {
  return text(flags.url) ?? terminal.environment.PURSER_URL
}

/** For commands on files of this machine: what another one has is not what they would work on. */
export function requireLocal(call: Call, what: string): void {
  if (serverNamed(call) === undefined) return
  throw new UsageError(`${what} works on the store itself, not through a server: run it there, without PURSER_URL.`)
}

/** For commands that tell of this machine even where a server is named. */
export function sayLocal(call: Call): void {
  if (serverNamed(call) === undefined) return
  say(call.terminal, 'PURSER_URL names a server; this is about the configuration here.')
}

function remotely(call: Call): Connection | undefined {
  const { environment } = call.terminal
  const url = serverNamed(call)
  if (url === undefined) return undefined
  if (!URL.canParse(url)) throw new UsageError(`--url is not a URL: ${url}`)
  const key = text(call.flags.key) ?? environment.PURSER_KEY ?? environment.PURSER_ADMIN_KEY
  if (key === undefined) throw new UsageError('--url needs a key: --key KEY, PURSER_KEY or PURSER_ADMIN_KEY.')
  const ask: Ask = async (request) => {
    request.headers.set('authorization', `Bearer ${key}`)
    try {
      return await fetch(request)
    } catch (cause) {
      if (request.signal.aborted) throw cause
      throw new ApiProblem(0, 'unreachable', `${new URL(url).origin} cannot be reached.`, 'Is the server running?')
    }
  }
  return connection(url.replace(/\/$/, ''), ask, undefined, async () => {})
}

/** Opens the configured store, whatever address there is; with `looks` only one that is there. */
export async function openHere(call: Call, { looks }: { readonly looks?: boolean } = {}): Promise<LocalConnection> {
  const { terminal, flags } = call
  const { config, warnings } = loadConfig({ flags, environment: terminal.environment, directory: terminal.directory })
  for (const warning of warnings) say(terminal, `warning: ${warning}`)
  if (looks) requireStore(config)
  const quiet = { ...config, server: { ...config.server, prefix: '', logLevel: 'silent' } }
  const server = await openServer({ config: quiet, authorize: () => ({ actor: 'purser command', role: 'admin' }) })
  const { purser } = server.house
  const ask: Ask = (request) => server.fetch(request)
  return { ...connection('http://localhost', ask, purser, () => server.close()), purser }
}

function connection(base: string, ask: Ask, purser: Purser | undefined, close: () => Promise<void>): Connection {
  async function open(method: string, segments: readonly string[], options: CallOptions): Promise<Response> {
    for (const segment of segments) requireSegment(segment)
    const url = new URL(`${base}/api/${segments.map(encodeURIComponent).join('/')}`)
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    const headers: Record<string, string> = { ...options.headers }
    if (options.body !== undefined) headers['content-type'] = 'application/json'
    const response = await ask(
      new Request(url, {
        method,
        headers,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      }),
    )
    if (!response.ok) throw await toErrorResponse(response)
    return response
  }
  return {
    purser,
    open: (segments, options = {}) => open('GET', segments, options),
    async call(method, segments, options = {}) {
      const body = await (await open(method, segments, options)).text()
      return body === '' ? undefined : JSON.parse(body)
    },
    [Symbol.asyncDispose]: close,
  }
}

async function toErrorResponse(response: Response): Promise<ApiProblem> {
  const text = await response.text()
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; hint?: string } }
    return new ApiProblem(response.status, error.code, error.message, error.hint)
  } catch {
    return new ApiProblem(response.status, 'unexpected', `The server answered with status ${response.status}.`)
  }
}
