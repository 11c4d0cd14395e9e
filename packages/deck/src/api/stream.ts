import { type ServerSentEvent, SseParser } from 'purser/internal/sse'
import { after, chance, request } from '../browser/effects.ts'

export type StreamState = 'connecting' | 'open' | 'waiting'

export interface StreamListener {
  onEvent(event: ServerSentEvent): void
  /** Called on every change; `waiting` is the pause before the next attempt, which `retryNow` cuts short. */
  onState(state: StreamState): void
  /** The server no longer knows who we are; the stream has ended for good. */
  onRefused(): void
}

/** The server pings every 15 s; two missed pings and the line counts as dead. */
const SILENCE_MS = 35_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 15_000
/** Limit for one event; above it the connection is closed and opened again. */
const MAX_EVENT_BYTES = 1_048_576

/**
 * Keeps one live connection and resumes it behind the last event seen.
 *
 * `EventSource` would do for the happy path, but it shows neither the status of a refusal nor the server's pings, so a
 * line that died in a sleeping laptop looks alive for hours. Here silence is noticed, and the page can say so.
 */
export function openStream(url: URL, listener: StreamListener): { retryNow(): void; close(): void } {
  let lastEventId: string | undefined
  let attempts = 0
  let closed = false
  let cancelWait: (() => void) | undefined
  let line: AbortController | undefined

  async function connect(): Promise<void> {
    cancelWait = undefined
    listener.onState('connecting')
    const own = new AbortController()
    line = own
    try {
      await read(own)
    } catch {
      // Whatever cut the line, the way on is the same: wait a little and connect again.
    }
    if (!closed && line === own) wait()
  }

  async function read(own: AbortController): Promise<void> {
    let cancelWatch = after(SILENCE_MS, () => own.abort())
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' }
      if (lastEventId !== undefined) headers['last-event-id'] = lastEventId
      const response = await request(url, {
        headers,
        signal: own.signal,
        credentials: 'same-origin',
        cache: 'no-store',
      })
      if (response.status === 401 || response.status === 403) {
        closed = true
        listener.onRefused()
        return
      }
      if (!response.ok || response.body === null) return
      attempts = 0
      listener.onState('open')
      const parser = new SseParser({ maxEventBytes: MAX_EVENT_BYTES })
      const reader = response.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        cancelWatch()
        cancelWatch = after(SILENCE_MS, () => own.abort())
        for (const event of parser.push(value)) {
          if (event.id !== undefined) lastEventId = event.id
          listener.onEvent(event)
        }
      }
    } finally {
      cancelWatch()
      own.abort()
    }
  }

  function wait(): void {
    listener.onState('waiting')
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempts)
    attempts = Math.min(attempts + 1, 10)
    cancelWait = after(ceiling * (0.5 + chance() / 2), () => void connect())
  }

  void connect()
  return {
    retryNow() {
      if (closed || cancelWait === undefined) return
      cancelWait()
      void connect()
    },
    close() {
      closed = true
      cancelWait?.()
      line?.abort()
    },
  }
}
