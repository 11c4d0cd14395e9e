import { endsWithin } from '../../core/abort.ts'
import type { Effects } from '../../core/effects.ts'
import { redactError } from '../../core/redact.ts'
import { createSemaphore, type Semaphore } from '../../core/semaphore.ts'
import { PurserError } from '../../errors.ts'
import type { McpServerOption } from '../../options.ts'
import { needsAuthorization } from '../oauth/errors.ts'
import type { TokenSource } from '../oauth/ports.ts'
import type { McpConnection, McpConnector, McpConnectRequest } from '../ports.ts'
import type { Credentials } from '../secrets.ts'
import { fillDefinition } from '../settings/mcp-definition.ts'
import { PooledClient, type PooledClientDeps } from './pooled-client.ts'

/** Connections to one server that are being opened at the same time; the others wait. A server that hangs holds up no other. */
const OPENING_MAX = 32
/** How long opening one may take. */
const OPEN_LIMIT_MS = 30_000
/** After the second failure in a row, and doubled with every further one. */
const BACK_OFF_MS = 1_000
const BACK_OFF_MAX_MS = 30_000

export type ToolClient = PooledClient<McpConnection>

/** The MCP clients of one user's live runtime: at most one of each server is given out. */
export interface McpConnections {
  readonly clients: Map<string, ToolClient>
  /** All that are not closed yet, also those that are given to nobody any more. */
  readonly all: Set<ToolClient>
  readonly failures: Map<string, { readonly inARow: number; readonly retryAt: number }>
}

export interface ToolCall {
  readonly server: string
  readonly definition: McpServerOption
  readonly user: string
  /** Version of what the connection is made with; null without any. */
  readonly credential: string | null
  credentials(): Credentials | null
  /** The user's tokens for the server at this address, where it wants OAuth. */
  bearer(url: string): TokenSource
}

export function createMcpConnections(): McpConnections {
  return { clients: new Map(), all: new Set(), failures: new Map() }
}

/** Opens, shares and bounds the MCP clients of all users. */
export class McpConnectionPool {
  readonly #house: PooledClientDeps
  readonly #factory: McpConnector
  /** In the order in which they fell idle. */
  readonly #idle = new Set<ToolClient>()
  /** Those that have a place among the processes, and of these the ones that are on their way out. */
  readonly #processes = new Set<ToolClient>()
  readonly #closing = new Set<ToolClient>()
  readonly #places: Semaphore
  readonly #openings = new Map<string, Semaphore>()

