import type { Effects } from './core/effects.ts'
import { expandEnv } from './core/env.ts'
import { checkOptions } from './options-schema.ts'
import type { Store } from './storage/store.ts'

/** Everything `openPurser` takes. Durations are milliseconds, sizes bytes; `null` means no limit. */
export interface PurserOptions {
  /** `'memory:'`, `'sqlite:PATH'`, or a store made by hand. Default `'sqlite:purser.db'`. */
  store?: string | Store | undefined
  /** One application or tenant; part of every key. Default `'default'`. */
  namespace?: string | undefined
  /** 32 bytes in base64. With SQLite, by default, a 0600 key file beside the database. */
  secretKey?: string | { current: string; previous?: string[] | undefined } | undefined
  /** The IANA zone of every user who has none of their own: for caps and prompts alike. Default `'UTC'`. */
  timeZone?: string | undefined
  /** Model providers by name. */
  providers?: Record<string, ProviderOption> | undefined
  /** MCP servers by name. */
  mcpServers?: Record<string, McpServerOption> | undefined
  /** Settings patches by tag, to be assigned to users or to single turns. */
  presets?: Record<string, Record<string, unknown>> | undefined
  runtime?: Given<RuntimeOptions> | undefined
  context?: Given<ContextOptions> | undefined
  ledger?: Given<LedgerOptions> | undefined
  answers?: Given<AnswerOptions> | undefined
  /** Replaces parts of the outside world: clocks, ids, timers. For tests. */
  effects?: Partial<Effects> | undefined
}

/** Options as they are given: what is absent has its default, and `null` waives a limit. */
export type Given<Options> = {
  [Name in keyof Options]?: Options[Name] | (Options[Name] extends number ? null : never) | undefined
}

/** A provider as configured, or a function from a user's credentials to an AI SDK provider. */
export type ProviderOption = ProviderConfig | ((credentials: Readonly<Record<string, string>>) => LanguageModelSource)

export interface ProviderConfig {
  kind: ProviderKind
  baseURL?: string | undefined
  apiKey?: string | undefined
  /** When given, the only models of this provider. */
  models?: string[] | undefined
  defaultModel?: string | undefined
  /** Where the hashed user id goes upstream. Default `'safety_identifier'`. */
  userField?: 'safety_identifier' | 'user' | 'none' | undefined
  headers?: Record<string, string> | undefined
  region?: string | undefined
  /** Further fields are the provider's own (resourceName, apiVersion, teamId, accessKeyId …). */
  [field: string]: unknown
}

export const PROVIDER_KINDS = [
  'openai',
  'anthropic',
  'google',
  'amazon-bedrock',
  'azure',
  'friendli',
  'openai-compatible',
  'demo',
] as const
export type ProviderKind = (typeof PROVIDER_KINDS)[number]

/** What an AI SDK provider is to Purser: something that makes a language model from an id. */
export interface LanguageModelSource {
  languageModel(modelId: string): unknown
}

export type McpServerOption =
  | { url: string; headers?: Record<string, string> | undefined; oauth?: McpOAuthOption | undefined }
  | { command: string; args?: string[] | undefined; env?: Record<string, string> | undefined }

/** How each user allows this application to use an MCP server on their behalf. */
export interface McpOAuthOption {
  /** The page of your application to which the authorization server sends people back; it calls `completeMcp`. */
  redirectUrl: string
  /** The application's id there. Without one it registers itself. */
  clientId?: string | undefined
  /** Needs `issuer`: otherwise an MCP server would say who gets to see it. */
  clientSecret?: string | undefined
  /** What to ask for. Default: what the MCP server says. */
  scopes?: string[] | undefined
  /** The authorization server, and no other. Default: the one the MCP server names, on the public internet. */
  issuer?: string | undefined
}

export interface RuntimeOptions {
  /** Settings of every user who has not set their own. */
  defaults: Record<string, unknown>
  /** A runtime nobody has leased for this long is evicted. */
  idleMs: number
  /** The same for a single MCP client. */
  mcpIdleMs: number
  /** How long a lease may be out; then it is taken back with the next sweep, in use or not. */
  maxLeaseMs: number
  /** How often idle and overdue ones are looked for. */
  sweepMs: number
  /** Live runtimes; at the limit the longest unused goes, or `runtime_busy`. */
  maxLive: number
  /** MCP servers run as child processes, in all. */
  maxMcpProcesses: number
}

export interface ContextOptions {
  /** The longest a caller of `resolve` waits. */
  budgetMs: number
  /** How long loaded data counts as fresh. */
  ttlMs: number
  /** How long loaded data may still be served when nothing newer can be had. */
  maxStaleMs: number
  /** Users whose data is kept in memory. */
  maxUsers: number
  /** Loads under way, per source. */
  maxFlights: number
  /** Loads that were given up but have not ended, per source. */
  maxAbandoned: number
  /** How exact the current-time hint is; `auto`: to the minute, but off in turns whose answers may be kept. */
  clock: 'minute' | 'second' | 'off' | 'auto'
  /** Where profile and actions come from; by default Purser's own store. */
  sources: Record<string, unknown>
  /** Further sections beside profile and actions. */
  sections: Record<string, unknown>
}

