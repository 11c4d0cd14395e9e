import { statSync } from 'node:fs'
import type { CacheStore } from '../../storage/cache-store.ts'
import { createSqliteAnswers, wipeAnswers } from './cache/answers.ts'
import { openCache } from './cache/cache-file.ts'
import { createCacheFallback, withMemoryAnswers, withMemoryLastGood } from './cache/fallback.ts'
import { createSqliteLastGood } from './cache/last-good.ts'
import { VACUUM_MAX_BYTES } from './main/purge.ts'
import { createCacheWriter } from './worker/threads.ts'

/**
 * Opens a file for answers and last good contexts alone, which it creates. Several processes may share it.
 *
 * @throws {PurserError} `store_unsafe`, `store_unavailable`.
 */
export async function openSqliteCacheStore(path: string): Promise<CacheStore> {
  const cache = await openCache(path)
  cache.connection.exec('PRAGMA query_only = ON')
  const writer = createCacheWriter(cache.path)
  const fallback = createCacheFallback(writer)
  const answers = withMemoryAnswers(createSqliteAnswers(cache, writer), fallback)
  const lastGood = withMemoryLastGood(createSqliteLastGood(cache, writer), fallback)

  async function closeInOrder(): Promise<void> {
    await cache.close()
    if (writer.isUsed) await writer.call('close').catch(() => undefined)
    await writer.close()
  }
  let closing: Promise<void> | undefined
  return {
    answers,
    lastGood,
    async wipe(user, tag) {
      await wipeAnswers(answers, { namespace: user.namespace, owner: tag })
      await lastGood.drop(user)
      const isSmall = statSync(cache.path).size <= VACUUM_MAX_BYTES
      // Rewriting a large file would block writes for seconds.
      if (isSmall) await writer.call('vacuum')
      return (await writer.call('truncateLog')) && isSmall
    },
    close() {
      closing ??= closeInOrder()
      return closing
    },
  }
}
