/*
 * Every library with the same task, configured as its documentation advises: data of 10,000 users in memory with a TTL,
 * stale data rather than none, and a result within a time budget.
 */
import { createCache } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { Cacheable } from 'cacheable'
import { LRUCache } from 'lru-cache'
import { openPurser } from 'purser'

export type Backend = (user: string) => Promise<object>

export interface Cache {
  readonly name: string
  /** Undefined if the library has no result: the caller has to use a default. */
  get(user: string): Promise<unknown>
  invalidate(user: string): Promise<void>
  close(): Promise<void>
}

export interface Task {
  readonly backend: Backend
  readonly ttlMs: number
  readonly budgetMs: number
}

const STALE_MS = 86_400_000
const MAX_USERS = 10_000

export const LIBRARIES: Readonly<Record<string, (task: Task) => Promise<Cache>>> = {
  purser: async ({ backend, ttlMs, budgetMs }) => {
    const purser = await openPurser({
      store: 'memory:',
      context: {
        ttlMs,
        budgetMs,
        maxUsers: MAX_USERS,
        sources: { profile: (user: string) => backend(user), actions: async () => null },
      },
    })
    return {
      name: 'purser',
      get: (user) => purser.user(user).context.resolve(),
      invalidate: (user) => purser.user(user).context.invalidate(),
      close: () => purser.close(),
    }
  },

  // https://bentocache.dev/docs/grace-periods, /timeouts, /stampede-protection
  bentocache: async ({ backend, ttlMs, budgetMs }) => {
    const bento = new BentoCache({
      default: 'users',
      ttl: ttlMs,
      grace: STALE_MS,
      timeout: 0,
      hardTimeout: budgetMs,
      stores: { users: bentostore().useL1Layer(memoryDriver({ maxItems: MAX_USERS, serialize: false })) },
    })
    return {
      name: 'bentocache',
      get: (user) => bento.getOrSet({ key: user, factory: () => backend(user) }),
      invalidate: async (user) => void (await bento.delete({ key: user })),
      close: () => bento.disconnectAll(),
    }
  },

  // README: fetchMethod, allowStaleOnFetchAbort with ignoreFetchAbort for "stale now, refresh later".
  'lru-cache fetch': async ({ backend, ttlMs, budgetMs }) => {
    const cache = new LRUCache<string, object>({
      max: MAX_USERS,
      ttl: ttlMs,
      allowStale: true,
      allowStaleOnFetchAbort: true,
      allowStaleOnFetchRejection: true,
      ignoreFetchAbort: true,
      fetchMethod: (user) => backend(user),
    })
    return {
      name: 'lru-cache fetch',
      get: (user) => cache.fetch(user, cache.has(user) ? {} : { signal: AbortSignal.timeout(budgetMs) }),
      invalidate: async (user) => void cache.delete(user),
      close: async () => cache.clear(),
    }
  },

  'async-cache-dedupe': async ({ backend, ttlMs }) => {
    const cache = createCache({
      ttl: ttlMs / 1_000,
      stale: STALE_MS / 1_000,
      storage: { type: 'memory', options: { size: MAX_USERS, invalidation: true } },
    }).define('context', (user: string) => backend(user))
    return {
      name: 'async-cache-dedupe',
      get: (user) => cache.context(user),
      invalidate: (user) => cache.clear('context', user),
      close: () => cache.clear(),
    }
  },

  cacheable: async ({ backend, ttlMs }) => {
    const cache = new Cacheable({ ttl: ttlMs })
    return {
      name: 'cacheable',
      get: (user) => cache.getOrSet(user, () => backend(user)),
      invalidate: async (user) => void (await cache.delete(user)),
      close: () => cache.disconnect(),
    }
  },
}
