/**
 * How profile and actions are rendered. `plain`: the fields that are set, the actions and the current time, in neutral
 * words. `create` and `reuse` are the formats of the first application. `create`: lists, for something new. `reuse`: more
 * detail, recent activity and the current time, to continue with what the user did.
 */
export type Mode = 'plain' | 'create' | 'reuse'

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
