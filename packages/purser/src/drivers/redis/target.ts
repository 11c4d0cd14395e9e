import type { RedisClientOptions } from 'redis'
import { isObject, validateOptions } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Credentials and TLS of the connections to a server. */
export interface RedisAccess {
  readonly username?: string
  readonly password?: string
  /** `true`, or options of `tls.connect`. */
  readonly tls?: boolean | Record<string, unknown>
}

export interface RedisStoreOptions extends RedisAccess {
  /** `redis://USER:PASSWORD@HOST:6379/DB`, or `rediss://…` with TLS. One of `url`, `cluster` and `sentinel` is required. */
  readonly url?: string
  /** Some nodes of a cluster; the others are found through them. */
  readonly cluster?: { readonly nodes: readonly Address[] }
  /** Sentinels that know the primary `name`. Their own credentials, if any, are `access`. */
  readonly sentinel?: { readonly name: string; readonly nodes: readonly Address[]; readonly access?: RedisAccess }
  /** Begins the names of all keys and channels, so that several stores can share a server. Default: `purser`. */
  readonly prefix?: string
  /** Deadline of every operation with its retries, ms. Default: 5,000. */
  readonly timeoutMs?: number
  /**
   * Makes a commit or an erasure wait for replicas, or for the flush of append-only files. A write that too few confirm in
   * time rejects with `store_unavailable`: it is on the primary, and may be lost in a fail-over. Default: no wait.
   */
  readonly wait?: RedisWaitOptions
}

export interface RedisWaitOptions {
  /** Replicas that have received it (`WAIT`). From 1; 0 with `fsync`, for the flush of the primary alone. */
  readonly replicas: number
  /**
   * Whether the primary and these replicas have also flushed it to their append-only files (`WAITAOF`: Redis 7.2 or newer,
   * Valkey). Default: false.
   */
  readonly fsync?: boolean
  /** Of the wait, ms. At most half of the store's `timeoutMs`. Default: 1,000. */
  readonly timeoutMs?: number
}

const OPTIONS: readonly string[] = [
  'url',
  'cluster',
  'sentinel',
  'username',
  'password',
  'tls',
  'prefix',
  'timeoutMs',
  'wait',
]
const WAIT_OPTIONS: readonly string[] = ['replicas', 'fsync', 'timeoutMs']
const WAIT_TIMEOUT_MS = 1_000

/** Where to connect to. */
export type Target = (
  | { readonly kind: 'server' }
  | { readonly kind: 'cluster'; readonly nodes: readonly Address[] }
  | {
      readonly kind: 'sentinel'
      readonly name: string
      readonly nodes: readonly Address[]
      readonly sentinelOptions: RedisClientOptions
    }
) & {
  readonly options: RedisClientOptions
  /** For display: without a password. */
  readonly location: string
}

/** What a write is acknowledged after, besides the script that made it. */
export interface ReplicaWait {
  /** Replicas that have it: `WAIT`. 0 only with `fsync`. */
  readonly replicas: number
  /** Whether the primary and these replicas have flushed it to their append-only files: `WAITAOF`. */
  readonly fsync: boolean
  readonly timeoutMs: number
}

export interface ResolvedRedisOptions {
  readonly target: Target
  readonly prefix: string
  readonly timeoutMs: number
  readonly wait: ReplicaWait | undefined
}

/** @throws {PurserError} `option_unknown`, `option_invalid`. */
export function resolveRedisOptions(options: RedisStoreOptions): ResolvedRedisOptions {
  validateOptions('redisStore', options, OPTIONS)
  const { url, cluster, sentinel, timeoutMs = 5_000 } = options
  if ([url, cluster, sentinel].filter((value) => value !== undefined).length !== 1)
    throw invalid("redisStore needs one of 'url', 'cluster' and 'sentinel'.", 'url')
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1)
    throw invalid("'timeoutMs' must be an integer of 1 or more.", 'timeoutMs')
  const parsed = url === undefined ? undefined : parseUrl(url)
  const prefix = options.prefix ?? parsed?.prefix ?? 'purser'
  if (!/^[\w:.-]{1,64}$/.test(prefix))
    throw invalid("'prefix' must be 1 to 64 letters, digits, '_', ':', '.' or '-'.", 'prefix')
  const access = accessOf(options)
  const wait = parseWait(options.wait ?? parsed?.wait, timeoutMs)
  if (parsed !== undefined)
    return {
      prefix,
      timeoutMs,
      wait,
      target: { kind: 'server', options: { url: parsed.url, ...access }, location: parsed.location },
    }
  if (cluster !== undefined) {
    const nodes = parseNodes(cluster.nodes, 'cluster')
    return { prefix, timeoutMs, wait, target: { kind: 'cluster', nodes, options: access, location: locationOf(nodes) } }
  }
  const { name, nodes: sentinels, access: sentinelAccess = {} } = sentinel as NonNullable<typeof sentinel>
  const nodes = parseNodes(sentinels, 'sentinel')
  const sentinelOptions = accessOf(sentinelAccess)
  const location = `${locationOf(nodes)}/${name}`
  return {
    prefix,
    timeoutMs,
    wait,
    target: { kind: 'sentinel', name, nodes, sentinelOptions, options: access, location },
  }
}

