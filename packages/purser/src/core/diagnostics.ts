import { hash } from 'node:crypto'
import { type Channel, channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'

/**
 * Diagnostics are published on `node:diagnostics_channel`, as `purser:NAME`. With `NODE_DEBUG=purser` in the environment
 * each one is also a line on stderr.
 *
 * Payloads contain no secrets and no stored content. They contain user ids, which must not become metric labels.
 */
export interface Diagnostics {
  /** A user was active or changed without an event: admitted, measured, settled. */
  activity: { namespace: string; user: string }
  /** A decided admission. `unrecorded`: allowed while the store failed, and recorded later. */
  admission: {
    namespace: string
    user: string
    outcome: 'allowed' | 'daily_cap' | 'limit' | 'blocked' | 'unrecorded'
  }
  /**
   * A context was resolved. `deadlineExceeded`: the caller's budget ended before all sections were loaded. `queuedMs`: of
   * the wait, until the last load had a slot.
   */
  resolve: {
    namespace: string
    status: 'fresh' | 'stale' | 'partial' | 'default'
    waitedMs: number
    queuedMs: number
    deadlineExceeded: boolean
  }
  /**
   * A load of a context source was started, ended or was rejected. `late`: loaded after it counted as a hang. `dropped`:
   * its data was outdated. `shed`: not started, because the source is in backoff or its queue is full.
   */
  load: {
    namespace: string
    source: string
    outcome: 'started' | 'loaded' | 'failed' | 'late' | 'abandoned' | 'dropped' | 'shed'
    /** With `started`: how long it waited for a slot. */
    queuedMs?: number
  }
  /** A section of a resolved context is stale or unavailable. The reasons are those of `ContextSection.reason`. */
  section: { namespace: string; section: string; status: 'stale' | 'unavailable'; reason: string }
  /** A lookup of a cached answer. */
  answer: { namespace: string; outcome: 'hit' | 'miss' | 'joined' }
  /**
   * A user's runtime was acquired from memory (`warm`) or from the store (`cold`), could not be acquired (`refused`) or
   * was evicted from memory; or a lease on it exceeded `maxLeaseMs` and was revoked (`overdue`).
   */
  runtime: { namespace: string; outcome: 'warm' | 'cold' | 'refused' | 'evicted' | 'overdue'; reason?: string }
  /** A live client of a user was opened or closed, or could not be. `tookMs`: duration of opening or closing. */
  client: {
    namespace: string
    kind: 'model' | 'mcp'
    outcome: 'opened' | 'failed' | 'closed' | 'close_failed'
    reason?: string
    tookMs?: number
  }
  /** A provider refuses a user for what they did. */
  provider_refusal: { namespace: string; provider: string }
  /** A turn has ended. */
  turn: {
    namespace: string
    outcome: 'completed' | 'failed' | 'cancelled' | 'refused'
    cache: 'hit' | 'joined' | 'miss' | 'off'
    /** Null if the turn ended before they were known. */
    provider: string | null
    model: string | null
    /** The limit that refused it. */
    limit: string | null
    overheadMs: number
    /** Of the turn's own calls, to the end of their answers. */
    upstreamMs: number
    totalMs: number
    /** The calls of providers, in order; `code`: of the error, null for an answer. */
    attempts: readonly {
      readonly provider: string
      readonly model: string
      readonly status: number | null
      readonly code: string | null
      readonly ms: number
    }[]
    /** The context's start, compared with that of the turn before in the same session; null without a context. */
    prefix: 'first' | 'same' | 'changed' | null
    /** Null if the upstream has not told. */
    inputTokens: number | null
    outputTokens: number | null
    /** Of the input tokens, from the upstream's prompt cache. */
    cachedTokens: number | null
    /** Decimal text; null: the model has no price. */
    cost: string | null
    /** Ages in ms. */
    context: readonly {
      readonly section: string
      readonly status: 'fresh' | 'stale' | 'empty' | 'unavailable'
      readonly ageMs: number | null
      readonly tokens: number
      readonly cut: number
    }[]
  }
}

const channels = new Map<string, Channel>()

const debug = debuglog('purser')
/** Read once: NODE_DEBUG does not change while the process runs. */
const isDebugging = debug.enabled

/**
 * Publishes a diagnostic. Without subscribers it costs one map lookup. An error of a subscriber does not reach the caller:
 * Node.js reports it as an uncaught exception.
 */
export function publish<Name extends keyof Diagnostics>(name: Name, payload: Diagnostics[Name]): void {
  const found = channelOf(name)
  if (found.hasSubscribers) found.publish(payload)
  if (isDebugging) debug('%s %j', name, withoutUserId(payload))
}

/** False if publishing has no effect: for callers to which even making the payload is a cost. */
export function hasSubscribers(name: keyof Diagnostics): boolean {
  return isDebugging || channelOf(name).hasSubscribers
}

/**
 * Subscribes to a diagnostic of all Pursers in this process.
 *
 * @returns a function that unsubscribes
 * @example
 * const unsubscribe = onDiagnostic('turn', ({ outcome, totalMs }) => histogram.record(totalMs, { outcome }))
 */
export function onDiagnostic<Name extends keyof Diagnostics>(
  name: Name,
  listener: (payload: Diagnostics[Name]) => void,
): () => void {
  const listen = (payload: unknown): void => listener(payload as Diagnostics[Name])
  const found = channelOf(name)
  found.subscribe(listen)
  return () => found.unsubscribe(listen)
}

function channelOf(name: keyof Diagnostics): Channel {
  let found = channels.get(name)
  if (found === undefined) {
    found = channel(`purser:${name}`)
    channels.set(name, found)
  }
  return found
}

/** Debug lines end up in log files: the first 8 digits of the SHA-256 of a user id are enough to tell users apart. */
function withoutUserId(payload: object): object {
  if (!('user' in payload)) return payload
  return { ...payload, user: hash('sha256', String(payload.user), 'hex').slice(0, 8) }
}
