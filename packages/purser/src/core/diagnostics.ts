import { type Channel, channel } from 'node:diagnostics_channel'

/**
 * What can be observed from outside, on `node:diagnostics_channel` under `purser:NAME`.
 * Payloads hold no secrets and no stored content; user ids are given raw and must not become metric labels.
 */
export interface Diagnostics {
  /** A user was seen or changed without an event: admitted, measured, settled. */
  activity: { namespace: string; user: string }
  /** An admission was decided. */
  admission: { namespace: string; user: string; outcome: 'allowed' | 'daily_cap' | 'blocked' }
  /** A context was resolved. `deadlineExceeded`: the caller's budget ended before all sections were loaded. */
  resolve: {
    namespace: string
    status: 'fresh' | 'stale' | 'partial' | 'default'
    waitedMs: number
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
  /** An answer was looked up. */
  answer: { namespace: string; outcome: 'hit' | 'miss' | 'joined' }
  /**
   * A user's runtime was taken into use, from memory or from the store, or the use was refused; or it left memory, or
   * a lease on it was out for too long and was taken back.
   */
  runtime: { namespace: string; outcome: 'warm' | 'cold' | 'refused' | 'evicted' | 'overdue'; reason?: string }
  /** A live client of a user changed its state. `tookMs`: how long opening or closing took. */
  client: {
    namespace: string
    kind: 'model' | 'mcp'
    outcome: 'opened' | 'failed' | 'closed' | 'close_failed'
    reason?: string
    tookMs?: number
  }
  /** A turn is over. */
  turn: {
    namespace: string
    outcome: 'completed' | 'failed' | 'cancelled' | 'refused'
    cache: 'hit' | 'joined' | 'miss' | 'off'
    overheadMs: number
    totalMs: number
  }
}

const channels = new Map<string, Channel>()

/** Publishes a signal. Costs one look-up when nobody listens; a listener that throws harms nobody. */
export function publish<Name extends keyof Diagnostics>(name: Name, payload: Diagnostics[Name]): void {
  let found = channels.get(name)
  if (found === undefined) {
    found = channel(`purser:${name}`)
    channels.set(name, found)
  }
  if (found.hasSubscribers) found.publish(payload)
}

/** Whether anybody listens, for callers to whom even an unheard payload is a cost. */
export function hasSubscribers(name: keyof Diagnostics): boolean {
  return channels.get(name)?.hasSubscribers === true
}

/** Listens to a signal; returns the function that stops listening. */
export function onDiagnostic<Name extends keyof Diagnostics>(
  name: Name,
  listener: (payload: Diagnostics[Name]) => void,
): () => void {
  const listen = (payload: unknown): void => listener(payload as Diagnostics[Name])
  const found = channel(`purser:${name}`)
  channels.set(name, found)
  found.subscribe(listen)
  return () => found.unsubscribe(listen)
}
