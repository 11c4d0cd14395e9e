import type { Effects } from './core/effects.ts'
import { expandEnv } from './core/env.ts'
import type { SectionOption, Source } from './options/context-section.ts'
import type { ProviderConfig } from './options/provider-config.ts'
import type { SettingsPatch } from './options/settings-patch.ts'
import {
  choice,
  defaultsOf,
  duration,
  flag,
  group,
  integer,
  isEffects,
  isNamespace,
  isSecretKey,
  isStoreOption,
  isTimeZone,
  labels,
  limit,
  list,
  type OptionSpec,
  type OptionSpecs,
  object,
  text,
  validateAgainst,
  withDefaults,
} from './options-schema.ts'
import type { Store } from './storage/store.ts'
import { STORE_URL, STORE_URL_FORMS } from './storage/store-url.ts'

/** Options of `openPurser`. Durations are milliseconds, sizes bytes; `null` means no limit. */
export interface PurserOptions {
  /** `'memory:'`, `'sqlite:PATH'`, `'postgres://…'`, `'redis://…'`, or a store object. */
  store?: string | Store | undefined
  /** A URL as for `store`: only answers and last good contexts are stored there. Every instance may have its own. */
  cacheStore?: string | undefined
  /** One application or tenant; part of every key. */
  namespace?: string | undefined
  /** 32 bytes in base64, or `{ current, previous }` while it changes. With SQLite a key file of mode 0600 by default. */
  secretKey?: string | { current: string; previous?: string[] | undefined } | undefined
  /** The IANA zone of users without one of their own, for caps and prompts alike. */
  timeZone?: string | undefined
  /** Model providers by name. */
  providers?: Record<string, ProviderOption> | undefined
  /** MCP servers by name. */
  mcpServers?: Record<string, McpServerOption> | undefined
  /** Settings patches by tag, to be assigned to users or used for single turns. */
  presets?: Record<string, SettingsPatch> | undefined
  /** Named sets of limits and runtime settings, to be assigned to users. */
  plans?: Record<string, PlanConfig> | undefined
  /** Prices of models, by `provider/model` or a glob; an exact name comes first, then globs in their order. */
  prices?: Record<string, ModelPrice> | undefined
  /** Currency of prices and costs, as it is shown. */
  currency?: string | undefined
  runtime?: OptionInput<RuntimeOptions> | undefined
  context?: OptionInput<ContextOptions> | undefined
  ledger?: LedgerOptionInput | undefined
  answers?: OptionInput<AnswerOptions> | undefined
  /** Clocks, ids and timers, replaced in tests. */
  effects?: Partial<Effects> | undefined
}

/** A group of options as the caller passes it: absent options have their default, and `null` waives a limit. */
export type OptionInput<Options> = {
  [Name in keyof Options]?: Options[Name] | (Options[Name] extends number ? null : never) | undefined
}

export type LedgerOptionInput = Omit<OptionInput<LedgerOptions>, 'hold' | 'keepTurns' | 'plan'> & {
  plan?: string | undefined
  hold?: Partial<HoldOptions> | undefined
  keepTurns?: Partial<KeepTurnsOptions> | undefined
}

/** A provider as configured, or a function from a user's credentials to an AI SDK provider. */
export type ProviderOption = ProviderConfig | ((credentials: Readonly<Record<string, string>>) => LanguageModelSource)

/** What Purser uses of an AI SDK provider. */
export interface LanguageModelSource {
  languageModel(modelId: string): unknown
}

export type McpServerOption =
  | { url: string; headers?: Record<string, string> | undefined; oauth?: McpOAuthOption | undefined }
  | { command: string; args?: string[] | undefined; env?: Record<string, string> | undefined }

