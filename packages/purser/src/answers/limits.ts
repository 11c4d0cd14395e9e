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
  /** How long a new answer waits in memory for others that are written together with it. */
  readonly writeDelayMs: number
  /** Answers in one write. When as many wait, they are written at once. */
  readonly maxBatchRows: number
  /** Bytes of one write; a larger answer is written alone. */
  readonly maxBatchBytes: number
  /** Answers that wait to be written. One more stays in memory only; replies to an idempotency key wait in any case. */
  readonly maxWaitingRows: number
  /** Bytes of the answers that wait to be written. */
  readonly maxWaitingBytes: number
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
  writeDelayMs: 50,
  maxBatchRows: 256,
  maxBatchBytes: 4_194_304,
  maxWaitingRows: 4_096,
  maxWaitingBytes: 33_554_432,
  maxPendingTouches: 100_000,
  sweepEveryMs: 60_000,
  stepRows: 500,
}

/** Bytes of a cached answer apart from its text: key, dates, indexes. They are counted, so that the limits hold. */
export const ROW_OVERHEAD_BYTES = 1_024
