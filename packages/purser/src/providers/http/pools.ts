import type { LookupFunction } from 'node:net'
import { LRUCache } from 'lru-cache'
import { type Dispatcher, Pool } from 'undici'
import { createPublicLookup, requirePublicHost } from '../../core/public-address.ts'
import { purserClosed } from '../../errors.ts'

export const POOL_LIMITS = {
  /** Origins with a pool; at the limit the longest unused is closed when its calls have ended. */
  origins: 256,
  /** Sockets to one origin; more calls wait for one. */
  sockets: 4_096,
  /** Until a socket is connected, ms. */
  connectTimeoutMs: 10_000,
  /** Until a silent call is ended whose caller set no time-out of their own, ms. */
  silenceTimeoutMs: 900_000,
  /** Body of one response. */
  responseBytes: 268_435_456,
} as const

/**
 * Sockets to model providers: one pool an origin, shared by all users, for a socket knows no user; keys go with each
 * call. Hosts that a user named have pools of their own, whose sockets only reach public addresses.
 */
export interface Pools {
  /**
   * The way to a host, to be asked anew for each call. `trusted`: the operator named it. Throws `host_not_allowed` at
   * once for an address inside, and `closed` when asked after `close`.
   */
  door(url: URL, trusted: boolean): GetDispatcher
  /** Calls under way are cut. */
  close(): Promise<void>
}

export type GetDispatcher = () => Dispatcher

export interface PoolsOptions {
  /** How the names of hosts are resolved. Default: the system's way. */
  readonly resolve?: LookupFunction | undefined
}

export function createPools({ resolve }: PoolsOptions = {}): Pools {
  const lookups = {
    trusted: resolve === undefined ? {} : { lookup: resolve },
    public: { lookup: createPublicLookup(resolve) },
  }
  const closing = new Set<Promise<void>>()
  let closed = false
  const pools = new LRUCache<string, Pool>({
    max: POOL_LIMITS.origins,
    dispose(pool) {
      const ended = pool.close().catch(() => undefined)
      closing.add(ended)
      void ended.then(() => closing.delete(ended))
    },
  })

  function open(origin: string, trusted: boolean): Pool {
    return new Pool(origin, {
      connections: POOL_LIMITS.sockets,
      // Callers keep time on the clock of effects; this only ends calls that nobody waits for.
      headersTimeout: POOL_LIMITS.silenceTimeoutMs,
      bodyTimeout: POOL_LIMITS.silenceTimeoutMs,
      maxResponseSize: POOL_LIMITS.responseBytes,
      // With HTTP/2 one lost connection would take the calls of many users with it.
      allowH2: false,
      connect: { timeout: POOL_LIMITS.connectTimeoutMs, ...(trusted ? lookups.trusted : lookups.public) },
    })
  }

  return {
    door(url, trusted) {
      if (!trusted) requirePublicHost(url)
      const { origin } = url
      const key = `${trusted ? 'trusted' : 'public'} ${origin}`
      return () => {
        if (closed) throw purserClosed()
        let pool = pools.get(key)
        if (pool === undefined) {
          pool = open(origin, trusted)
          pools.set(key, pool)
        }
        return pool
      }
    },
    async close() {
      if (closed) return
      closed = true
      const reason = purserClosed()
      await Promise.all([...pools.values()].map((pool) => pool.destroy(reason)))
      await Promise.all(closing)
    },
  }
}