/** How each user authorizes this application at an MCP server. */
export interface McpOAuthOption {
  /** The page of your application that the authorization server redirects to; it calls `completeMcp`. */
  redirectUrl: string
  /** The application's client id. Without one the application registers itself. */
  clientId?: string | undefined
  /** Needs `issuer`; otherwise the MCP server could choose who receives it. */
  clientSecret?: string | undefined
  /** Requested scopes. Default: what the MCP server asks for. */
  scopes?: string[] | undefined
  /** The only authorization server that is used. Default: the one the MCP server names, on the public internet. */
  issuer?: string | undefined
}

export interface RuntimeOptions {
  /** Settings of users without settings of their own. */
  defaults: SettingsPatch
  /** A runtime without a lease for this long is evicted. */
  idleMs: number
  /** An MCP client that is not used for this long is closed. */
  mcpIdleMs: number
  /** A lease older than this is revoked by the next sweep, in use or not. */
  maxLeaseMs: number
  /** How often idle runtimes and overdue leases are looked for. */
  sweepMs: number
  /** Live runtimes; at the limit the least recently used one is evicted, or `runtime_busy` is thrown. */
  maxLive: number
  /** MCP servers that run as child processes, of all users together. */
  maxMcpProcesses: number
  /** Bytes of one JSON answer of a model provider, and of one event of a streamed answer; a longer one is cut. */
  maxResponseBytes: number
}

export interface ContextOptions {
  /** How profile and actions are rendered: `plain` is neutral, `reuse` and `create` are formats of the first application. */
  mode: 'plain' | 'reuse' | 'create'
  /** Estimated tokens of the whole context; beyond it the oldest actions are cut, then the sections of lowest priority. */
  maxTokens: number
  /** The longest that a caller of `resolve` waits. */
  budgetMs: number
  /** How long loaded data counts as fresh. */
  ttlMs: number
  /** How long loaded data may be served when nothing newer is available. */
  maxStaleMs: number
  /** Users whose data is cached in memory. */
  maxUsers: number
  /** Loads that run at the same time, per source. */
  maxConcurrentLoads: number
  /** Loads that were abandoned after a timeout but have not ended, per source. */
  maxAbandonedLoads: number
  /** Precision of the current time in the context; `auto`: minutes, but off in turns whose answers may be cached. */
  clock: 'minute' | 'second' | 'off' | 'auto'
  /** Sources of `profile` and `actions`; by default Purser's own store. */
  sources: { profile?: Source | undefined; actions?: Source | undefined }
  /** Further sections beside profile and actions. */
  sections: Record<string, SectionOption | Source>
}

export interface LedgerOptions {
  /** Turns a user may take per window; 0 is unlimited. */
  dailyCap: number
  /** `day`: the user's calendar day. `rolling24h`: the last 24 hours. */
  window: 'day' | 'rolling24h'
  /** Limits of all users beside `dailyCap`, decided in this order. */
  limits: readonly Limit[]
  /** The plan of users without one of their own; undefined: none. */
  plan: string | undefined
  hold: HoldOptions
  /** While the store fails: `refuse` rejects admissions with `store_unavailable`; `admit` allows and records them later. */
  onStoreFailure: 'refuse' | 'admit'
  keepTurns: KeepTurnsOptions
  /** Events stored per user; null stores all. */
  keepEvents: number | null
  /** Declared phases, the default one first; undefined: any text is valid. */
  phases: readonly string[] | undefined
  /** Declared risk levels in rising order, the default one first; undefined: any text is valid. */
  riskLevels: readonly string[] | undefined
}

/** How long records of turns are stored; sums of usage are stored for 400 days. */
export interface KeepTurnsOptions {
  /** Older records are removed, in the background. Null: no limit. */
  maxAgeMs: number | null
  /** Records of one user; more remove the oldest. Null: no limit. */
  maxPerUser: number | null
}

/** What is held for a turn in progress, until its usage is known. */
export interface HoldOptions {
  /** Output tokens of a request without a maximum. */
  outputTokens: number
  /** Output tokens at most, of a request with a higher maximum. */
  maxOutputTokens: number
  /** Released after this time, unless the process that runs the turn renews it. */
  leaseMs: number
}

