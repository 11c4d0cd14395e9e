import type { AbortOptions } from '../core/abort.ts'

/** `create`: plain lists, for making something new. `reuse`: what was done and seen lately, for going on with it. */
export type Mode = 'create' | 'reuse'

/** What the model is told about one user of the application. Frozen, and shared between equal calls. */
export interface Context {
  /** The profile, as text. */
  readonly details: string
  /** What the user did, as text; in mode `reuse` with the current time. */
  readonly actions: string
  /** Everything, ready for a model's instructions. */
  readonly text: string
  /**
   * `fresh`: every section is. `stale`: every section is there, at least one is old. `partial`: at least one is
   * missing. `default`: all are.
   */
  readonly status: 'fresh' | 'stale' | 'partial' | 'default'
  readonly sections: readonly ContextSection[]
}

export interface ContextSection {
  readonly name: string
  /** `empty`: there is nothing to tell. `unavailable`: nobody knows right now. */
  readonly status: 'fresh' | 'stale' | 'empty' | 'unavailable'
  /** When its data was read, ISO 8601 UTC; null when it is unavailable. */
  readonly loadedAt: string | null
  /** Its text without the current time. */
  readonly text: string
  /** How many items or fields were left out or shortened to keep the section within its size; the newest stay. */
  readonly cut: number
}

/** A context as a turn gets it: with a digest of everything but the current time, to key answers by. */
export type ResolvedContext = Context & { readonly digest: string }

export interface ResolveOptions {
  /** Default `'reuse'`. */
  readonly mode?: Mode | undefined
  /** How long this caller waits at most. Default `context.budgetMs`; 0 answers with what is in memory. */
  readonly budgetMs?: number | undefined
  /** Waits for data that is not older than this, as far as the budget allows. Default: what is there is good enough. */
  readonly maxAgeMs?: number | undefined
  /** IANA zone of the dates. Default: the user's, else the application's. */
  readonly timeZone?: string | undefined
  /** Only these sections. Default: all. */
  readonly sections?: readonly string[] | undefined
  /** Aborting answers at once with what there is. */
  readonly signal?: AbortSignal | undefined
  /** The answer made with it may be kept: with `clock: 'auto'` the current time is then left out. Default false. */
  readonly keep?: boolean | undefined
}

export interface UserContext {
  /** Rejects for wrong arguments (`argument_invalid`) and for nothing else, and is never later than its budget. */
  resolve(options?: ResolveOptions): Promise<ResolvedContext>
  /** What is in memory, without any I/O; undefined when there is nothing. A look is not a use: it keeps nobody there. */
  peek(options?: { readonly mode?: Mode | undefined }): ResolvedContext | undefined
  /**
   * Forgets what was loaded: here at once, in every process when it resolves. Loads that are under way still answer
   * those who wait for them, and nobody else. Rejects with `store_unavailable` when the others could not be told.
   */
  invalidate(options?: AbortOptions & { readonly section?: string | undefined }): Promise<void>
}

/** What a source gives: an object, a list of objects, text, or null for nothing. Throwing means: not available. */
export type SourceData = object | readonly object[] | string | null | undefined

export interface SourceCall {
  /** Aborted when nobody will use the answer any more. */
  readonly signal: AbortSignal
  /** The mode it is loaded for. A source that reads it is asked for each mode apart. */
  readonly mode: Mode
}

export type SourceFunction = (user: string, order: SourceCall) => SourceData | PromiseLike<SourceData>

/** `{user}` is filled in, encoded, in path, query, header values and strings of the body. Redirects are not followed. */
export interface HttpSource {
  readonly url: string
  /** Default `GET`, or `POST` with a body. */
  readonly method?: string | undefined
  /** A JSON object or list. */
  readonly body?: object | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export type Source = SourceFunction | HttpSource

/** Where and when a section is rendered. */
export interface RenderContext {
  readonly mode: Mode
  /** Epoch ms. */
  readonly now: number
  readonly timeZone: string
  /** UTF-8 bytes the text may have. */
  readonly maxBytes: number
  /** Items the text may list. */
  readonly maxItems: number
}

export interface Rendered {
  readonly text: string
  /** Default 0. */
  readonly cut?: number | undefined
  /** When the text would be another one although the data is the same, epoch ms. Default: never. */
  readonly changesAt?: number | undefined
}

/** A pure function of its arguments. Strings in `data` are neutralised: no tags, no line breaks, no hidden characters. */
export type Render = (data: never, scene: RenderContext) => string | Rendered

/** A section, or changes to the built-in ones `profile` and `actions`. */
export interface SectionOption {
  readonly source?: Source | undefined
  readonly render?: Render | undefined
  /** How long its data counts as fresh. Default `context.ttlMs`. */
  readonly ttlMs?: number | undefined
  /** How long its data may be served when nothing newer can be had. Default `context.maxStaleMs`. */
  readonly maxStaleMs?: number | undefined
  /** UTF-8 bytes of its text. Default 32 KiB for actions, 8 KiB for others. */
  readonly maxBytes?: number | undefined
  /** Items of its text. Default 500. */
  readonly maxItems?: number | undefined
  /** Actions only: names that are not told, or a function that says so. */
  readonly ignore?: readonly string[] | ((action: string) => boolean) | undefined
}
