import type { LookupFunction } from 'node:net'
import { LRUCache } from 'lru-cache'
import { type Dispatcher, Pool } from 'undici'
import { createPersistentClient } from '../../core/persistent-client.ts'
import { createPublicLookup, requirePublicHost } from '../../core/public-address.ts'
import { purserClosed } from '../../errors.ts'

export const POOL_LIMITS = {
  /** Origins with a pool; at the limit the least recently used pool is closed after its last call. */
  maxOrigins: 256,
  /** Sockets to one origin; further calls wait for a free socket. */
  maxSockets: 4_096,
  /** Until a socket is connected. */
  connectTimeoutMs: 10_000,
  /** Until a silent call without a timeout of its caller is ended. */
  silenceTimeoutMs: 900_000,
  /** Body of one response. */
  maxResponseBytes: 268_435_456,
} as const

/**
 * Sockets to model providers: one pool for each origin, shared by all users. A socket belongs to no user; keys are sent
 * with each call. Hosts that a user set have pools of their own, whose sockets reach public addresses only.
 */
export interface Pools {
  /**
   * The dispatcher of a host, to be requested for each call.
   *
   * @param isTrusted Whether the operator named the host; otherwise it must be a public address.
   * @throws {PurserError} `host_not_allowed` at once for a private address; the returned function throws `closed` after
   *   `close`.
   */
  dispatcherFor(url: URL, isTrusted: boolean): GetDispatcher
  /** Aborts pending calls and closes every socket. */
  close(): Promise<void>
}

export type GetDispatcher = () => Dispatcher

export interface PoolsOptions {
  /** Resolver for host names. Default: the operating system's. */
  readonly resolve?: LookupFunction | undefined
}

export function openPools({ resolve }: PoolsOptions = {}): Pools {
  const lookups = {
    trusted: resolve === undefined ? {} : { lookup: resolve },
    public: { lookup: createPublicLookup(resolve) },
  }
  const closing = new Set<Promise<void>>()
  let isClosed = false
  const pools = new LRUCache<string, Pool>({
    max: POOL_LIMITS.maxOrigins,
    dispose(pool) {
      const closed = pool.close().catch(() => undefined)
      closing.add(closed)
      void closed.then(() => closing.delete(closed))
    },
  })

  function openPool(origin: string, isTrusted: boolean): Pool {
    return new Pool(origin, {
      factory: createPersistentClient,
      connections: POOL_LIMITS.maxSockets,
      // Callers time calls on the clock of effects; these only end calls that have no other timeout.
      headersTimeout: POOL_LIMITS.silenceTimeoutMs,
      bodyTimeout: POOL_LIMITS.silenceTimeoutMs,
      maxResponseSize: POOL_LIMITS.maxResponseBytes,
      // With HTTP/2 one lost connection would end the calls of many users.
      allowH2: false,
      connect: { timeout: POOL_LIMITS.connectTimeoutMs, ...(isTrusted ? lookups.trusted : lookups.public) },
    })
  }

  return {
    dispatcherFor(url, isTrusted) {
      if (!isTrusted) requirePublicHost(url)
      const { origin } = url
      const key = `${isTrusted ? 'trusted' : 'public'} ${origin}`
      return () => {
        if (isClosed) throw purserClosed()
        let pool = pools.get(key)
        if (pool === undefined) {
          pool = openPool(origin, isTrusted)
          pools.set(key, pool)
        }
        return pool
      }
    },
    async close() {
      if (isClosed) return
      isClosed = true
      const reason = purserClosed()
      await Promise.all([...pools.values()].map((pool) => pool.destroy(reason)))
      await Promise.all(closing)
    },
  }
}
