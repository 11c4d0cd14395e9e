import { endsWithin } from '../../core/abort.ts'
import type { Effects } from '../../core/effects.ts'
import { redactError, secretsInHeaders, secretsInQuery } from '../../core/redact.ts'
import { createSemaphore, type Semaphore } from '../../core/semaphore.ts'
import type { Subject } from '../../core/subject.ts'
import { PurserError } from '../../errors.ts'
import type { McpServerOption } from '../../options.ts'
import type { Authorizations } from '../oauth/authorizations.ts'
import { isAuthorizationRequired } from '../oauth/errors.ts'
import type { McpConnection, McpConnector, McpConnectRequest } from '../ports.ts'
import type { Credentials } from '../secrets.ts'
import { fillDefinition } from '../settings/mcp-definition.ts'
import { PooledClient, type PooledClientDeps } from './pooled-client.ts'

/** Connections to one server that may be opening at the same time; further ones wait. The limit is per server. */
const OPENING_MAX = 32
/** How long opening one may take. */
const OPEN_LIMIT_MS = 30_000
/** Pause after the second failure in a row; doubled with every further one. */
const BACKOFF_MS = 1_000
const BACKOFF_MAX_MS = 30_000

export type McpClient = PooledClient<McpConnection>

/** The MCP clients of one live runtime; new users of a server get the same one. */
export interface UserMcpClients {
  /** By server. */
  readonly current: Map<string, McpClient>
  /** Every client that is not closed yet, retired ones included. */
  readonly all: Set<McpClient>
  readonly failures: Map<string, { readonly inARow: number; readonly retryAt: number }>
}

export interface McpClientRequest {
  readonly server: string
  readonly definition: McpServerOption
  readonly user: Subject
  readonly incarnation: number
  /** Identifies the credentials; null without any. */
  readonly credentialVersion: string | null
  openCredentials(): Credentials | null
}

export interface McpConnectionPoolDeps extends PooledClientDeps {
  readonly connector: McpConnector
  readonly authorizations: Pick<Authorizations, 'createTokenSource'>
  readonly maxProcesses: number
}

export function createUserMcpClients(): UserMcpClients {
  return { current: new Map(), all: new Set(), failures: new Map() }
}

/** Retires clients that were made with other credentials than the present ones. */
export function retireOutdated(clients: UserMcpClients, getVersion: (server: string) => string | null): void {
  for (const [server, client] of clients.current) {
    if (client.label.credentialVersion === getVersion(server)) continue
    void client.retire('replaced')
    clients.failures.delete(server)
  }
}

/** Opens, shares and limits the MCP clients of all users. */
export class McpConnectionPool {
  readonly #deps: McpConnectionPoolDeps
  /** In the order in which they became idle. */
  readonly #idle = new Set<McpClient>()
  /** Clients of child processes, and those of them that are closing. */
  readonly #processes = new Set<McpClient>()
  readonly #closingProcesses = new Set<McpClient>()
  readonly #processSlots: Semaphore
  readonly #openingSlots = new Map<string, Semaphore>()

