import type { AbortOptions } from '../core/abort.ts'
import type { AbortSignalLike } from '../core/call-signal.ts'
import type { Mode } from '../options/context-section.ts'

/** Data about one user, rendered as text for a model. Deeply frozen, and shared between equal calls. */
export interface Context {
  /** Text of the section `profile`; in mode `plain` empty without data. */
  readonly details: string
  /** Text of the section `actions`; in mode `plain` empty without data, in mode `reuse` with the current time. */
  readonly actions: string
  /** All sections, ready for a model's instructions. */
  readonly text: string
  /**
   * `fresh`: all sections are fresh or empty. `stale`: all sections are available, at least one is stale. `partial`: at
   * least one is unavailable. `default`: all are.
   */
  readonly status: 'fresh' | 'stale' | 'partial' | 'default'
  /**
   * Digest of the user and of the start of `text` that changes least: all of it but the newest actions and the current
   * time. Turns with equal digests can share a provider's prompt cache.
   */
  readonly prefixHash: string
  /** Estimated tokens of `text`; never more than `maxTokens`. */
  readonly tokens: number
  /** In the configured order: `profile`, `actions`, then the application's own. */
  readonly sections: readonly ContextSection[]
}

export interface ContextSection {
  readonly name: string
  /** `stale`: older than its `ttlMs`. `empty`: the source has no data. `unavailable`: the source could not be read. */
  readonly status: 'fresh' | 'stale' | 'empty' | 'unavailable'
  /** Why it is stale or unavailable; null if it is neither. */
  readonly reason: Reason | null
  /** When its data was loaded, ISO 8601 UTC; null if it is unavailable. */
  readonly loadedAt: string | null
  /** Its text, without the current time. */
  readonly text: string
  /** Estimated tokens of the text. */
  readonly tokens: number
  /**
   * Items or fields that were omitted or shortened to keep the section and the whole within their sizes; the newest items
   * stay. At least 1 for a section that was omitted.
   */
  readonly cut: number
}

/**
 * Why a section is stale or unavailable. `refreshing`: newer data is being loaded. `timeout`: the source has not answered
 * within the budget. `queued`: its load has waited for a slot until the budget ended. `failed`: the source failed.
 * `backoff`: it failed for this user shortly before and is not called again yet. `breaker_open`: it fails for all users.
 * `overloaded`: too many loads wait. `render_failed`: its renderer threw. `aborted`: the caller aborted. `not_loaded`:
 * `peek` loads nothing. `closed`: Purser is closing. `disabled`: the person's context is switched off. `consent_unknown`:
 * whether it is could not be read, so that nothing is sent.
 */
export type Reason =
  | 'refreshing'
  | 'timeout'
  | 'queued'
  | 'failed'
  | 'backoff'
  | 'breaker_open'
  | 'overloaded'
  | 'render_failed'
  | 'aborted'
  | 'not_loaded'
  | 'closed'
  | 'disabled'
  | 'consent_unknown'

/** A context with a digest of all its text but the current time, used in keys of answers. */
export type ResolvedContext = Context & { readonly digest: string }

export interface ResolveOptions {
  /** Default: the option `context.mode`, `'plain'`. */
  readonly mode?: Mode | undefined
  /**
   * How long this call waits at most, ms; null: until everything is loaded. 0 waits for nothing and returns what is in
   * memory. Default `context.budgetMs`.
   */
  readonly budgetMs?: number | null | undefined
  /** Limit of the whole text, estimated tokens; null: none. Default `context.maxTokens`. */
  readonly maxTokens?: number | null | undefined
  /** Waits, within the budget, for data that is not older than this, ms. Default, and null: any data in memory will do. */
  readonly maxAgeMs?: number | null | undefined
  /** IANA zone of all dates. Default: the user's, else the application's. */
  readonly timeZone?: string | undefined
  /** Id of the session whose frozen sections are used; see `SectionOption.stability`. Default: none. */
  readonly session?: string | undefined
  /** Names of the sections to include. Default: all. */
  readonly sections?: readonly string[] | undefined
  /** What the user wrote last, for sources with `needs: 'query'`; the first 400 characters. Default: none. */
  readonly query?: string | undefined
  /** Aborting returns at once what is in memory. */
  readonly signal?: AbortSignalLike | undefined
  /** The answer made with this context may be cached: with `clock: 'auto'` the current time is omitted. Default false. */
  readonly keep?: boolean | undefined
}

