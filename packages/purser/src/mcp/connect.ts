import { inspect } from 'node:util'
import { Client, type Transport } from '@modelcontextprotocol/client'
import { endsWithin } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import type { McpConnection, McpConnectRequest } from '../runtime/ports.ts'
import { createHttpTransport } from './http-transport.ts'
import { createStdioTransport } from './stdio-transport.ts'
import type { TransportMonitor } from './transport-monitor.ts'

/** How long a server may take to end its session before the connection is closed anyway. */
const TERMINATE_TIMEOUT_MS = 2_000

/** Name and version of this client, as servers see it. */
const CLIENT_INFO = { name: 'purser', version: '0.1.0' }

/** A transport before it is connected, and how to close it. */
interface TransportHandle {
  readonly transport: Transport
  readonly monitor: TransportMonitor
  /** Ends the session on the server, where the transport has sessions. */
  terminate?(): Promise<void>
  /** Frees what the transport leaves behind: sockets or a process. */
  destroy?(): Promise<void>
  /** The end of what the server wrote to stderr. */
  stderr?(): string
}

/**
 * A client that all leases of one user share. Calling `close()` has no effect, and a second `connect()` is rejected:
 * the protocol would silently switch to the new transport and mix up the responses of both.
 */
class LeasedClient extends Client {
  #isConnected = false

  override async connect(...[transport, options]: Parameters<Client['connect']>): Promise<void> {
    if (this.#isConnected) throw new Error('This client is already connected; it stays connected while it is leased.')
    this.#isConnected = true
    await super.connect(transport, options)
  }

  override async close(): Promise<void> {}
}

/** Connects to a server. Rejects when that fails or is aborted; no socket and no process is left then. */
export async function connect(effects: Effects, request: McpConnectRequest): Promise<McpConnection> {
  const { server, signal } = request
  signal.throwIfAborted()
  const handle = createTransport(effects, request)
  const client = new LeasedClient(CLIENT_INFO)
  hideFields(client, `[MCP client of ${server}]`)
  hideFields(handle.transport, `[MCP transport to ${server}]`)
  try {
    await client.connect(handle.transport, { signal })
    signal.throwIfAborted()
  } catch (error) {
    await close(client, handle)
    throw withStderr(error, handle.stderr?.())
  }
  return {
    client,
    onBroken: handle.monitor.onBroken,
    close: () => disconnect(effects, client, handle),
  }
}

/** Clients and transports hold URLs, headers and environments: printed or as JSON they show only a label. */
function hideFields(target: object, label: string): void {
  const show = { value: () => label, enumerable: false }
  Object.defineProperties(target, { toJSON: show, [inspect.custom]: show })
}

function createTransport(effects: Effects, { definition, tokenSource }: McpConnectRequest): TransportHandle {
  if (!('url' in definition)) return createStdioTransport(effects, definition)
  const { transport, monitor, destroy } = createHttpTransport({ effects, tokenSource }, definition)
  return { transport, monitor, destroy, terminate: () => transport.terminateSession() }
}

/**
 * Ends the session, then closes the connection. Rejects when the server did not end its session, unless the connection
 * was broken: then the session is left to the server's own timeout.
 */
async function disconnect(effects: Effects, client: Client, handle: TransportHandle): Promise<void> {
  let failure: unknown
  try {
    const terminated = handle.terminate?.()
    if (terminated !== undefined && !(await endsWithin(effects, terminated, TERMINATE_TIMEOUT_MS))) {
      failure = new Error(`The server did not end its session within ${TERMINATE_TIMEOUT_MS} ms.`)
      terminated.catch(() => undefined)
    }
  } catch (error) {
    failure = error
  }
  const wasBroken = handle.monitor.isBroken
  await close(client, handle)
  if (failure !== undefined && !wasBroken) throw failure
}

async function close(client: Client, handle: TransportHandle): Promise<void> {
  try {
    await Client.prototype.close.call(client)
    await handle.transport.close()
  } finally {
    await handle.destroy?.()
  }
}

function withStderr(error: unknown, stderr: string | undefined): unknown {
  if (stderr === undefined || stderr === '' || !(error instanceof Error)) return error
  return new Error(`${error.message}; stderr of the server: ${stderr}`, { cause: error })
}
