import type { Effects } from './core/effects.ts'
import { openMemoryStore } from './drivers/memory/index.ts'
import { openSqliteCacheStore } from './drivers/sqlite/cache-store.ts'
import { openSqliteStore } from './drivers/sqlite/index.ts'
import { importPackage } from './providers/ai-sdk/packages.ts'
import type { CacheStore } from './storage/cache-store.ts'
import type { Store } from './storage/store.ts'
import { sqlitePath } from './storage/store-url.ts'

/**
 * Opens the store that a URL names. The drivers of servers are loaded when they are used: their packages are optional peer
 * dependencies.
 *
 * @throws {PurserError} `package_missing`, `option_invalid`; and what the driver throws.
 */
export async function openStore(
  url: string,
  effects: Effects,
  /** Deadline of each call to the server of a store. Default: that of its driver. */
  { timeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<Store> {
  const options = timeoutMs === undefined ? { url } : { url, timeoutMs }
  if (url === 'memory:') return openMemoryStore({ effects })
  const path = sqlitePath(url)
  if (path !== undefined) return openSqliteStore({ path, effects })
  if (url.startsWith('redis')) {
    const { redisStore } = await importPackage('redis', () => import('./drivers/redis/index.ts'))
    return redisStore(options)
  }
  const { postgresStore } = await importPackage('pg', () => import('./drivers/postgres/index.ts'))
  return postgresStore(options)
}

/** Opens the answers and the last good contexts of a store that a URL names. */
export async function openCacheStore(url: string, effects: Effects): Promise<CacheStore> {
  const path = sqlitePath(url)
  if (path !== undefined) return openSqliteCacheStore(path)
  const { answers, lastGood, traits, close } = await openStore(url, effects)
  return {
    answers,
    lastGood,
    async wipe(user, owner) {
      await Promise.all([answers.forget({ namespace: user.namespace, owner }), lastGood.drop(user)])
      return traits.wipesFiles !== false
    },
    close,
  }
}
