export interface JournalLimits {
  /** Users whose decoded row is cached in memory. */
  readonly maxCachedUsers: number
  /** Writes decided together in one commit; the rest go into the next one. */
  readonly maxWritesPerCommit: number
  /** Queued writes of one user; one more is `store_unavailable`. */
  readonly maxQueuedWrites: number
  /** How often a write is decided when other processes keep changing the user. */
  readonly maxAttempts: number
  /** How many of these attempts are made without the store's write lock. */
  readonly attemptsBeforeLock: number
  /** How long a deferred write waits at most for another commit of its user. */
  readonly deferMs: number
  /** Deferred writes of all users; beyond, those that wait longest are committed at once. */
  readonly maxDeferredWrites: number
  /** How long the reply to an idempotency key is stored. */
  readonly replyTtlMs: number
  /** After this many stored replies, up to twice as many expired replies of all users are removed. */
  readonly repliesPerSweep: number
}

export const JOURNAL_LIMITS: JournalLimits = {
  maxCachedUsers: 10_000,
  maxWritesPerCommit: 256,
  maxQueuedWrites: 10_000,
  maxAttempts: 8,
  attemptsBeforeLock: 4,
  deferMs: 50,
  maxDeferredWrites: 256,
  replyTtlMs: 86_400_000,
  repliesPerSweep: 256,
}
