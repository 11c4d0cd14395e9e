/**
 * The part of a store for the response cache: keyed rows in scopes, a generation number per scope that only grows, and
 * totals.
 *
 * All of it is rebuildable: a driver may lose rows (it starts empty when its file cannot be used), but it must never
 * return a row that was not written under exactly this key and generation. The answers module decides which answers are
 * cached, when they have expired and whether a row is intact; the driver compares numbers. New rows arrive in batches, and
 * no caller of the cache waits for them unless it asked for that.
 *
 * Failure: a method rejects with `store_unavailable`; nothing of that call was written then.
 */
export interface AnswerStore {
  /** Path of the file that holds the answers; null when they are in memory only. */
  readonly file: string | null
  /**
   * The generation of a scope: changes with every `forget` and `clear` and never returns to an earlier value. Rows carry
   * the generation they were written in; rows of an earlier one are dead at once, and deleted by `sweep`. A driver that
   * reads without waiting returns it at once.
   */
  generation(scope: AnswerScope): number | Promise<number>
  /** The row of this key in this scope, if it is of the current generation. Expired rows are returned as well. */
  get(scope: AnswerScope, key: string): Promise<AnswerRow | undefined>
  /** Rows of the current generation in the order of their keys, after `after` (`''`: from the first). */
  page(scope: AnswerScope, page: { readonly after: string; readonly limit: number }): Promise<readonly AnswerRow[]>
  /**
   * One atomic step: inserts or replaces the rows, except those whose generation has ended, then evicts. Expired rows are
   * evicted first, then the oldest ones that were not used, until the namespace is within the limits of the batch.
   */
  put(batch: AnswerBatch): Promise<PutOutcome>
  /**
   * Marks rows as used; unknown keys are ignored. A used row is not evicted when its turn comes: it loses the mark and
   * counts as the newest row.
   */
  touch(namespace: string, uses: readonly AnswerUse[]): Promise<void>
  /** Deletes one row, for example one that turned out to be torn. */
  remove(scope: AnswerScope, key: string): Promise<void>
  /** Ends the generation of a scope. Resolves to the number of rows that died. */
  forget(scope: AnswerScope): Promise<number>
  /** Ends the generations of all scopes in the namespace. Resolves to the number of rows that died. */
  clear(namespace: string): Promise<number>
  /**
   * Deletes dead rows and rows that expired before `now`, at most `limit`; resumes after a crash. Resolves to the number
   * deleted: fewer than `limit` means that none is left.
   */
  sweep(namespace: string, step: { readonly now: number; readonly limit: number }): Promise<number>
  /** Totals of the rows that are not dead; synchronous, so from memory, as far as this process knows. */
  totals(namespace: string, now: number): AnswerTotals
}

/** The owner of an answer. `owner` is a keyed hash: the user id itself is not stored. */
export interface AnswerScope {
  readonly namespace: string
  /** Of a user: the same tag under which the store knows erased users. */
  readonly owner: string
}

/** A row that is to be written. */
export interface NewAnswer {
  readonly owner: string
  /** A hash that covers the scope, so that one key is used in one scope only. */
  readonly key: string
  readonly generation: number
  /** Epoch ms. */
  readonly storedAt: number
  /** The last instant at which the row may be served, epoch ms; null: never expires. */
  readonly expiresAt: number | null
  /** What the row counts towards `maxBytes`: the value and the overhead of storing it. */
  readonly bytes: number
  /** JSON. */
  readonly value: string
}

/** A stored row. */
export interface AnswerRow extends Omit<NewAnswer, 'owner'> {
  /** Made by the driver when it writes the row, with `createAnswerMac`. */
  readonly mac: string
}

export interface AnswerBatch {
  readonly namespace: string
  /** At most one row of each key. */
  readonly rows: readonly NewAnswer[]
  readonly limits: AnswerLimits
  /** The key of `createAnswerMac`: a driver with a thread of its own makes the MACs there. */
  readonly macKey: Uint8Array
}

/** The limits of a namespace. */
export interface AnswerLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Epoch ms; rows that expired before are evicted first. */
  readonly now: number
}

export interface PutOutcome {
  /** Indexes of the rows that were not written, because their generation has ended. */
  readonly refused: readonly number[]
  /** Keys of the live rows that were evicted. */
  readonly evicted: readonly string[]
}

export interface AnswerUse {
  readonly owner: string
  readonly key: string
}

export interface AnswerTotals {
  readonly entries: number
  readonly bytes: number
  /** Of the entries, those that have expired and are not swept yet. */
  readonly expired: number
}