  constructor(house: PooledClientDeps, { factory, maxProcesses }: { factory: McpConnector; maxProcesses: number }) {
    this.#house = house
    this.#factory = factory
    this.#places = createSemaphore(maxProcesses, {
      message: `All ${maxProcesses} places for MCP servers that run as processes are in use.`,
      hint: 'Try again, or raise runtime.maxMcpProcesses.',
    })
  }

  /** A client that is open or opening, already held for the caller. Equal calls get the same one. */
  take(rack: McpConnections, call: ToolCall): ToolClient {
    let client = rack.clients.get(call.server)
    if (client !== undefined && client.label.credential !== call.credential) {
      void client.retire('replaced')
      rack.failures.delete(call.server)
      client = undefined
    }
    if (client === undefined) {
      const wait = (rack.failures.get(call.server)?.retryAt ?? 0) - this.#house.effects.monotonic()
      if (wait > 0) throw resting(call.server, wait)
      client = this.#openNew(rack, call)
    }
    client.hold()
    return client
  }

  /** Closes what nobody has held for longer than `idleMs`. */
  async sweep(idleMs: number): Promise<void> {
    const now = this.#house.effects.monotonic()
    const due: Promise<void>[] = []
    for (const client of this.#idle) {
      if (now - client.idleSince <= idleMs) break
      due.push(client.retire('idle'))
    }
    await Promise.all(due)
  }

  #openNew(rack: McpConnections, call: ToolCall): ToolClient {
    const { server, user, credential } = call
    const definition = fillDefinition(call.definition, { server, user, credentials: call.credentials() })
    const isOAuth = 'url' in call.definition && call.definition.oauth !== undefined
    const tokenSource = isOAuth && 'url' in definition ? call.bearer(definition.url) : undefined
    const secrets = (): string[] => [...secretsIn(definition, call.credentials()), tokenSource?.lastToken ?? '']
    const client: ToolClient = new PooledClient<McpConnection>(
      this.#house,
      { kind: 'mcp', name: server, credential },
      {
        open: (signal) => this.#open({ client, rack, server, definition, tokenSource, secrets, signal }),
        keeper: {
          idle: () => this.#idle.add(client),
          held: () => this.#idle.delete(client),
          leaving: () => {
            this.#idle.delete(client)
            if (rack.clients.get(server) === client) rack.clients.delete(server)
          },
          closing: () => {
            if (this.#processes.has(client)) this.#closing.add(client)
          },
          gone: () => {
            rack.all.delete(client)
            this.#leaveProcess(client)
          },
        },
      },
    )
    rack.clients.set(server, client)
    rack.all.add(client)
    return client
  }

  async #open(order: OpeningOrder): Promise<McpConnection> {
    const { client, rack, server, definition, tokenSource, signal } = order
    const isProcess = 'command' in definition
    if (isProcess) await this.#places.enter(signal, (waiting) => this.#makeRoom(waiting))
    if (isProcess) this.#processes.add(client)
    const opening = openingsOf(this.#openings, server)
    try {
      await opening.enter(signal)
      try {
        const live = await openInTime(this.#house.effects, this.#factory, { server, definition, tokenSource, signal })
        rack.failures.delete(server)
        live.onBroken(() => void client.retire('broken'))
        return live
      } finally {
        opening.leave()
      }
    } catch (error) {
      this.#leaveProcess(client)
      if (!signal.aborted && !needsAuthorization(error)) noteFailure(rack, server, this.#house.effects.monotonic())
      throw unavailable(server, error, order.secrets())
    }
  }

  /** The process that has been idle longest goes, unless enough of them are on their way out already. */
  #makeRoom(waiting: number): boolean {
    if (this.#closing.size > waiting) return true
    for (const client of this.#idle) {
      if (!this.#processes.has(client)) continue
      void client.retire('crowded')
      return true
    }
    return false
  }

  #leaveProcess(client: ToolClient): void {
    if (!this.#processes.delete(client)) return
    this.#closing.delete(client)
    this.#places.leave()
  }
}

/** Lets go of clients that were made with another version of their secret. */
export function retireOutdated(rack: McpConnections, credentialOf: (server: string) => string | null): void {
  for (const [server, client] of rack.clients) {
    if (client.label.credential === credentialOf(server)) continue
    void client.retire('replaced')
    rack.failures.delete(server)
  }
}

interface OpeningOrder extends McpConnectRequest {
  readonly client: ToolClient
  readonly rack: McpConnections
  /** What must not be in an error. */
  secrets(): string[]
}

function openingsOf(openings: Map<string, Semaphore>, server: string): Semaphore {
  let places = openings.get(server)
  if (places === undefined) {
    places = createSemaphore(OPENING_MAX, {
      message: `Too many connections to the MCP server '${server}' are being opened.`,
      hint: 'Try again.',
    })
    openings.set(server, places)
  }
  return places
}

/** A server that does not answer in time is given up; should it come after all, its client is closed at once. */
async function openInTime(effects: Effects, factory: McpConnector, order: McpConnectRequest): Promise<McpConnection> {
  const limit = new AbortController()
  const opening = factory.connect({ ...order, signal: AbortSignal.any([order.signal, limit.signal]) })
  if (await endsWithin(effects, opening, OPEN_LIMIT_MS)) return opening
  limit.abort(new Error(`The server did not answer within ${OPEN_LIMIT_MS} ms.`))
  opening.then(
    (late) => late.close().catch(() => undefined),
    () => undefined,
  )
  throw limit.signal.reason
}

function noteFailure(rack: McpConnections, server: string, now: number): void {
  const inARow = (rack.failures.get(server)?.inARow ?? 0) + 1
  const pauseMs = inARow < 2 ? 0 : Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** (inARow - 2))
  rack.failures.set(server, { inARow, retryAt: now + pauseMs })
}

/** Everything in a filled definition that may be secret, the operator's own headers and query included. */
function secretsIn(definition: McpServerOption, credentials: Credentials | null): string[] {
  const texts = Object.values(('url' in definition ? definition.headers : definition.env) ?? {})
  const query = 'url' in definition ? [...(URL.parse(definition.url)?.searchParams.values() ?? [])] : []
  return [...Object.values(credentials ?? {}), ...texts, ...texts.flatMap((text) => text.split(/\s+/)), ...query]
}

function unavailable(server: string, error: unknown, secrets: readonly string[]): PurserError {
  if (PurserError.is(error)) return error
  return new PurserError('mcp_unavailable', `The MCP server '${server}' cannot be reached.`, {
    hint: 'Look at the cause; the next call tries again.',
    cause: redactError(error, secrets),
    details: { server },
  })
}

function resting(server: string, waitMs: number): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' has failed several times in a row.`, {
    hint: 'It is tried again after a pause.',
    details: { server, retryAfterMs: Math.ceil(waitMs) },
  })
}
