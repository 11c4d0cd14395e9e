/**
 * What answers ask of a driver: keyed rows in scopes, a number per scope that only grows, and exact sums.
 *
 * All of it can be rebuilt, so a driver may lose rows (it starts empty when its file cannot be used), but it must
 * never return a row that was not written under exactly this key and generation. Which answers may be kept, when they
 * have expired and whether a row is whole is decided in the part; the driver compares numbers.
 *
 * Failure: a method rejects with `store_unavailable`, and then nothing of that call was written.
 */
export interface AnswerStore {
  /** Path of the file the answers are in; null when they are only in memory. */
  readonly file: string | null
  /**
   * The generation of a scope: changes with every `forget` and `clear` and never returns to an earlier value.
   * Rows carry the generation they were made in; rows of another one are dead at once, and wiped by `sweep`.
   */
  generation(scope: AnswerScope): Promise<number>
  /** The row of this key in this scope, if it is of the present generation. Expired rows are returned as well. */
  get(scope: AnswerScope, key: string): Promise<AnswerRow | undefined>
  /** Rows of the present generation in the order of their keys, behind `after` (`''`: from the first). */
  page(scope: AnswerScope, page: { readonly after: string; readonly limit: number }): Promise<readonly AnswerRow[]>
  /**
   * One atomic step: writes or replaces the row unless its generation has passed (`written: false`), then makes room.
   * Expired rows go first, then the longest unused, until the namespace holds no more than `room` allows.
   */
  put(scope: AnswerScope, row: AnswerRow, room: AnswerRoom): Promise<PutOutcome>
  /** Notes later uses in one write; unknown keys and earlier uses than the noted one are ignored. */
  touch(namespace: string, uses: ReadonlyMap<string, number>): Promise<void>
  /** Deletes one row, for instance one that turned out to be torn. */
  remove(namespace: string, key: string): Promise<void>
  /** Ends the generation of a scope, in constant time. Returns how many rows died. */
  forget(scope: AnswerScope): Promise<number>
  /** Ends the generations of every scope in the namespace, in constant time. Returns how many rows died. */
  clear(namespace: string): Promise<number>
  /** Deletes dead rows and rows that expired before `now`; resumes after a crash. Fewer than `limit`: none is left. */
  sweep(namespace: string, step: { readonly now: number; readonly limit: number }): Promise<number>
  /** Rows that are not dead, at once and without waiting: from memory, as far as this process knows. */
  totals(namespace: string, now: number): AnswerTotals
}

/** Who an answer is kept for. `owner` is a keyed hash: the id itself is not in the store. */
export interface AnswerScope {
  readonly namespace: string
  /** Of a user: the same tag under which the store knows erased users. */
  readonly owner: string
}

export interface AnswerRow {
  readonly key: string
  readonly generation: number
  /** Epoch ms. */
  readonly storedAt: number
  /** Epoch ms of the last instant it may be served at; null: never expires. */
  readonly expiresAt: number | null
  /** When it was last used: a number that grows from use to use, not a date. */
  readonly used: number
  /** What the row counts for: the value and what it costs to keep it. */
  readonly bytes: number
  /** JSON. */
  readonly value: string
  /** Over everything above but `used`, and the scope. */
  readonly mac: string
}

export interface AnswerRoom {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Epoch ms, to tell what has expired. */
  readonly now: number
  /** A use that is known but not written yet; such a row is moved up instead of removed. */
  lastUse(key: string): number | undefined
}

export interface PutOutcome {
  readonly written: boolean
  /** Keys of live rows that had to make room. */
  readonly evicted: readonly string[]
}

export interface AnswerTotals {
  readonly entries: number
  readonly bytes: number
  /** Of the entries, those that have expired and are not swept yet. */
  readonly expired: number
}
