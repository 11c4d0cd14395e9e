/** Bounds that are no options: they protect the process, and nobody has had reason to turn them yet. */
export interface AnswerLimits {
  /** The largest answer that is kept, and the most of one answer that is held for readers who share it, bytes. */
  readonly maxAnswerBytes: number
  /** Answers held in memory before the store, bytes. */
  readonly memoryBytes: number
  /** Users whose scope is remembered. */
  readonly maxScopes: number
  /** For how long a scope that another process may have forgotten is believed, ms. */
  readonly scopeFreshMs: number
  /** Uses that wait to be written; more are written at once. */
  readonly maxPendingTouches: number
  /** How often expired and forgotten answers are swept, ms. */
  readonly sweepEveryMs: number
  /** Rows of one sweeping or touching step; the event loop is free between two. */
  readonly stepRows: number
}

export const ANSWER_LIMITS: AnswerLimits = {
  maxAnswerBytes: 4_194_304,
  memoryBytes: 67_108_864,
  maxScopes: 10_000,
  scopeFreshMs: 1_000,
  maxPendingTouches: 100_000,
  sweepEveryMs: 60_000,
  stepRows: 500,
}

/** What a kept answer costs beside its text: key, sums, indexes. Counted with it, so that caps mean what is used. */
export const ROW_OVERHEAD_BYTES = 1_024
