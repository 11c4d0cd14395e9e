import type { Effects } from '../effects.ts'
import { PurserError } from '../errors.ts'
import type { McpServerOption } from '../options.ts'
import { withinTime } from '../waiting.ts'
import { type ClientHouse, LiveClient } from './clients.ts'
import type { Farewell } from './closings.ts'
import { fillDefinition } from './definitions.ts'
import { createPlaces, type Places } from './places.ts'
import type { LiveTools, ToolFactory } from './port.ts'
import { type Credentials, redactedCause } from './secrets.ts'

/** Connections to one server that are being opened at the same time; the others wait. A server that hangs holds up no other. */
const OPENING_MAX = 32
/** How long opening one may take. */
const OPEN_LIMIT_MS = 30_000
/** After the second failure in a row, and doubled with every further one. */
const BACK_OFF_MS = 1_000
const BACK_OFF_MAX_MS = 30_000

export type ToolClient = LiveClient<LiveTools>

/** The MCP clients of one user's live runtime: at most one of each server is given out. */
export interface ToolRack {
  readonly clients: Map<string, ToolClient>
  /** All that are not closed yet, also those that are given to nobody any more. */
  readonly all: Set<ToolClient>
  readonly failures: Map<string, { readonly inARow: number; readonly retryAt: number }>
}

export interface ToolCall {
  readonly server: string
  readonly definition: McpServerOption
  readonly user: string
  /** Version of the secret that `credentials` opens; null without one. */
  readonly credential: string | null
  credentials(): Credentials | null
}

/** Opens, shares and bounds the MCP clients of all users. */
export interface ToolDesk {
  /** A client that is open or opening, already held for the caller. Equal calls get the same one. */
  take(rack: ToolRack, call: ToolCall): ToolClient
  /** Closes what nobody has held for longer than `idleMs`. */
  sweep(idleMs: number): Promise<void>
}

export function createRack(): ToolRack {
  return { clients: new Map(), all: new Set(), failures: new Map() }
}

export function createToolDesk(
  house: ClientHouse,
  { factory, maxProcesses }: { readonly factory: ToolFactory; readonly maxProcesses: number },
): ToolDesk {
  const { effects } = house
  /** In the order in which they fell idle. */
  const idle = new Set<ToolClient>()
  const processes = new Set<ToolClient>()
  const closing = new Set<ToolClient>()
  const openings = new Map<string, Places>()
  const processPlaces = createPlaces(maxProcesses, {
    message: `All ${maxProcesses} places for MCP servers that run as processes are in use.`,
    hint: 'Try again, or raise runtime.maxMcpProcesses.',
  })

  /** The process that has been idle longest goes, unless enough of them are on their way out already. */
  function makeRoom(waiting: number): boolean {
    if (closing.size > waiting) return true
    for (const client of idle) {
      if (!processes.has(client)) continue
      void client.retire('crowded')
      return true
    }
    return false
  }

  function openNew(rack: ToolRack, call: ToolCall): ToolClient {
    const { server } = call
    const definition = fillDefinition(call.definition, {
      server,
      user: call.user,
      credentials: call.credentials(),
    })
    const isProcess = 'command' in definition
    const client: ToolClient = new LiveClient<LiveTools>(
      house,
      { kind: 'mcp', name: server, credential: call.credential },
      {
        open: (signal) => open(signal),
        keeper: {
          idle: () => idle.add(client),
          held: () => idle.delete(client),
          leaving() {
            idle.delete(client)
            if (rack.clients.get(server) === client) rack.clients.delete(server)
          },
          closing() {
            if (processes.has(client)) closing.add(client)
          },
          gone() {
            rack.all.delete(client)
            if (processes.has(client)) leaveProcess()
          },
        },
      },
    )
    rack.clients.set(server, client)
    rack.all.add(client)
    return client

    function leaveProcess(): void {
      processes.delete(client)
      closing.delete(client)
      processPlaces.leave()
    }

    async function open(signal: AbortSignal): Promise<LiveTools> {
      if (isProcess) await processPlaces.enter(signal, makeRoom)
      try {
        if (isProcess) processes.add(client)
        const opening = openingsOf(openings, server)
        await opening.enter(signal)
        try {
          const live = await openInTime(effects, { factory, server, definition, signal })
          rack.failures.delete(server)
          live.onBroken(() => void client.retire('broken'))
          return live
        } finally {
          opening.leave()
        }
      } catch (error) {
        if (isProcess) leaveProcess()
        if (!signal.aborted) noteFailure(rack, server, effects.monotonic())
        throw unavailable(server, error, secretsIn(definition, call.credentials()))
      }
    }
  }

  return {
    take(rack, call) {
      let client = rack.clients.get(call.server)
      if (client !== undefined && client.label.credential !== call.credential) {
        void client.retire('replaced')
        rack.failures.delete(call.server)
        client = undefined
      }
      if (client === undefined) {
        const wait = (rack.failures.get(call.server)?.retryAt ?? 0) - effects.monotonic()
        if (wait > 0) throw resting(call.server, wait)
        client = openNew(rack, call)
      }
      client.hold()
      return client
    },

    async sweep(idleMs) {
      const now = effects.monotonic()
      const due: Promise<void>[] = []
      for (const client of idle) {
        if (now - client.idleSince <= idleMs) break
        due.push(client.retire('idle'))
      }
      await Promise.all(due)
    },
  }
}

function openingsOf(openings: Map<string, Places>, server: string): Places {
  let places = openings.get(server)
  if (places === undefined) {
    places = createPlaces(OPENING_MAX, {
      message: `Too many connections to the MCP server '${server}' are being opened.`,
      hint: 'Try again.',
    })
    openings.set(server, places)
  }
  return places
}

/** Lets go of clients that were made with another version of their secret. */
export function retireOutdated(
  rack: ToolRack,
  credentialOf: (server: string) => string | null,
  farewell: Farewell,
): void {
  for (const [server, client] of rack.clients) {
    if (client.label.credential === credentialOf(server)) continue
    void client.retire(farewell)
    rack.failures.delete(server)
  }
}

interface Opening {
  readonly factory: ToolFactory
  readonly server: string
  readonly definition: McpServerOption
  readonly signal: AbortSignal
}

/** A server that does not answer in time is given up; should it come after all, its client is closed at once. */
async function openInTime(effects: Effects, { factory, server, definition, signal }: Opening): Promise<LiveTools> {
  const limit = new AbortController()
  const opening = factory.open({ server, definition, signal: AbortSignal.any([signal, limit.signal]) })
  if (await withinTime(effects, opening, OPEN_LIMIT_MS)) return opening
  limit.abort(new Error(`The server did not answer within ${OPEN_LIMIT_MS} ms.`))
  opening.then(
    (late) => late.close().catch(() => undefined),
    () => undefined,
  )
  throw limit.signal.reason
}

function noteFailure(rack: ToolRack, server: string, now: number): void {
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
    cause: redactedCause(error, secrets),
    details: { server },
  })
}

function resting(server: string, waitMs: number): PurserError {
  return new PurserError('mcp_unavailable', `The MCP server '${server}' has failed several times in a row.`, {
    hint: 'It is tried again after a pause.',
    details: { server, retryAfterMs: Math.ceil(waitMs) },
  })
}
