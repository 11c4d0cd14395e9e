/** The limits of the context that are not options. Times in ms, sizes in bytes. */
export interface ContextLimits {
  /** A load this old is given up: its signal is aborted, and the next caller begins another. */
  readonly flightAgeMs: number
  /** A load may take this long, or the budget if that is longer, before it counts as a hang. */
  readonly leastHangMs: number
  /** A call that was aborted this long ago and still has not ended no longer holds a place. */
  readonly writeOffMs: number
  /** Loads that wait for a place, per source. One more is answered with what there is. */
  readonly maxQueued: number
  /** Loads of one user that have not ended, per source: one that was given up or overtaken, and one that counts. */
  readonly maxPerUser: number
  /** The pause after a failure; doubles with each further one. */
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** Failures in a row, of whatever users, after which a source is left alone. */
  readonly failuresToOpen: number
  /** What one load may bring. */
  readonly maxSourceBytes: number
  /** Nesting of what one load brings. */
  readonly maxDepth: number
  /** Characters of one field or action name; the rest is cut. */
  readonly maxFieldCharacters: number
  /** All data and text in memory. */
  readonly maxCachedBytes: number
  /** Renderings kept per user, for other modes, zones and choices of sections. */
  readonly maxViews: number
  /** How long a load waits for the last good data before it goes on without. */
  readonly lastGoodWaitMs: number
  /** How long closing waits for last good data on its way to the store. */
  readonly closingWaitMs: number
  /** Last good data in the store, all users and sections. */
  readonly maxLastGoodRows: number
  /** Last good data on its way to the store. */
  readonly maxKeeping: number
}

export const CONTEXT_LIMITS: ContextLimits = {
  flightAgeMs: 5_000,
  leastHangMs: 1_000,
  writeOffMs: 60_000,
  maxQueued: 10_000,
  maxPerUser: 2,
  firstPauseMs: 1_000,
  longestPauseMs: 30_000,
  failuresToOpen: 5,
  maxSourceBytes: 4_194_304,
  maxDepth: 16,
  maxFieldCharacters: 500,
  maxCachedBytes: 67_108_864,
  maxViews: 8,
  lastGoodWaitMs: 50,
  closingWaitMs: 1_000,
  maxLastGoodRows: 100_000,
  maxKeeping: 256,
}
