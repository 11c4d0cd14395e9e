/** Limits of the context that are not options. */
export interface ContextLimits {
  /** An older load is abandoned: its signal is aborted, and the next caller starts a new one. */
  readonly loadTimeoutMs: number
  /** A load counts as a hang, and so as a failure, after this time or after the budget, whichever is longer. */
  readonly minHangMs: number
  /** An abandoned call that has not ended after this time no longer counts as running. */
  readonly abandonedTimeoutMs: number
  /** Loads that wait for a slot, per source. Further callers get what is in memory. */
  readonly maxQueuedLoads: number
  /** Loads of one user that have not ended, per source: an abandoned or outdated one and a current one. */
  readonly maxLoadsPerUser: number
  /** Backoff after the first failure; doubles with each further one. */
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  /** Consecutive failures, of any users, that open the circuit breaker of a source. */
  readonly failureThreshold: number
  /** Data of one load. */
  readonly maxSourceBytes: number
  /** Nesting of the data of one load, levels. */
  readonly maxSourceDepth: number
  /** Of one field or action name; longer ones are shortened. */
  readonly maxFieldCharacters: number
  /** All data and text in memory. */
  readonly maxCachedBytes: number
  /** Sessions of one user whose frozen sections and last prefix are in memory. */
  readonly maxSessionsPerUser: number
  /** Frozen sections in memory, of all users. */
  readonly maxFrozenBytes: number
  /** Earlier contexts in memory, of all users. */
  readonly maxHistoryBytes: number
  /** Cached renderings of one user for other modes, time zones and choices of sections. */
  readonly maxRenderings: number
  /** How long a load waits for the last good data before it continues without. */
  readonly lastGoodTimeoutMs: number
  /** How long closing waits for pending writes of last good data. */
  readonly closeTimeoutMs: number
  /** Last good data in the store, of all users and sections. */
  readonly maxLastGoodRows: number
  /** Pending writes of last good data; further ones are skipped. */
  readonly maxPendingWrites: number
}

export const CONTEXT_LIMITS: ContextLimits = {
  loadTimeoutMs: 5_000,
  minHangMs: 1_000,
  abandonedTimeoutMs: 60_000,
  maxQueuedLoads: 10_000,
  maxLoadsPerUser: 2,
  minBackoffMs: 1_000,
  maxBackoffMs: 30_000,
  failureThreshold: 5,
  maxSourceBytes: 4_194_304,
  maxSourceDepth: 16,
  maxFieldCharacters: 500,
  maxCachedBytes: 67_108_864,
  maxSessionsPerUser: 16,
  maxFrozenBytes: 33_554_432,
  maxHistoryBytes: 16_777_216,
  maxRenderings: 8,
  lastGoodTimeoutMs: 50,
  closeTimeoutMs: 1_000,
  maxLastGoodRows: 100_000,
  maxPendingWrites: 256,
}
