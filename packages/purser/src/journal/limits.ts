export interface JournalLimits {
  /** Users whose decoded row is kept in memory. */
  readonly maxCached: number
  /** Writes decided together in one commit; the others wait for the next. */
  readonly maxWritesPerCommit: number
  /** Writes of one user that may wait; one more is `store_unavailable`. */
  readonly maxWaiting: number
  /** How often a write is decided that loses to other processes. */
  readonly maxAttempts: number
  /** How many of these attempts are made before others are kept from writing meanwhile. */
  readonly politeAttempts: number
  /** How long the answer to an idempotency key is kept. */
  readonly replyTtlMs: number
  /** After so many kept answers, twice as many expired ones are removed, of whatever users. */
  readonly repliesPerSweep: number
}

export const JOURNAL_LIMITS: JournalLimits = {
  maxCached: 10_000,
  maxWritesPerCommit: 256,
  maxWaiting: 10_000,
  maxAttempts: 8,
  politeAttempts: 4,
  replyTtlMs: 86_400_000,
  repliesPerSweep: 256,
}
