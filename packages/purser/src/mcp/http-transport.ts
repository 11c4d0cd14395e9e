import { type FetchLike, type ReconnectionScheduler, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Agent, fetch, type RequestInit } from 'undici'
import type { Effects } from '../core/effects.ts'
import type { TokenSource } from '../runtime/oauth/api.ts'
import { bearerFetch } from './bearer-fetch.ts'
import { monitorTransport, type TransportMonitor } from './transport-monitor.ts'

/** How often a lost stream is taken up again within a minute; then the connection counts as broken. */
const RECONNECTIONS_MAX = 5
const RECONNECTION_WINDOW_MS = 60_000
const RECONNECTION = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 10_000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 3,
}

export interface HttpDefinition {
  readonly url: string
  readonly headers?: Record<string, string> | undefined
}

/** What a connection is made with, beside its definition. */
export interface HttpTransportDeps {
  readonly effects: Effects
  /** Present where the server wants OAuth. */
  readonly bearer: TokenSource | undefined
}

/**
 * Streamable HTTP on sockets of its own: they are shared with no other user, and are gone with the connection.
 * A stream may be silent for as long as it likes; how long a call may take is the caller's to say.
 */
export function httpTransport(
  { effects, bearer }: HttpTransportDeps,
  { url, headers }: HttpDefinition,
): { transport: StreamableHTTPClientTransport; watch: TransportMonitor; destroy(): Promise<void> } {
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } })
  const ownFetch: FetchLike = async (input, init) => {
    const response = await fetch(input, { ...(init as unknown as RequestInit), dispatcher: agent })
    return response as unknown as Response
  }
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    ...(headers && { requestInit: { headers } }),
    fetch: bearer === undefined ? ownFetch : bearerFetch(ownFetch, bearer),
    reconnectionOptions: RECONNECTION,
    reconnectionScheduler: boundedReconnection(effects, () => watch.lose()),
  })
  const watch = monitorTransport(transport)
  return { transport, watch, destroy: () => agent.destroy() }
}

/**
 * The transport counts attempts anew whenever a stream was opened, so a server that closes idle streams every second
 * would be called back every second for ever. Here they count until a minute has passed.
 */
function boundedReconnection(effects: Effects, giveUp: () => void): ReconnectionScheduler {
  const recent: number[] = []
  return (reconnect, delayMs) => {
    const now = effects.monotonic()
    while (recent[0] !== undefined && now - recent[0] > RECONNECTION_WINDOW_MS) recent.shift()
    if (recent.length >= RECONNECTIONS_MAX) {
      giveUp()
      return undefined
    }
    recent.push(now)
    return effects.setTimer(reconnect, delayMs, { background: true })
  }
}
