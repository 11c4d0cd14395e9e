import type { Subject } from '../core/subject.ts'
import type { Mode } from '../options/context-section.ts'
import type { Reason } from './api.ts'

/**
 * One call of a source for one section of one user, shared by all callers that need it meanwhile.
 *
 * A caller is a member of `waiters` until its own deadline, so a load that hangs holds no reference to callers that have
 * left. A load is `isOutdated` after an invalidation or a newer load: its waiters still get the result, the cache and
 * later callers do not. This flag serves as the generation of the data.
 */
export interface Load<Data> {
  readonly key: string
  /** Failures are remembered under it. */
  readonly backoffKey: string
  readonly user: Subject
  readonly mode: Mode
  readonly query: string | undefined
  /** Calls the source even if the store has fresh data. */
  readonly forceReload: boolean
  readonly waiters: Set<LoadWaiter<Data>>
  readonly abort: AbortController
  state: 'queued' | 'running' | 'abandoned' | 'ended'
  /** Monotonic ms; while queued: when it was requested. */
  startedAt: number
  isOutdated: boolean
  /** Why it has ended without data. */
  failure: Reason
  isProbe: boolean
  /** It has been counted as a hang. */
  isOverdue: boolean
  cancelTimeout: () => void
}

export interface LoadWaiter<Data> {
  /** The load has ended. Undefined: it failed, was shed or abandoned. */
  onEnd(load: Load<Data>, data: Data | undefined): void
  /** Older data was found in the store; the load continues. */
  onStaleData(load: Load<Data>, data: Data): void
}

export interface LoadOptions {
  readonly key: string
  readonly backoffKey: string
  readonly user: Subject
  readonly mode: Mode
  readonly query: string | undefined
  readonly forceReload: boolean
  /** How long the caller waits at most; undefined for a refresh without waiters. */
  readonly budgetMs: number | undefined
}

export function createLoad<Data>(
  { key, backoffKey, user, mode, query, forceReload }: LoadOptions,
  requestedAt: number,
): Load<Data> {
  return {
    key,
    backoffKey,
    user,
    mode,
    query,
    forceReload,
    waiters: new Set(),
    abort: new AbortController(),
    state: 'queued',
    startedAt: requestedAt,
    isOutdated: false,
    failure: 'failed',
    isProbe: false,
    isOverdue: false,
    cancelTimeout: () => undefined,
  }
}

/** Passes the result of a load to its waiters, which may start other loads meanwhile. */
export function notifyWaiters<Data>(load: Load<Data>, data: Data | undefined): void {
  const waiters = [...load.waiters]
  load.waiters.clear()
  for (const waiter of waiters) waiter.onEnd(load, data)
}