/** A limit on what a user may use, as a named rule. */
export interface Limit {
  /** Letters, digits and `. _ - : /`, at most 64. A plan replaces a rule by its name. */
  name: string
  measure: LimitMeasure
  /** Null: no limit, 0 allows nothing. Of `cost` decimal text in the configured currency, such as `'2.50'`. */
  max: number | string | null
  /** `observe`: counts and reports what it would refuse. Default `'enforce'`. */
  mode?: 'enforce' | 'observe' | undefined
  /** Needed, but with `concurrent`, which has none. */
  window?: LimitWindow | undefined
  /** Of `week`. Default `'monday'`. */
  weekStart?: 'monday' | 'sunday' | undefined
  /** Globs on the effective `provider/model`, in which `*` is any text. Default: all turns. */
  models?: readonly string[] | undefined
  /** Parts of `max` at which `limit_threshold` is recorded, such as `[0.8, 1]`. Default none. */
  alertAt?: readonly number[] | undefined
  /** `'refuse'`, or the model to continue with. Default `'refuse'`. */
  onLimit?: 'refuse' | { provider?: string | undefined; model: string } | undefined
}

/**
 * `'day'`, `'week'` or `'month'` of the user's zone, `'total'`, a length from first use such as `'5h'`, or
 * `'sliding:1h'`; of `daily` also `'rolling24h'`. Lengths are 1 minute to 30 days.
 */
export type LimitWindow = 'day' | 'week' | 'month' | 'total' | WindowLength | `sliding:${WindowLength}` | 'rolling24h'
type WindowLength = `${number}${'m' | 'h' | 'd'}`

export type LimitMeasure = 'turns' | 'tokens' | 'inputTokens' | 'outputTokens' | 'cost' | 'toolCalls' | 'concurrent'

/** A named set of limits and runtime settings that is assigned to users. */
export interface PlanConfig {
  /** The plan whose limits and settings this one inherits. */
  extends?: string | undefined
  limits?: Limit[] | undefined
  /** A settings patch. */
  runtime?: SettingsPatch | undefined
}

/** Prices of a model as decimal text: per million tokens, and per request. */
export interface ModelPrice {
  input: string
  output: string
  /** Of input tokens that the provider had cached. Default: `input`. */
  cachedInput?: string | undefined
  /** Of input tokens that the provider wrote to its cache. Default: `input`. */
  cacheWrite?: string | undefined
  /** Of one request. Default: 0. */
  request?: string | undefined
}

export interface AnswerOptions {
  /** Whether turns look up and cache answers. */
  enabled: boolean
  /** How long an answer is served; a hit does not extend it. */
  ttlMs: number
  /** Cached answers of all users; beyond it the oldest ones that were not used are evicted. */
  maxEntries: number
  /** Bytes of all cached answers; beyond it the oldest ones that were not used are evicted. */
  maxBytes: number
  /** An entry's last access is written at most this often. */
  touchEveryMs: number
}

const DAY_MS = 86_400_000

const RUNTIME: OptionSpecs<RuntimeOptions> = {
  defaults: object({}),
  idleMs: duration(DAY_MS),
  mcpIdleMs: duration(900_000),
  maxLeaseMs: duration(DAY_MS),
  sweepMs: duration(300_000),
  maxLive: limit(10_000, { min: 1 }),
  maxMcpProcesses: limit(32, { min: 0 }),
  maxResponseBytes: limit(33_554_432, { min: 1 }),
}

const CONTEXT: OptionSpecs<ContextOptions> = {
  mode: choice('plain', ['plain', 'reuse', 'create']),
  maxTokens: limit(4_000, { min: 0 }),
  budgetMs: duration(1_500),
  ttlMs: duration(30_000),
  maxStaleMs: duration(DAY_MS),
  maxUsers: limit(10_000, { min: 1 }),
  maxConcurrentLoads: limit(32, { min: 1 }),
  maxAbandonedLoads: limit(32, { min: 0 }),
  clock: choice('auto', ['minute', 'second', 'off', 'auto']),
  sources: object({}),
  sections: object({}),
}

