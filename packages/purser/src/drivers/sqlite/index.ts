import { endsWithin } from '../../core/abort.ts'
import { type Effects, systemEffects } from '../../core/effects.ts'
import type { MetaStore, Store } from '../../storage/store.ts'
import { createLocalBus } from '../local-bus.ts'
import { createSqliteBus } from './bus/bus.ts'
import { createChangePoller } from './bus/change-poller.ts'
import { createMessageQueue } from './bus/message-queue.ts'
import { createSqliteAnswers, wipeAnswers } from './cache/answers.ts'
import { cachePath, openCache } from './cache/cache-file.ts'
import { createCacheFallback, withMemoryAnswers, withMemoryInstances, withMemoryLastGood } from './cache/fallback.ts'
import { createSqliteInstances } from './cache/instances.ts'
import { createSqliteLastGood } from './cache/last-good.ts'
import { type Database, openDatabase, retryWhileBusy } from './database.ts'
import { createSqliteRows } from './main/all-rows.ts'
import { backUp } from './main/backup.ts'
import { createSqliteEvents, prepareEvents } from './main/events.ts'
import { createWhenFolded } from './main/folded-reads.ts'
import { createPurge } from './main/purge.ts'
import { createSqliteSums } from './main/sums.ts'
import { createSqliteTurns } from './main/turns.ts'
import { createSqliteUsers } from './main/users.ts'
import { migrate } from './migrate.ts'
import { type CacheWriter, createCacheWriter, createReader, createWriter, type Writer } from './worker/threads.ts'

/**
 * Opens a store in two SQLite files: `path` holds what must survive, and a cache file beside it holds rebuildable data
 * (`purser.db` → `purser-cache.db`). Several processes of one machine may open the same path.
 *
 * @throws {PurserError} `store_unsafe` on a version of SQLite that is known to damage data, `store_newer` when a newer
 *   Purser has written the file, `option_invalid` when it belongs to another program, `store_unavailable` when it
 *   cannot be opened.
 */
export async function openSqliteStore({
  path,
  effects,
}: {
  readonly path: string
  readonly effects: Effects
}): Promise<Store> {
  const main = await openDatabase({ path, profile: 'durable' })
  let cache: Database | undefined
  try {
    await retryWhileBusy(main.path, () => migrate(main.connection))
    cache = await openCache(cachePath(main.path))
    main.connection.exec('PRAGMA query_only = ON')
    cache.connection.exec('PRAGMA query_only = ON')
    const writers = { writer: createWriter(main.path, main.identity), cacheWriter: createCacheWriter(cache.path) }
    const deps = { main, cache, ...writers, effects }
    // Another process that opens the same files for the first time may be creating tables now.
    return await retryWhileBusy(main.path, () => createSqliteStore(deps))
  } catch (error) {
    await Promise.all([main.close(), cache?.close()])
    throw error
  }
}

export interface SqliteDeps {
  /** For short reads, which run at once. */
  readonly main: Database
  /** For short reads, which run at once. */
  readonly cache: Database
  readonly writer: Writer
  readonly cacheWriter: CacheWriter
  readonly effects: Effects
}

/** Builds a store on open files, and owns them from then on. */
export function createSqliteStore(deps: SqliteDeps): Store {
  const { main, cache, writer, cacheWriter, effects } = deps
  const events = prepareEvents(main.connection)
  const local = createLocalBus()
  const reader = createReader(main.path)
  const newestPosition = (namespace: string): number => events.position(namespace) ?? 0
  const changes = createChangePoller({ main, writer, local, newestPosition })
  const messages = createMessageQueue({ cache, writer: cacheWriter, local, origin: effects.randomId() })
  const fallback = createCacheFallback(cacheWriter)
  const meta = createSqliteMeta(main, writer)
  const whenFolded = createWhenFolded({ main, writer })
  const bus = createSqliteBus({ local, changes, messages, fallback, meta })
  const answers = withMemoryAnswers(createSqliteAnswers(cache, cacheWriter), fallback)
  const lastGood = withMemoryLastGood(createSqliteLastGood(cache, cacheWriter), fallback)
  const instances = withMemoryInstances(createSqliteInstances(cache, cacheWriter, effects), fallback, effects)
  const purge = createPurge({
    main,
    cache,
    writer,
    cacheWriter,
    async wipeCache(user, tag) {
      await wipeAnswers(answers, { namespace: user.namespace, owner: tag })
      await lastGood.drop(user)
    },
  })
  const forgetAnswers = (namespace: string, tag: string): Promise<number> => answers.forget({ namespace, owner: tag })
  const users = createSqliteUsers({ main, reader, writer, local, changes, purge, forgetAnswers })
  // Continues what an earlier process did not finish. A failure shows in the receipt of the next erasure.
  purge.run().catch(() => undefined)

  async function closeInOrder(): Promise<void> {
    await purge.close()
    await Promise.all([bus.close(), reader.close()])
    await Promise.all([main.close(), cache.close()])
    // The connection that closes a file last moves the log into it, so the writers are closed last.
    await Promise.all([closeWriter(writer), closeWriter(cacheWriter)])
  }
  async function closeWithin(timeoutMs: number): Promise<void> {
    const closed = closeInOrder()
    if (!(await endsWithin(systemEffects, closed, timeoutMs))) {
      // Another process has the lock, or the disk does not respond. Pending calls are rejected.
      await Promise.all([writer.close(), cacheWriter.close()])
    }
    await closed
  }
  let closing: Promise<void> | undefined
  return {
    traits: { name: 'sqlite', durable: true, shared: true, location: main.path },
    meta,
    users,
    events: createSqliteEvents({ main, reader, events, changes }),
    turns: createSqliteTurns({ main, reader, writer, whenFolded }),
    sums: createSqliteSums({ reader, writer, whenFolded }),
    bus,
    rows: createSqliteRows({ reader, writer, whenFolded }),
    answers,
    lastGood,
    instances,
    backup: (file) => backUp(reader, file),
    close({ timeoutMs = Number.POSITIVE_INFINITY } = {}) {
      closing ??= closeWithin(timeoutMs)
      return closing
    },
  }
}

/** The part of a worker client that `closeWriter` needs of either writer. */
interface ClosableWriter {
  readonly isUsed: boolean
  call(name: 'close'): Promise<void>
  close(): Promise<void>
}

/** Every pending write has been settled by now, so a file that cannot be closed cleanly loses none of them. */
async function closeWriter(writer: ClosableWriter): Promise<void> {
  if (writer.isUsed) await writer.call('close').catch(() => undefined)
  await writer.close()
}

function createSqliteMeta(main: Database, writer: Writer): MetaStore {
  const get = main.prepare('SELECT value FROM meta WHERE name = ?')
  return {
    get: (name) =>
      main.read(() => {
        const row = get.get(name)
        return row && String(row.value)
      }),
    compareAndSet: (name, expected, value) => writer.call('compareAndSetMeta', name, expected, value),
  }
}
