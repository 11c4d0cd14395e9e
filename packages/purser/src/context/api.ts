import type { AbortOptions } from '../core/abort.ts'
import type { AbortSignalLike } from '../core/call-signal.ts'

/**
 * How profile and actions are rendered. `plain`: the fields that are set, the actions and the current time, in neutral
 * words. `create` and `reuse` are the formats of the first application. `create`: lists, for something new. `reuse`: more
 * detail, recent activity and the current time, to continue with what the user did.
 */
export type Mode = 'plain' | 'create' | 'reuse'

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
  /** How long this call waits at most, ms. 0 waits for nothing and returns what is in memory. Default `context.budgetMs`. */
  readonly budgetMs?: number | undefined
  /** Limit of the whole text, estimated tokens. Default `context.maxTokens`. */
  readonly maxTokens?: number | undefined
  /** Waits, within the budget, for data that is not older than this, ms. Default: any data in memory will do. */
  readonly maxAgeMs?: number | undefined
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

/** Data of a section: an object, a list of objects, text, or null for no data. */
export type SourceData = object | readonly object[] | string | null | undefined

export interface SourceOptions {
  /** Aborted when the result will not be used any more. */
  readonly signal: AbortSignal
  /** The mode of the caller. A source that reads it is called for each mode separately. */
  readonly mode: Mode
  /** With `needs: 'query'`: what the user wrote last, at most 400 characters. */
  readonly query?: string | undefined
}

/**
 * Loads the data of a section. A rejection or exception means that it is unavailable.
 *
 * @param user The user id.
 */
export type SourceFunction = (user: string, options: SourceOptions) => SourceData | PromiseLike<SourceData>

/**
 * A service that is called for the data of a section. `{user}` in path, query, header values and strings of the body is
 * replaced by the encoded user id, with `needs: 'query'` also `{query}` by what the user wrote last. Redirects are not
 * followed.
 */
export interface HttpSource {
  /** An http or https URL without `{user}` in its origin. */
  readonly url: string
  /** `GET`, `POST`, `PUT` or `PATCH`. Default `GET`, or `POST` with a body. */
  readonly method?: string | undefined
  /** A JSON object or list. */
  readonly body?: object | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Path to the data in the answer, such as `'results'` or `'data.items'`. Default: the whole answer. */
  readonly select?: string | undefined
  /** As in `SectionOption`, for a source that is the whole option. */
  readonly needs?: 'query' | undefined
}

export type Source = SourceFunction | HttpSource

/** The conditions under which a section is rendered. */
export interface RenderContext {
  readonly mode: Mode
  /** Epoch ms. */
  readonly now: number
  /** IANA zone of all dates. */
  readonly timeZone: string
  /** Limit of the text, UTF-8 bytes. Longer text is truncated. */
  readonly maxBytes: number
  /** Limit of the text, estimated tokens. Longer text is truncated. */
  readonly maxTokens: number
  /** Limit of the items in the text. */
  readonly maxItems: number
}

export interface Rendered {
  readonly text: string
  /** Items that were omitted. Default 0. */
  readonly cut?: number | undefined
  /** When the same data will give another text, epoch ms. Default: never. */
  readonly changesAt?: number | undefined
}

/**
 * Renders the data of a section. Must be a pure function of its arguments.
 *
 * @param data A frozen copy of what the source returned. Its strings are sanitized: no tags, no line breaks, no hidden
 * characters.
 */
export type Render = (data: never, context: RenderContext) => string | Rendered

export type Stability = 'session' | 'day' | 'turn'

/** A section of the application, or changes to the built-in sections `profile` and `actions`. */
export interface SectionOption {
  /** Default for `profile` and `actions`: `context.sources`, else Purser's own store. Other sections need one. */
  readonly source?: Source | undefined
  /**
   * A function, or a text with placeholders: `{name}` is the field of that name, `{text}` is data that is a text. A line
   * without a value for one of its placeholders is omitted; for a list, the text is filled once for each item. Default:
   * the built-in template of profile and actions, else a list of the data.
   */
  readonly render?: Render | string | undefined
  /** How long its data is fresh, ms. Default `context.ttlMs`. */
  readonly ttlMs?: number | undefined
  /** How long `null` and other empty data is fresh, ms: a source without data of a user is not asked again. Default `ttlMs`. */
  readonly emptyTtlMs?: number | undefined
  /** How long a call waits for this section at most, ms. Default: the budget of the call. */
  readonly budgetMs?: number | undefined
  /**
   * `'query'`: the source gets what the user wrote last, and its data belongs to that text. Without a text it is not
   * called, and the section is empty. It stands behind the actions.
   */
  readonly needs?: 'query' | undefined
  /** How long its data may be used while newer data cannot be loaded, ms. Default `context.maxStaleMs`. */
  readonly maxStaleMs?: number | undefined
  /** Limit of its text, UTF-8 bytes; at least 1,024. Default 32 KiB for actions, 8 KiB for others. */
  readonly maxBytes?: number | undefined
  /** Limit of its text, estimated tokens. Default: only that of the whole. */
  readonly maxTokens?: number | undefined
  /**
   * Sections with a higher number stay longer when the whole exceeds `context.maxTokens`; of equal ones, the earlier.
   * Default 0, for actions -1: the oldest actions are cut first.
   */
  readonly priority?: number | undefined
  /**
   * How long the section stays as it was first loaded: for a `session`, for a `day` of the user, or only for a `turn`. It
   * is frozen with data, never empty or stale, and only until `context.invalidate`. What changes least stands first in the
   * text. Without a session, `session` means `turn`. Default `'turn'`.
   */
  readonly stability?: Stability | undefined
  /** Limit of the items in its text. Default 500. */
  readonly maxItems?: number | undefined
  /**
   * Actions only: names to omit, or a function that returns whether to omit a name. Default: in the modes `reuse` and
   * `create`, names of processing steps of the first application.
   */
  readonly ignore?: readonly string[] | ((action: string) => boolean) | undefined
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
