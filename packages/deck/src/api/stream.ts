import { type ServerSentEvent, SseParser } from 'purser/internal/sse'
import { randomFraction, sendRequest, setTimer } from '../browser/effects.ts'

/** `waiting`: the delay before the next attempt to connect. */
export type StreamState = 'connecting' | 'open' | 'waiting'

export interface StreamListener {
  onEvent(event: ServerSentEvent): void
  onStateChange(state: StreamState): void
  /** The server answered 401 or 403. The stream does not reconnect. */
  onUnauthorized(): void
}

export interface EventStream {
  /** Ends the `waiting` state and connects at once. */
  reconnect(): void
  close(): void
}

/** The server pings every 15 s; after two missed pings the connection is considered dead. */
const SILENCE_TIMEOUT_MS = 35_000
const MIN_RETRY_DELAY_MS = 500
const MAX_RETRY_DELAY_MS = 15_000
/** Limit for one event; above it the connection is closed and opened again. */
const MAX_EVENT_BYTES = 1_048_576

/**
 * Opens a server-sent event stream and keeps it open: it reconnects with exponential back-off and jitter, and resumes
 * after the last event id received.
 *
 * `EventSource` is not used because it exposes neither the status of an error response nor the server's pings: a
 * connection that died while a laptop slept would appear to be open for hours.
 */
export function openEventStream(url: URL, listener: StreamListener): EventStream {
  let lastEventId: string | undefined
  let attempts = 0
  let closed = false
  let cancelRetry: (() => void) | undefined
  let connection: AbortController | undefined

  async function connect(): Promise<void> {
    cancelRetry = undefined
    listener.onStateChange('connecting')
    const current = new AbortController()
    connection = current
    try {
      await read(current)
    } catch {
      // Every kind of failure is handled in the same way: wait, then connect again.
    }
    if (!closed && connection === current) scheduleRetry()
  }

  /** Reads one connection to its end. Rejects when it fails or is silent for too long. */
  async function read(current: AbortController): Promise<void> {
    let cancelTimeout = setTimer(() => current.abort(), SILENCE_TIMEOUT_MS)
    try {
      const body = await request(current.signal)
      if (body === undefined) return
      attempts = 0
      listener.onStateChange('open')
      const parser = new SseParser({ maxEventBytes: MAX_EVENT_BYTES })
      const reader = body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        cancelTimeout()
        cancelTimeout = setTimer(() => current.abort(), SILENCE_TIMEOUT_MS)
        parser.push(value).forEach(emit)
      }
    } finally {
      cancelTimeout()
      current.abort()
    }
  }

  /** Requests the stream after the last event; undefined when the server responds with an error. */
  async function request(signal: AbortSignal): Promise<ReadableStream<Uint8Array> | undefined> {
    const headers: Record<string, string> = { accept: 'text/event-stream' }
    if (lastEventId !== undefined) headers['last-event-id'] = lastEventId
    const response = await sendRequest(url, { headers, signal, credentials: 'same-origin', cache: 'no-store' })
    if (response.status === 401 || response.status === 403) {
      closed = true
      listener.onUnauthorized()
    }
    return response.ok ? (response.body ?? undefined) : undefined
  }

  function emit(event: ServerSentEvent): void {
    if (event.id !== undefined) lastEventId = event.id
    listener.onEvent(event)
  }

  function scheduleRetry(): void {
    listener.onStateChange('waiting')
    const maxDelayMs = Math.min(MAX_RETRY_DELAY_MS, MIN_RETRY_DELAY_MS * 2 ** attempts)
    attempts = Math.min(attempts + 1, 10)
    cancelRetry = setTimer(() => void connect(), maxDelayMs * (0.5 + randomFraction() / 2))
  }

  void connect()
  return {
    reconnect() {
      if (closed || cancelRetry === undefined) return
      cancelRetry()
      void connect()
    },
    close() {
      closed = true
      cancelRetry?.()
      connection?.abort()
    },
  }
}
