import { type ReconnectionScheduler, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Agent, fetch, Pool, type RequestInit } from 'undici'
import type { Effects } from '../core/effects.ts'
import { createPersistentClient } from '../core/persistent-client.ts'
import type { TokenSource } from '../runtime/oauth/ports.ts'
import { createBearerFetch } from './bearer-fetch.ts'
import { followWithinOrigin } from './redirects.ts'
import { createSessionFetch } from './session-fetch.ts'
import { monitorTransport, type TransportMonitor } from './transport-monitor.ts'

/** How often a lost stream is reopened within the window; above it the connection counts as broken. */
const RECONNECTIONS_MAX = 5
const RECONNECTION_WINDOW_MS = 60_000
const RECONNECTION = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 10_000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 3,
}
const CONNECT_TIMEOUT_MS = 10_000
/** One response, or all of one stream; a stream that is cut there is opened again. */
const RESPONSE_MAX_BYTES = 33_554_432

export interface HttpDefinition {
  readonly url: string
  readonly headers?: Record<string, string> | undefined
}

export interface HttpTransportDeps {
  readonly effects: Effects
  /** Access tokens, for servers that require OAuth. */
  readonly tokenSource: TokenSource | undefined
}

/**
 * Streamable HTTP on sockets of its own, which no other user shares and which are closed with the connection. A stream
 * may be silent for any time; the caller limits the duration of a call.
 */
export function createHttpTransport(
  { effects, tokenSource }: HttpTransportDeps,
  { url, headers }: HttpDefinition,
): { transport: StreamableHTTPClientTransport; monitor: TransportMonitor; destroy(): Promise<void> } {
  const factory = (origin: string | URL, options: object) =>
    new Pool(origin, { ...options, factory: createPersistentClient })
  const agent = new Agent({
    factory,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: RESPONSE_MAX_BYTES,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  })
  const agentFetch = followWithinOrigin(async (input, init) => {
    const options = { ...(init as unknown as RequestInit), dispatcher: agent, redirect: 'manual' as const }
    return (await fetch(input, options)) as unknown as Response
  })
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    ...(headers && { requestInit: { headers } }),
    fetch: createSessionFetch(tokenSource === undefined ? agentFetch : createBearerFetch(agentFetch, tokenSource)),
    reconnectionOptions: RECONNECTION,
    reconnectionScheduler: limitReconnections(effects, () => monitor.markLost()),
  })
  const monitor = monitorTransport(transport)
  return { transport, monitor, destroy: () => agent.destroy() }
}

/**
 * The transport restarts its count of attempts whenever a stream was opened, so that a server that closes idle streams
 * every second would be called every second without end. This scheduler counts the attempts of the last minute.
 */
function limitReconnections(effects: Effects, onLimit: () => void): ReconnectionScheduler {
  const recent: number[] = []
  return (reconnect, delayMs) => {
    const now = effects.monotonic()
    while (recent[0] !== undefined && now - recent[0] > RECONNECTION_WINDOW_MS) recent.shift()
    if (recent.length >= RECONNECTIONS_MAX) {
      onLimit()
      return undefined
    }
    recent.push(now)
    return effects.setTimer(reconnect, delayMs, { background: true })
  }
}