  constructor(deps: McpConnectionPoolDeps) {
    this.#deps = deps
    this.#processSlots = createSemaphore(deps.maxProcesses, {
      message: `All ${deps.maxProcesses} MCP server processes are in use.`,
      hint: 'Try again, or raise runtime.maxMcpProcesses.',
    })
  }

  /** Returns a client that is open or opening, retained for the caller. Equal requests get the same one. */
  retain(clients: UserMcpClients, request: McpClientRequest): McpClient {
    const { server, credentialVersion } = request
    let client = clients.current.get(server)
    if (client !== undefined && client.label.credentialVersion !== credentialVersion) {
      void client.retire('replaced')
      clients.failures.delete(server)
      client = undefined
    }
    if (client === undefined) {
      const waitMs = (clients.failures.get(server)?.retryAt ?? 0) - this.#deps.effects.monotonic()
      if (waitMs > 0) throw backingOff(server, waitMs)
      client = this.#createClient(clients, request)
    }
    client.retain()
    return client
  }

  /** Closes clients that have been idle for longer than `idleMs`. */
  async sweep(idleMs: number): Promise<void> {
    const now = this.#deps.effects.monotonic()
    const closing: Promise<void>[] = []
    for (const client of this.#idle) {
      if (now - client.idleSince <= idleMs) break
      closing.push(client.retire('idle'))
    }
    await Promise.all(closing)
  }

  #createClient(clients: UserMcpClients, request: McpClientRequest): McpClient {
    const { server, credentialVersion } = request
    const target = this.#createTarget(request)
    const client: McpClient = new PooledClient<McpConnection>(
      this.#deps,
      { kind: 'mcp', name: server, credentialVersion },
      {
        open: (signal) => this.#open({ client, clients, target, signal }),
        listener: {
          onIdle: () => this.#idle.add(client),
          onUsed: () => this.#idle.delete(client),
          onRetired: () => {
            this.#idle.delete(client)
            if (clients.current.get(server) === client) clients.current.delete(server)
          },
          onClosing: () => {
            if (this.#processes.has(client)) this.#closingProcesses.add(client)
          },
          onClosed: () => {
            clients.all.delete(client)
            this.#releaseProcess(client)
          },
        },
      },
    )
    clients.current.set(server, client)
    clients.all.add(client)
    return client
  }

  #createTarget({ server, definition, user, incarnation, openCredentials }: McpClientRequest): ConnectTarget {
    const credentials = openCredentials()
    const filled = fillDefinition(definition, { server, user: user.id, credentials })
    const usesOAuth = 'url' in definition && definition.oauth !== undefined
    const tokenSource =
      usesOAuth && 'url' in filled
        ? this.#deps.authorizations.createTokenSource({ user, incarnation, name: server }, filled.url)
        : undefined
    return {
      server,
      definition: filled,
      tokenSource,
      getSecrets: () => [...secretsIn(filled, openCredentials()), tokenSource?.lastToken ?? ''],
    }
  }

  async #open({ client, clients, target, signal }: Opening): Promise<McpConnection> {
    const { server, definition, tokenSource } = target
    const isProcess = 'command' in definition
    if (isProcess) await this.#processSlots.acquire(signal, (waiting) => this.#freeProcess(waiting))
    if (isProcess) this.#processes.add(client)
    const openingSlots = getOpeningSlots(this.#openingSlots, server)
    try {
      await openingSlots.acquire(signal)
      try {
        const { effects, connector } = this.#deps
        const connection = await connectInTime(effects, connector, { server, definition, tokenSource, signal })
        clients.failures.delete(server)
        connection.onBroken(() => void client.retire('broken'))
        return connection
      } finally {
        openingSlots.release()
      }
    } catch (error) {
      this.#releaseProcess(client)
      if (!signal.aborted && !isAuthorizationRequired(error)) {
        recordFailure(clients, server, this.#deps.effects.monotonic())
      }
      throw unavailable(server, error, target.getSecrets())
    }
  }

  /** Closes the process that has been idle longest, unless enough of them are closing already. False: none is idle. */
  #freeProcess(waiting: number): boolean {
    if (this.#closingProcesses.size > waiting) return true
    for (const client of this.#idle) {
      if (!this.#processes.has(client)) continue
      void client.retire('capacity')
      return true
    }
    return false
  }

  #releaseProcess(client: McpClient): void {
    if (!this.#processes.delete(client)) return
    this.#closingProcesses.delete(client)
    this.#processSlots.release()
  }
}

/** The server to connect to, with everything filled in. */
interface ConnectTarget extends Omit<McpConnectRequest, 'signal'> {
  /** Texts that must not appear in an error. */
  getSecrets(): string[]
}

interface Opening {
  readonly client: McpClient
  readonly clients: UserMcpClients
  readonly target: ConnectTarget
  readonly signal: AbortSignal
}

function getOpeningSlots(slots: Map<string, Semaphore>, server: string): Semaphore {
  let semaphore = slots.get(server)
  if (semaphore === undefined) {
    semaphore = createSemaphore(OPENING_MAX, {
      message: `Too many connections to the MCP server '${server}' are opening.`,
      hint: 'Try again.',
    })
    slots.set(server, semaphore)
  }
  return semaphore
}

/** Rejects after `OPEN_LIMIT_MS`; a connection that opens later is closed at once. */
async function connectInTime(
  effects: Effects,
  connector: McpConnector,
  request: McpConnectRequest,
): Promise<McpConnection> {
  const limit = new AbortController()
  const opening = connector.connect({ ...request, signal: AbortSignal.any([request.signal, limit.signal]) })
  if (await endsWithin(effects, opening, OPEN_LIMIT_MS)) return opening
  limit.abort(new Error(`The server did not answer within ${OPEN_LIMIT_MS} ms.`))
  opening.then(
    (late) => late.close().catch(() => undefined),
    () => undefined,
  )
  throw limit.signal.reason
}

function recordFailure(clients: UserMcpClients, server: string, now: number): void {
  const inARow = (clients.failures.get(server)?.inARow ?? 0) + 1
  const pauseMs = inARow < 2 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (inARow - 2))
  clients.failures.set(server, { inARow, retryAt: now + pauseMs })
}

/** Everything in a filled definition that may be secret, including the operator's headers and query. */
function secretsIn(definition: McpServerOption, credentials: Credentials | null): string[] {
  const texts = ('url' in definition ? definition.headers : definition.env) ?? {}
  const query = 'url' in definition ? secretsInQuery(URL.parse(definition.url) ?? undefined) : []
  return [...Object.values(credentials ?? {}), ...secretsInHeaders(texts), ...query]
}

function unavailable(server: string, error: unknown, secrets: readonly string[]): PurserError {
  if (PurserError.is(error)) return error
  return new PurserError('mcp_unavailable', `The MCP server '${server}' cannot be reached.`, {
    hint: 'See the cause; the next call tries again.',
    cause: redactError(error, secrets),
    details: { server },
  })
}

function backingOff(server: string, waitMs: number): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' has failed several times in a row.`, {
    hint: 'It is tried again after a pause.',
    details: { server, retryAfterMs: Math.ceil(waitMs) },
  })
}