export interface LedgerOptions {
  /** Messages a user may send in a window; 0 is unlimited. */
  dailyCap: number
  /** `day`: the user's calendar day. `rolling24h`: the last 24 hours. */
  window: 'day' | 'rolling24h'
  /** Events kept per user; null keeps all. */
  keepEvents: number | null
  /** Declared phases, the first is the default; undefined: every text is one. */
  phases: readonly string[] | undefined
  /** Declared risk levels in rising order, the first is the default; undefined: every text is one. */
  riskLevels: readonly string[] | undefined
}

export interface AnswerOptions {
  /** Whether turns look up and keep answers. */
  enabled: boolean
  /** How long an answer is kept; a hit does not extend it. */
  ttlMs: number
  /** Answers that are kept, in all; the longest unused makes room. */
  maxEntries: number
  /** What kept answers may take, in all. */
  maxBytes: number
  /** An entry's last use is written at most this often. */
  touchEveryMs: number
}

const DAY = 86_400_000

export const DEFAULTS: ResolvedDefaults = {
  store: 'sqlite:purser.db',
  namespace: 'default',
  timeZone: 'UTC',
  runtime: {
    defaults: {},
    idleMs: DAY,
    mcpIdleMs: 900_000,
    maxLeaseMs: DAY,
    sweepMs: 300_000,
    maxLive: 10_000,
    maxMcpProcesses: 32,
  },
  context: {
    budgetMs: 1_500,
    ttlMs: 30_000,
    maxStaleMs: DAY,
    maxUsers: 10_000,
    maxFlights: 32,
    maxAbandoned: 32,
    clock: 'auto',
    sources: {},
    sections: {},
  },
  ledger: { dailyCap: 0, window: 'day', keepEvents: null, phases: undefined, riskLevels: undefined },
  answers: { enabled: false, ttlMs: 7 * DAY, maxEntries: 10_000, maxBytes: 268_435_456, touchEveryMs: 30_000 },
}

export interface ResolvedDefaults {
  readonly store: string
  readonly namespace: string
  readonly timeZone: string
  readonly runtime: RuntimeOptions
  readonly context: ContextOptions
  readonly ledger: LedgerOptions
  readonly answers: AnswerOptions
}

/** Options with every default filled in. */
export interface ResolvedOptions {
  readonly store: string | Store
  readonly namespace: string
  readonly secretKey: { readonly current: string; readonly previous: readonly string[] } | undefined
  readonly timeZone: string
  readonly providers: Readonly<Record<string, ProviderOption>>
  readonly mcpServers: Readonly<Record<string, McpServerOption>>
  readonly presets: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly runtime: RuntimeOptions
  readonly context: ContextOptions
  readonly ledger: LedgerOptions
  readonly answers: AnswerOptions
  readonly effects: Partial<Effects>
}

/** Checks options and fills in defaults. Throws `option_unknown` or `option_invalid`, naming the key and the mend. */
export function resolveOptions(options: PurserOptions = {}): ResolvedOptions {
  checkOptions(options)
  const { secretKey } = options
  // In one go, so that every variable that is missing is named at once.
  const { providers, mcpServers, context } = expandEnv({
    providers: options.providers ?? {},
    mcpServers: options.mcpServers ?? {},
    context: options.context,
  })
  return {
    store: options.store ?? DEFAULTS.store,
    namespace: options.namespace ?? DEFAULTS.namespace,
    secretKey:
      secretKey === undefined
        ? undefined
        : typeof secretKey === 'string'
          ? { current: secretKey, previous: [] }
          : { current: secretKey.current, previous: secretKey.previous ?? [] },
    timeZone: options.timeZone ?? DEFAULTS.timeZone,
    providers,
    mcpServers,
    presets: options.presets ?? {},
    runtime: withDefaults(DEFAULTS.runtime, options.runtime),
    context: withDefaults(DEFAULTS.context, context),
    ledger: withDefaults(DEFAULTS.ledger, options.ledger),
    answers: withDefaults(DEFAULTS.answers, options.answers),
    effects: options.effects ?? {},
  }
}

/** How each limit says that there is none; all others say infinity. */
const NO_LIMIT: Readonly<Record<string, number | null>> = { dailyCap: 0, keepEvents: null }

function withDefaults<T extends object>(defaults: T, given: Given<T> | undefined): T {
  const present = Object.entries(given ?? {}).filter(([, value]) => value !== undefined)
  const filled = present.map(([name, value]) => {
    if (value !== null) return [name, value]
    return [name, Object.hasOwn(NO_LIMIT, name) ? NO_LIMIT[name] : Number.POSITIVE_INFINITY]
  })
  return { ...defaults, ...Object.fromEntries(filled) }
}