function accessOf({ username, password, tls }: RedisAccess): RedisClientOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined || tls === false ? {} : { socket: { ...(tls === true ? {} : tls), tls: true } }),
  } as RedisClientOptions
}

function parseWait(wait: RedisWaitOptions | undefined, storeTimeoutMs: number): ReplicaWait | undefined {
  if (wait === undefined) return undefined
  if (!isObject(wait)) throw invalid("'wait' must be an object. Example: { replicas: 1 }.", 'wait')
  validateOptions('redisStore wait', wait, WAIT_OPTIONS)
  const { replicas, fsync = false, timeoutMs = Math.min(WAIT_TIMEOUT_MS, Math.floor(storeTimeoutMs / 2)) } = wait
  if (typeof fsync !== 'boolean') throw invalid("'wait.fsync' must be true or false.", 'wait')
  if (!Number.isInteger(replicas) || replicas < (fsync ? 0 : 1))
    throw invalid("'wait.replicas' must be an integer of 1 or more, or 0 with fsync.", 'wait')
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > storeTimeoutMs / 2)
    throw invalid("'wait.timeoutMs' must be an integer from 1 to half of the store's timeoutMs.", 'wait')
  return { replicas, fsync, timeoutMs }
}

interface ParsedUrl {
  readonly url: string
  readonly location: string
  readonly prefix?: string
  readonly wait?: RedisWaitOptions
}

const URL_PARAMETERS: readonly string[] = ['prefix', 'waitReplicas', 'waitFsync', 'waitTimeoutMs']

/** Splits off the parameters, which are all Purser's own. */
function parseUrl(text: string): ParsedUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    throw invalid("'url' must be a URL like redis://HOST:6379/0.", 'store')
  if (!/^\/?\d{0,4}$/.test(url.pathname))
    throw invalid('The path of the URL must be the number of a database.', 'store')
  const unknown = [...url.searchParams.keys()].find((name) => !URL_PARAMETERS.includes(name))
  if (unknown !== undefined)
    throw invalid(`Unknown parameter '${unknown}' of the URL. Valid: ${URL_PARAMETERS.join(', ')}.`, 'store')
  const prefix = url.searchParams.get('prefix') ?? undefined
  const wait = waitOf(url.searchParams)
  url.search = ''
  const { href } = url
  url.password = ''
  return { url: href, location: url.href, ...(prefix === undefined ? {} : { prefix }), ...(wait && { wait }) }
}

/** Numbers and flags as the options have them; what is neither is refused with the options. */
function waitOf(parameters: URLSearchParams): RedisWaitOptions | undefined {
  const [replicas, fsync, timeoutMs] = ['waitReplicas', 'waitFsync', 'waitTimeoutMs'].map((name) =>
    parameters.get(name),
  )
  if (replicas == null && fsync == null && timeoutMs == null) return undefined
  const flags: Readonly<Record<string, boolean>> = { true: true, false: false }
  return {
    replicas: replicas == null ? 0 : Number(replicas || Number.NaN),
    ...(fsync == null ? {} : { fsync: flags[fsync] ?? (fsync as unknown as boolean) }),
    ...(timeoutMs == null ? {} : { timeoutMs: Number(timeoutMs) }),
  }
}

function parseNodes(nodes: unknown, param: string): readonly Address[] {
  const isAddress = (node: unknown): boolean =>
    isObject(node) && typeof node.host === 'string' && Number.isInteger(node.port)
  if (!Array.isArray(nodes) || nodes.length === 0 || !nodes.every(isAddress))
    throw invalid(`'${param}.nodes' must be a list of { host, port }.`, param)
  return nodes as readonly Address[]
}

function locationOf(nodes: readonly Address[]): string {
  return `redis://${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`
}

function invalid(message: string, param: string): PurserError {
  return new PurserError('option_invalid', message, { details: { param } })
}
