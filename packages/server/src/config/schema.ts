import { PROVIDER_KINDS, type ProviderConfig, type PurserOptions } from 'purser'
import { z } from 'zod'

/** The content of a configuration file: the library's options and `server`. */
export interface ConfigFile
  extends Omit<PurserOptions, 'store' | 'effects' | 'providers' | 'runtime' | 'context' | 'ledger' | 'answers'> {
  readonly $schema?: string | undefined
  readonly store?: string | undefined
  readonly providers?: Record<string, ProviderConfig> | undefined
  readonly runtime?: Some<PurserOptions['runtime']> | undefined
  readonly context?: Some<PurserOptions['context']> | undefined
  readonly ledger?: Some<PurserOptions['ledger']> | undefined
  readonly answers?: Some<PurserOptions['answers']> | undefined
  readonly server?: Some<ServerOptions> | undefined
}

type Some<Options> = { readonly [Name in keyof NonNullable<Options>]?: NonNullable<Options>[Name] | undefined }

/** How the server itself behaves. Durations are milliseconds, sizes bytes. */
export interface ServerOptions {
  /** Address to listen on; anything but loopback needs keys. Default 127.0.0.1. */
  readonly host: string
  /** Default 7117; 0 takes any free port. */
  readonly port: number
  /** Path in front of every route, like `/purser`. Default none. */
  readonly prefix: string
  /** The address people use, when a proxy stands in front: decides Host, Origin and Secure cookies. */
  readonly publicUrl: string | undefined
  /** Default 20 MiB; a larger body is answered with 413. */
  readonly bodyLimitBytes: number
  /** Until a model's first chunk or whole answer. Default 60 s. */
  readonly firstChunkTimeoutMs: number
  /** Between two chunks of a model. Default 60 s. */
  readonly idleTimeoutMs: number
  /** The longest drain; what is still under way then is cut. Default 10 s. */
  readonly shutdownMs: number
  /** Of pino, on stderr. Default `warn`. */
  readonly logLevel: string
}

export const SERVER_DEFAULTS: ServerOptions = {
  host: '127.0.0.1',
  port: 7117,
  prefix: '',
  publicUrl: undefined,
  bodyLimitBytes: 20_971_520,
  firstChunkTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  shutdownMs: 10_000,
  logLevel: 'warn',
}

/** Where a server may be mounted. */
export const PREFIX: { readonly pattern: RegExp; readonly rule: string } = {
  pattern: /^(\/[\w.~-]+)*$/,
  rule: "'' or like '/purser', without a slash at the end",
}

const text = z.string().min(1, 'must not be empty')
const milliseconds = z.number().min(0, 'must be 0 ms or more')
const atLeastOne = z.int().min(1, 'must be a whole number of 1 or more')
const wholeNumber = z.int().min(0, 'must be a whole number of 0 or more')
const texts = z.record(z.string(), z.string())
const settings = z.record(z.string(), z.unknown())
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' })

const provider = z.looseObject({
  kind: z.enum(PROVIDER_KINDS),
  baseURL: httpUrl.optional(),
  apiKey: z.string().optional(),
  models: z.array(text).min(1, 'must name at least one model').optional(),
  defaultModel: text.optional(),
  userField: z.enum(['safety_identifier', 'user', 'none']).optional(),
  headers: texts.optional(),
  region: text.optional(),
})

const oauth = z.strictObject({
  redirectUrl: text,
  clientId: text.optional(),
  clientSecret: text.optional(),
  scopes: z.array(text).optional(),
  issuer: httpUrl.optional(),
})

const mcpServer = z.union([
  z.strictObject({ url: text, headers: texts.optional(), oauth: oauth.optional() }),
  z.strictObject({ command: text, args: z.array(z.string()).optional(), env: texts.optional() }),
])

const server = z.strictObject({
  host: text.optional(),
  port: z.int().min(0).max(65_535, 'must be a port, 0 to 65535').optional(),
  prefix: z.string().regex(PREFIX.pattern, `must be ${PREFIX.rule}`).optional(),
  publicUrl: httpUrl.optional(),
  bodyLimitBytes: atLeastOne.optional(),
  firstChunkTimeoutMs: milliseconds.optional(),
  idleTimeoutMs: milliseconds.optional(),
  shutdownMs: milliseconds.optional(),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).optional(),
})

/**
 * Unknown keys are errors everywhere but in a provider, whose further fields are the vendor's own; null waives a limit.
 * Every issue has words that read after the name of the option.
 */
export const configSchema: z.ZodType<ConfigFile> = z.strictObject({
  $schema: z.string().optional(),
  store: z
    .string()
    .regex(/^(memory:|sqlite:.+)$/, "must be 'memory:' or 'sqlite:PATH'")
    .optional(),
  namespace: text.optional(),
  secretKey: z.union([text, z.strictObject({ current: text, previous: z.array(text).optional() })]).optional(),
  timeZone: text.optional(),
  providers: z.record(z.string(), provider).optional(),
  mcpServers: z.record(z.string(), mcpServer).optional(),
  presets: z.record(z.string(), settings).optional(),
  runtime: z
    .strictObject({
      defaults: settings.optional(),
      idleMs: milliseconds.nullable().optional(),
      mcpIdleMs: milliseconds.nullable().optional(),
      maxLeaseMs: milliseconds.nullable().optional(),
      sweepMs: milliseconds.nullable().optional(),
      maxLive: atLeastOne.nullable().optional(),
      maxMcpProcesses: wholeNumber.nullable().optional(),
    })
    .optional(),
  context: z
    .strictObject({
      budgetMs: milliseconds.nullable().optional(),
      ttlMs: milliseconds.nullable().optional(),
      maxStaleMs: milliseconds.nullable().optional(),
      maxUsers: atLeastOne.nullable().optional(),
      maxConcurrentLoads: atLeastOne.nullable().optional(),
      maxAbandonedLoads: wholeNumber.nullable().optional(),
      clock: z.enum(['minute', 'second', 'off', 'auto']).optional(),
      sources: settings.optional(),
      sections: settings.optional(),
    })
    .optional(),
  ledger: z
    .strictObject({
      dailyCap: wholeNumber.nullable().optional(),
      window: z.enum(['day', 'rolling24h']).optional(),
      keepEvents: atLeastOne.nullable().optional(),
      phases: z.array(text).min(1).optional(),
      riskLevels: z.array(text).min(1).optional(),
    })
    .optional(),
  answers: z
    .strictObject({
      enabled: z.boolean().optional(),
      ttlMs: milliseconds.nullable().optional(),
      maxEntries: atLeastOne.nullable().optional(),
      maxBytes: atLeastOne.nullable().optional(),
      touchEveryMs: milliseconds.nullable().optional(),
    })
    .optional(),
  server: server.optional(),
})
