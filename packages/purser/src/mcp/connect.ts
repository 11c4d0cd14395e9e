import { inspect } from 'node:util'
import { Client, type Transport } from '@modelcontextprotocol/client'
import { endsWithin } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import type { LiveTools, ToolRequest } from '../runtime/api.ts'
import { httpTransport } from './http-transport.ts'
import { stdioTransport } from './stdio-transport.ts'
import type { TransportMonitor } from './transport-monitor.ts'

/** How long a server may take to end its session before the connection is closed all the same. */
const TERMINATE_LIMIT_MS = 2_000

/** How this client introduces itself to servers. */
const CLIENT_INFO = { name: 'purser', version: '0.1.0' }

/** A transport before it is connected, and how to part from it. */
interface Line {
  readonly transport: Transport
  readonly watch: TransportMonitor
  /** Ends the session on the server, where there is such a thing. */
  terminate?(): Promise<void>
  /** Frees what the transport leaves behind. */
  destroy?(): Promise<void>
  /** What the server said beside the protocol. */
  lastWords?(): string
}

/**
 * A client that is shared by all leases of one user. Closing it by hand does nothing, and connecting it again is
 * refused: the protocol would silently take the new transport and mix up the answers of both.
 */
class LeasedClient extends Client {
  #isConnected = false

  override async connect(...[transport, options]: Parameters<Client['connect']>): Promise<void> {
    if (this.#isConnected) throw new Error('This client is connected already, and stays so as long as it is leased.')
    this.#isConnected = true
    await super.connect(transport, options)
  }

  override async close(): Promise<void> {}
}

/** Connects to a server. Rejects when that fails or is aborted; then no socket and no process is left. */
export async function connect(effects: Effects, order: ToolRequest): Promise<LiveTools> {
  const { server, signal } = order
  signal.throwIfAborted()
  const line = lineTo(effects, order)
  const client = new LeasedClient(CLIENT_INFO)
  conceal(client, `[MCP client of ${server}]`)
  conceal(line.transport, `[MCP transport to ${server}]`)
  try {
    await client.connect(line.transport, { signal })
    signal.throwIfAborted()
  } catch (error) {
    await hangUp(client, line)
    throw withLastWords(error, line.lastWords?.())
  }
  return {
    client,
    onBroken: line.watch.onBroken,
    close: () => part(effects, client, line),
  }
}

/** Clients and transports carry URLs, headers and environments: printed or turned into JSON they show only a label. */
function conceal(carrier: object, label: string): void {
  const show = { value: () => label, enumerable: false }
  Object.defineProperties(carrier, { toJSON: show, [inspect.custom]: show })
}

function lineTo(effects: Effects, { definition, bearer }: ToolRequest): Line {
  if (!('url' in definition)) return stdioTransport(effects, definition)
  const { transport, watch, destroy } = httpTransport({ effects, bearer }, definition)
  return { transport, watch, destroy, terminate: () => transport.terminateSession() }
}

/** First the session, then the connection. A session that a broken connection cannot end is the server's to forget. */
async function part(effects: Effects, client: Client, line: Line): Promise<void> {
  let fault: unknown
  try {
    const ended = line.terminate?.()
    if (ended !== undefined && !(await endsWithin(effects, ended, TERMINATE_LIMIT_MS))) {
      fault = new Error(`The server did not end its session within ${TERMINATE_LIMIT_MS} ms.`)
      ended.catch(() => undefined)
    }
  } catch (error) {
    fault = error
  }
  const wasBroken = line.watch.isBroken
  await hangUp(client, line)
  if (fault !== undefined && !wasBroken) throw fault
}

async function hangUp(client: Client, line: Line): Promise<void> {
  try {
    await Client.prototype.close.call(client)
    await line.transport.close()
  } finally {
    await line.destroy?.()
  }
}

function withLastWords(error: unknown, words: string | undefined): unknown {
  if (words === undefined || words === '' || !(error instanceof Error)) return error
  return new Error(`${error.message}; the server said: ${words}`, { cause: error })
}
