/** Internal bounds that protect the process; they are not options. */
export interface AnswerLimits {
  /** The largest answer that is cached, and the most of one answer that is buffered for readers that share it, bytes. */
  readonly maxAnswerBytes: number
  /** Answers in memory in front of the store, bytes. */
  readonly memoryBytes: number
  /** Users whose scope is cached. */
  readonly maxScopes: number
  /** How long a generation is used before it is read again; another process may have changed it. */
  readonly scopeFreshMs: number
  /** Accesses that wait to be written; beyond this they are written at once. */
  readonly maxPendingTouches: number
  /** How often expired and forgotten answers are swept, ms. */
  readonly sweepEveryMs: number
  /** Rows per sweep or access write; the event loop runs in between. */
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

/** Bytes of a cached answer apart from its text: key, dates, indexes. They are counted, so that the limits hold. */
export const ROW_OVERHEAD_BYTES = 1_024
