import { choice, defaultsOf, duration, flag, integer, isObject, type OptionSpecs, text } from 'purser/internal'
import { isTrustProxy, type TrustProxy } from './trust-proxy.ts'

/** How the server itself behaves. Durations are milliseconds, sizes bytes. */
export interface ServerOptions {
  /** Address to listen on; an address that is not loopback requires that keys exist. */
  readonly host: string
  /** Port to listen on; 0 takes any free port. */
  readonly port: number
  /** Path in front of every route, such as `/purser`. */
  readonly prefix: string
  /** Address that clients use when a proxy is in front; decides Host, Origin and Secure cookies. */
  readonly publicUrl: string | undefined
  /** Proxies whose `x-forwarded-…` headers count: true for all, or addresses and CIDR ranges. */
  readonly trustProxy: TrustProxy
  /** Largest request body; a larger one is 413. */
  readonly bodyLimitBytes: number
  /** Bytes of all large request bodies in memory at the same time, from their arrival to their answer; above it 503. */
  readonly maxConcurrentBodyBytes: number
  /** Time until a model's first chunk or whole answer, then 504. */
  readonly firstChunkTimeoutMs: number
  /** Time between two chunks or comments of a model. */
  readonly idleTimeoutMs: number
  /** Time that a client may take nothing of its answer; then the connection is closed and the model is stopped. */
  readonly readerTimeoutMs: number
  /** Streams that one user may have open at the same time; a further one is 429. */
  readonly maxStreamsPerUser: number
  /** Streams that one key may have open at the same time; a further one is 429. */
  readonly maxStreamsPerKey: number
  /** Allows webhooks on private addresses and without TLS, such as receivers in the same network. */
  readonly allowPrivateWebhooks: boolean
  /** Longest drain; requests that are still running are then cut, a stream with a last frame with the code `closed`. */
  readonly shutdownMs: number
  /** Keeps responses, so that a later request can name them; absent: none is kept. */
  readonly keepResponses: KeepResponsesOption | undefined
  /** Users at one of this many highest risk levels need attention on the Deck's overview; 0: none because of that. */
  readonly attentionRiskLevels: number
  /** Users who have used this part of their daily cap need attention, percent; 0: none because of that. */
  readonly attentionCapPercent: number
  /** Users whom a provider refused this often within 24 hours need attention; 0: none because of that. */
  readonly attentionRefusals: number
  /** Blocks that end within this time need attention, 0: none. */
  readonly attentionBlockEndsMs: number
  /** Log level of pino, on stderr. */
  readonly logLevel: string
}

/** How long responses are kept, and how many of one user; the newest stay. */
export interface KeepResponsesOption {
  /** Default: 2,592,000,000 ms, 30 days. */
  readonly ttlMs?: number
  /** 1 to 1,000; default 100. */
  readonly maxPerUser?: number
}

/** Server options as they are passed: what is absent or undefined has its default. */
export type ServerOptionInput = { readonly [Name in keyof ServerOptions]?: ServerOptions[Name] | undefined }

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

const milliseconds = (defaultMs: number): OptionSpecs<{ value: number }>['value'] => {
  const { unlimited: _, ...spec } = duration(defaultMs)
  const isValid = (value: unknown): boolean => typeof value === 'number' && value >= 0
  return { ...spec, expected: 'a number of milliseconds, 0 or more', isValid }
}

/** The options of `server` in a configuration file. */
export const SERVER_SPECS: OptionSpecs<ServerOptions> = {
  host: text('127.0.0.1', { expected: 'an address', isValid: isText }),
  port: integer(7_117, { min: 0, max: 65_535 }),
  prefix: text('', { expected: "'' or like '/purser', without a slash at the end", isValid: isPrefix }),
  publicUrl: text<string | undefined>(undefined, { expected: 'an http or https URL', isValid: isHttpUrl }),
  trustProxy: {
    kind: 'custom',
    default: false,
    expected: "true, false, or addresses such as '127.0.0.1, 10.0.0.0/8'",
    isValid: isTrustProxy,
  },
  bodyLimitBytes: integer(20_971_520, { min: 1 }),
  maxConcurrentBodyBytes: integer(67_108_864, { min: 1 }),
  firstChunkTimeoutMs: milliseconds(60_000),
  idleTimeoutMs: milliseconds(60_000),
  readerTimeoutMs: milliseconds(15_000),
  maxStreamsPerUser: integer(100, { min: 1 }),
  maxStreamsPerKey: integer(1_000, { min: 1 }),
  allowPrivateWebhooks: flag(false),
  shutdownMs: milliseconds(10_000),
  attentionRiskLevels: integer(1, { min: 0 }),
  attentionCapPercent: integer(100, { min: 0 }),
  attentionRefusals: integer(1, { min: 0 }),
  attentionBlockEndsMs: milliseconds(3_600_000),
  keepResponses: {
    kind: 'object',
    default: undefined,
    expected:
      'an object like { ttlMs: 2592000000, maxPerUser: 100 }, with a time of 1 ms or more and 1 to 1,000 responses',
    isValid: isKeepResponses,
  },
  logLevel: choice('warn', LOG_LEVELS),
}

export const SERVER_DEFAULTS: ServerOptions = defaultsOf(SERVER_SPECS)

/** Fills in the defaults of options that are absent or undefined. */
export function resolveServerOptions(options: ServerOptionInput = {}): ServerOptions {
  const present = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...SERVER_DEFAULTS, ...(Object.fromEntries(present) as Partial<ServerOptions>) }
}

function isKeepResponses(value: unknown): boolean {
  if (!isObject(value)) return false
  const { ttlMs = 1, maxPerUser = 1, ...others } = value
  const isTime = typeof ttlMs === 'number' && ttlMs >= 1 && Number.isFinite(ttlMs)
  const isCount = Number.isInteger(maxPerUser) && Number(maxPerUser) >= 1 && Number(maxPerUser) <= 1_000
  return isTime && isCount && Object.keys(others).length === 0
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** Whether a server can be mounted at this path. */
export function isPrefix(value: unknown): boolean {
  return typeof value === 'string' && /^(\/[\w.~-]+)*$/.test(value)
}

export function isHttpUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}