const HOLD: OptionSpecs<HoldOptions> = {
  outputTokens: integer(512, { min: 1 }),
  maxOutputTokens: integer(8_192, { min: 1 }),
  leaseMs: integer(60_000, { min: 1_000, max: DAY_MS }),
}

const KEEP_TURNS: OptionSpecs<KeepTurnsOptions> = {
  maxAgeMs: limit<number | null>(30 * DAY_MS, { min: 1, unlimited: null }),
  maxPerUser: limit<number | null>(1_000, { min: 1, unlimited: null }),
}

const LEDGER: OptionSpecs<LedgerOptions> = {
  dailyCap: limit(0, { min: 0, unlimited: 0 }),
  window: choice('day', ['day', 'rolling24h']),
  limits: list<Limit>("Example: [{ name: 'tokens', measure: 'tokens', max: 100_000, window: 'day' }]."),
  plan: text<string | undefined>(undefined, {
    expected: 'the name of a plan',
    isValid: (value) => typeof value === 'string' && value !== '',
  }),
  hold: group(HOLD),
  onStoreFailure: choice('refuse', ['refuse', 'admit']),
  keepTurns: group(KEEP_TURNS),
  keepEvents: limit<null>(null, { min: 1, unlimited: null }),
  phases: labels(),
  riskLevels: labels(),
}

const ANSWERS: OptionSpecs<AnswerOptions> = {
  enabled: flag(false),
  ttlMs: duration(7 * DAY_MS),
  maxEntries: limit(10_000, { min: 1 }),
  maxBytes: limit(268_435_456, { min: 1 }),
  touchEveryMs: duration(30_000),
}

/** All options: the source of defaults, validation, the server's schema and `docs/reference/options.md`. */
export const OPTION_SPECS = {
  store: text<string | Store>('sqlite:purser.db', {
    expected: `${STORE_URL_FORMS}, or a store`,
    isValid: isStoreOption,
    hint: "Example: 'sqlite:purser.db'.",
  }) as OptionSpec<string | Store>,
  cacheStore: text<string | undefined>(undefined, {
    expected: STORE_URL_FORMS,
    isValid: (value) => typeof value === 'string' && STORE_URL.test(value),
    hint: "Example: 'sqlite:purser-cache.db'.",
  }) as OptionSpec<string | undefined>,
  namespace: text('default', {
    expected: 'well-formed text of 1 to 256 bytes without control characters',
    isValid: isNamespace,
  }) as OptionSpec<string>,
  secretKey: text<PurserOptions['secretKey']>(undefined, {
    expected: '32 bytes in base64, or { current, previous: [] }',
    isValid: isSecretKey,
    hint: 'Make one with `openssl rand -base64 32`.',
  }) as OptionSpec<PurserOptions['secretKey']>,
  timeZone: text('UTC', { expected: 'an IANA time zone', isValid: isTimeZone }) as OptionSpec<string>,
  providers: object({}) as OptionSpec<Record<string, ProviderOption>>,
  mcpServers: object({}) as OptionSpec<Record<string, McpServerOption>>,
  presets: object({}) as OptionSpec<Record<string, SettingsPatch>>,
  plans: object({}) as OptionSpec<Record<string, PlanConfig>>,
  prices: object({}) as OptionSpec<Record<string, ModelPrice>>,
  currency: text('USD', {
    expected: 'text of 1 to 16 characters',
    isValid: (value) => typeof value === 'string' && /^\S{1,16}$/.test(value),
  }) as OptionSpec<string>,
  runtime: RUNTIME as OptionSpecs<RuntimeOptions>,
  context: CONTEXT as OptionSpecs<ContextOptions>,
  ledger: LEDGER as OptionSpecs<LedgerOptions>,
  answers: ANSWERS as OptionSpecs<AnswerOptions>,
  effects: object<Partial<Effects> | undefined>(undefined, {
    expected: 'an object with some of now, monotonic, randomId and setTimer, which are functions',
    isValid: isEffects,
  }) as OptionSpec<Partial<Effects> | undefined>,
}

