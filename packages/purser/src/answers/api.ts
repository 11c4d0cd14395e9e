import type { AbortOptions } from '../core/abort.ts'
import type { AbortSignalLike } from '../core/call-signal.ts'
import type { Subject } from '../core/subject.ts'
import type { EntryOptions } from './cache.ts'
import type { ScopeName } from './scopes.ts'
import type { CachedTurnAnswer, PeekedAnswer, PeekRequest, TurnAnswer, TurnAnswerRequest } from './turn-answers.ts'

/**
 * The cached answers of one user. `request` is any JSON value; values that are equal apart from key order are one
 * request. A failing store counts as an empty cache: only `forget`, and `clear` of all users, reject because of it.
 */
export interface UserAnswers {
  /**
   * The answer cached for exactly this request.
   *
   * @param request any JSON value
   * @returns a copy of the answer with its dates, or undefined; an empty answer (`''`, `null`, `0`) is an answer
   * @throws {PurserError} `argument_invalid` if the request is not a JSON value, `closed` after `close()`
   */
  lookup<T = unknown>(request: unknown, options?: LookupOptions): Promise<CachedResult<T> | undefined>
  /**
   * The cached answer, or a new one. Equal callers share one computation, which is aborted when all of them have left.
   * Every caller gets a copy of its own.
   *
   * @param request any JSON value
   * @param compute makes the answer; what is not JSON is passed on, but not cached
   * @returns the answer and where it came from
   * @throws {PurserError} `argument_invalid`, `closed`; otherwise whatever `compute` throws
   * @example
   * const { answer, source } = await purser
   *   .user('ada')
   *   .answers.remember({ question: 'What is 2 + 2?' }, ({ signal }) => ask('What is 2 + 2?', { signal }))
   */
  remember<T>(request: unknown, compute: Compute<T>, options?: RememberOptions<T>): Promise<RememberResult<T>>
  /** Another name for `remember`. */
  getOrSet<T>(request: unknown, compute: Compute<T>, options?: RememberOptions<T>): Promise<RememberResult<T>>
  /**
   * Removes all answers of the user: no later call in any process finds them.
   *
   * @returns the number of answers removed
   * @throws {PurserError} `store_unavailable`
   */
  forget(options?: AbortOptions): Promise<number>
  /**
   * What is stored for the user and has not expired. Answers that are shared by all users are not counted.
   *
   * @throws {PurserError} `store_unavailable`
   */
  stored(options?: AbortOptions): Promise<StoredAnswers>
}

/** How many answers of a user are stored. */
export interface StoredAnswers {
  /** At most 10,000 are counted. */
  readonly answers: number
  /** Of their text, UTF-8. */
  readonly bytes: number
  /** When the first and the last of them were stored, ISO 8601, UTC; null without any. */
  readonly oldestAt: string | null
  readonly newestAt: string | null
}

export interface LookupOptions extends AbortOptions {
  /** `'namespace'`: among the answers shared by all users of the application. Default `'user'`. */
  readonly scope?: ScopeName | undefined
}

export interface RememberOptions<T> extends LookupOptions {
  /** How long the answer is served, ms; null: for good. Default: `answers.ttlMs`. */
  readonly ttlMs?: number | null | undefined
  /** Return false to pass the answer on without caching it. Default: every answer is cached. */
  readonly keep?: ((answer: T) => boolean) | undefined
}

export type Compute<T> = (call: { readonly signal: AbortSignal }) => Promise<T> | T

export interface CachedResult<T> {
  readonly answer: T
  /** ISO 8601, UTC. */
  readonly storedAt: string
  /** ISO 8601, UTC: the last instant at which it is served; null: it never expires. */
  readonly expiresAt: string | null
}

export interface RememberResult<T> {
  readonly answer: T
  /** `joined`: computed for an equal caller at the same time. */
  readonly source: 'hit' | 'computed' | 'joined'
}

export interface AnswerStats {
  /** In the store and waiting to be written. One that replaces another counts twice until it is written. */
  readonly entries: number
  /** Entries that have not expired. */
  readonly active: number
  /** Entries that have expired and are not swept yet. */
  readonly expired: number
  /** Text of all entries plus a fixed cost for each. */
  readonly bytes: number
  /** Path of the cache file; null: memory only. */
  readonly file: string | null
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
  /** Since the start, like all below. Every lookup is exactly one of hit, miss and joined. */
  readonly hits: number
  readonly misses: number
  readonly joined: number
  /** Entries removed before they expired, because a limit was reached. */
  readonly evictions: number
  /** New answers that are in memory only, because too many were waiting to be written. */
  readonly memoryOnly: number
  /** Tokens that hits and joined turns did not pay for again, as far as providers report usage. */
  readonly savedTokens: number
  /** Failed store calls; each one made a lookup a miss or left new answers in memory only. */
  readonly failures: number
}

/** `UserAnswers` and what turns, exports and imports need. */
export interface InternalUserAnswers extends UserAnswers {
  /** Looks for the answer of a turn in memory only, before the turn is admitted. */
  peek(request: PeekRequest): PeekedAnswer
  /** Serves the answer that `peek` has found. */
  serve(cached: CachedTurnAnswer, signal: AbortSignalLike): TurnAnswer
  /** The answer of a turn: a stored one, that of an equal turn in progress, or a new one of the model. */
  getOrCall(request: TurnAnswerRequest): Promise<TurnAnswer>
  /** Everything cached for this user, for an export. */
  exportRows(): AsyncIterable<AnswerExport>
  /** Stores an answer from elsewhere with its own dates. False: it could not be stored. */
  importEntry(request: unknown, answer: unknown, entry: Partial<EntryOptions>): Promise<boolean>
}

export interface AnswerExport {
  readonly part: 'answers'
  readonly type: 'answer'
  /** When it was stored, ISO 8601, UTC. */
  readonly at: string
  readonly value: { readonly answer: unknown; readonly expiresAt: string | null }
}

/**
 * The response cache of all users.
 *
 * An answer is in memory at once and in the store within 50 ms. A crash of the process loses at most the answers of these
 * 50 ms, except those under an idempotency key, which are stored before their turn ends; last access times may be
 * `touchEveryMs` old. After a power failure the answers of the last moments may be missing, but none is torn or foreign.
 */
export interface Answers {
  of(user: Subject): InternalUserAnswers
  stats(): AnswerStats
  /** Writes the answers and the last access times that are still in memory only. */
  flush(): Promise<void>
  /** Removes all answers of the namespace. */
  clear(): Promise<void>
  /** Like `of(user).forget()`, also after the user was erased. */
  forget(user: Subject): Promise<number>
  /** Ends computations, flushes, stops background work. Later calls reject with `closed`. */
  close(): Promise<void>
}