/** A context with its receipt. */
export type Explanation = Omit<Context, 'sections'> & {
  readonly sections: readonly ExplainedSection[]
  /** Whether the person's context may be used; null if that could not be read. */
  readonly enabled: boolean | null
  /** What an equal call gave a minute ago or longer; null if none is in memory. */
  readonly previous: { readonly at: string; readonly text: string; readonly prefixHash: string } | null
}

export type ExplainedSection = Omit<ContextSection, 'reason'> & {
  /** `store`: Purser's own. */
  readonly source: 'store' | 'function' | 'http'
  /** Age of its data, ms; null if it is unavailable. */
  readonly ageMs: number | null
  /** Whether it has text. */
  readonly kept: boolean
  readonly reason: ExplainedReason
  readonly previous: (Pick<ContextSection, 'status' | 'tokens' | 'text'> & { readonly at: string }) | null
}

/**
 * Why a section is as it is. `complete`: all of its data. `frozen`: the same, as of the start of the session or the day.
 * `own_limit`, `token_budget`: cut by its own limits or by the budget of the whole. `empty`: no data. `no_query`: its
 * source needs a query, and there was none. Otherwise why it is stale or unavailable.
 */
export type ExplainedReason = Reason | 'complete' | 'frozen' | 'own_limit' | 'token_budget' | 'empty' | 'no_query'

/** Loads and renders data about this user for a model. */
export interface UserContext {
  /**
   * Loads and renders the context within the budget. Data in memory is returned at once and refreshed in the background.
   * A section that could not be loaded in time is `stale` or `unavailable`, and its load continues for the next call.
   *
   * @returns The context. It never rejects because of a source, a deadline or an abort.
   * @throws {PurserError} `argument_invalid`
   * @example
   * const { text, status } = await purser.user('ada').context.resolve({ budgetMs: 500 })
   */
  resolve(options?: ResolveOptions): Promise<ResolvedContext>
  /**
   * Resolves the context like `resolve`, with a receipt: for each section where it came from, its age, why it was kept or
   * cut, and what an equal call gave a minute ago or longer, as far as that is in memory.
   *
   * @throws {PurserError} `argument_invalid`
   * @example
   * const { sections } = await purser.user('ada').context.explain()
   * for (const { name, source, ageMs, tokens, kept, reason } of sections) console.log(name, source, ageMs, tokens, kept, reason)
   */
  explain(options?: ResolveOptions): Promise<Explanation>
  /**
   * Returns the context in memory, without I/O. It does not count as a use: the user is evicted as early as without it.
   *
   * @returns Undefined if no section of the user is in memory.
   * @throws {PurserError} `argument_invalid`
   */
  peek(options?: { readonly mode?: Mode | undefined }): ResolvedContext | undefined
  /**
   * Switches the person's context off or on, for all calls that begin after it has resolved. While it is off, no source
   * is called and nothing is sent: the text is empty, and all sections are unavailable with the reason `disabled`.
   *
   * @param options.actor Who switched it, recorded with the date. Default `'app'`.
   * @throws {PurserError} `argument_invalid`, `user_erased`, `store_unavailable`
   */
  setEnabled(enabled: boolean, options?: ConsentOptions): Promise<void>
  /**
   * Drops loaded data: in this process at once, in all processes when it resolves. Unfinished loads still answer the
   * calls that wait for them, and no later ones.
   *
   * @param options.section Only this section. Default: all.
   * @throws {PurserError} `argument_invalid`, `option_unknown`; `store_unavailable` if other processes could not be notified.
   */
  invalidate(options?: AbortOptions & { readonly section?: string | undefined }): Promise<void>
}

export interface ConsentOptions extends AbortOptions {
  readonly actor?: string | undefined
}

/** What the prefix of a turn is, compared with the one before in the same session. */
export type PrefixChange = 'first' | 'same' | 'changed'

/** The context of one user, as a turn uses it. */
export interface InternalUserContext extends UserContext {
  /** What `resolve` would return at once, without a promise. Undefined if it has to load or to render, or is not valid. */
  getWarm(options: ResolveOptions): ResolvedContext | undefined
  /** Whether a section gets the query. */
  readonly needsQuery: boolean
  /** Remembers the prefix of a turn. Turns without a session are compared with each other. */
  comparePrefix(session: string | undefined, prefixHash: string): PrefixChange
}