export const DEFAULTS: {
  readonly store: string
  readonly namespace: string
  readonly timeZone: string
  readonly currency: string
  readonly runtime: RuntimeOptions
  readonly context: ContextOptions
  readonly ledger: LedgerOptions
  readonly answers: AnswerOptions
} = {
  store: OPTION_SPECS.store.default as string,
  namespace: OPTION_SPECS.namespace.default,
  timeZone: OPTION_SPECS.timeZone.default,
  currency: OPTION_SPECS.currency.default,
  runtime: defaultsOf(RUNTIME),
  context: defaultsOf(CONTEXT),
  ledger: defaultsOf(LEDGER),
  answers: defaultsOf(ANSWERS),
}

/** Options with all defaults filled in. */
export interface ResolvedOptions {
  readonly store: string | Store
  readonly cacheStore: string | undefined
  readonly namespace: string
  readonly secretKey: { readonly current: string; readonly previous: readonly string[] } | undefined
  readonly timeZone: string
  readonly providers: Readonly<Record<string, ProviderOption>>
  readonly mcpServers: Readonly<Record<string, McpServerOption>>
  readonly presets: Readonly<Record<string, SettingsPatch>>
  readonly plans: Readonly<Record<string, PlanConfig>>
  readonly prices: Readonly<Record<string, ModelPrice>>
  readonly currency: string
  readonly runtime: RuntimeOptions
  readonly context: ContextOptions
  readonly ledger: LedgerOptions
  readonly answers: AnswerOptions
  readonly effects: Partial<Effects>
}

/**
 * Validates options and fills in defaults. `${NAME}` in any string is read from the environment, as in a configuration
 * file. Throws `option_unknown` or `option_invalid` with the option's name.
 */
export function resolveOptions(configured: PurserOptions = {}): ResolvedOptions {
  const options = expandOptions(configured)
  validateAgainst(OPTION_SPECS, options, 'openPurser')
  return {
    store: options.store ?? DEFAULTS.store,
    cacheStore: options.cacheStore,
    namespace: options.namespace ?? DEFAULTS.namespace,
    secretKey: resolveSecretKey(options.secretKey),
    timeZone: options.timeZone ?? DEFAULTS.timeZone,
    providers: options.providers ?? {},
    mcpServers: options.mcpServers ?? {},
    presets: options.presets ?? {},
    plans: options.plans ?? {},
    prices: options.prices ?? {},
    currency: options.currency ?? DEFAULTS.currency,
    runtime: withDefaults(RUNTIME, options.runtime),
    context: withDefaults(CONTEXT, options.context),
    ledger: withDefaults(LEDGER, options.ledger),
    answers: withDefaults(ANSWERS, options.answers),
    effects: options.effects ?? {},
  }
}

/** All options together, so that all missing variables are reported at once. Objects with methods are not copied. */
function expandOptions(options: PurserOptions): PurserOptions {
  // What is no object of options is reported by the validation.
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options
  const { store, effects, ...texts } = options
  const expanded = expandEnv(typeof store === 'string' ? { ...texts, store } : texts)
  return { ...(store === undefined ? {} : { store }), ...(effects === undefined ? {} : { effects }), ...expanded }
}

function resolveSecretKey(secretKey: PurserOptions['secretKey']): ResolvedOptions['secretKey'] {
  if (secretKey === undefined) return undefined
  if (typeof secretKey === 'string') return { current: secretKey, previous: [] }
  return { current: secretKey.current, previous: secretKey.previous ?? [] }
}
