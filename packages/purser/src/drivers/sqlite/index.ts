import { endsWithin } from '../../core/abort.ts'
import { type Effects, systemEffects } from '../../core/effects.ts'
import type { EventStore, Store } from '../../storage/store.ts'
import { createLocalBus } from '../local-bus.ts'
import { createSqliteBus } from './bus/bus.ts'
import { type ChangePoller, createChangePoller } from './bus/change-poller.ts'
import { createMessageQueue } from './bus/message-queue.ts'
import { createSqliteAnswers, wipeAnswers } from './cache/answers.ts'
import { type CacheWriterCalls, createCacheWriter, createCacheWriterCalls } from './cache/cache-writer.ts'
import { createSqliteLastGood } from './cache/last-good.ts'
import { cachePath, openCache } from './cache/open-cache.ts'
import { type Database, openDatabase, untilFree } from './database.ts'
import { backUp } from './main/backup.ts'
import { type EventReads, prepareEvents } from './main/events.ts'
import { createSqliteMeta } from './main/meta.ts'
import { createPurge } from './main/purge.ts'
import { createReader, type Reader } from './main/reader.ts'
import { createSqliteUsers } from './main/users.ts'
import { createWriter, type WriterCalls } from './main/writer.ts'
import { migrate } from './migrate.ts'
import type { WorkerClient } from './worker/client.ts'

/**
 * A store in two SQLite files: `path` keeps what must survive, and what can be rebuilt is in a second file beside it
 * (`purser.db` → `purser-cache.db`). Several processes of one machine may open the same path.
 *
 * Rejects with `store_unsafe` on a build of SQLite that is known to damage data, `store_newer` when a newer Purser
 * has written the file, `store_unavailable` when it cannot be opened.
 */
export async function openSqliteStore(house: { readonly path: string; readonly effects: Effects }): Promise<Store> {
  const main = await openDatabase({ path: house.path, profile: 'durable' })
  let cache: Database | undefined
  try {
    await untilFree(main.path, () => migrate(main.connection))
    cache = await openCache(cachePath(main.path), createCacheWriterCalls)
    main.connection.exec('PRAGMA query_only = ON')
    cache.connection.exec('PRAGMA query_only = ON')
    const writers = { writer: createWriter(main.path), cacheWriter: createCacheWriter(cache.path) }
    const files = { main, cache, ...writers, effects: house.effects }
    // Another process that opens the same files for the first time may be making tables just now.
    return await untilFree(main.path, () => createSqliteStore(files))
  } catch (error) {
    await Promise.all([main.close(), cache?.close()])
    throw error
  }
}

export interface SqliteDeps {
  /** Both are only read from here: short reads, at once. */
  readonly main: Database
  readonly cache: Database
  readonly writer: WorkerClient<WriterCalls>
  readonly cacheWriter: WorkerClient<CacheWriterCalls>
  readonly effects: Effects
}

/** Joins the parts of the driver on open files, and owns them from then on. */
export function createSqliteStore({ main, cache, writer, cacheWriter, effects }: SqliteDeps): Store {
  const events = prepareEvents(main.connection)
  const local = createLocalBus()
  const reader = createReader(main.path)
  const commits = createChangePoller(writer, local, (namespace) => events.position(namespace) ?? 0)
  const mailbox = createMessageQueue({ cache, writer: cacheWriter, local, origin: effects.randomId() })
  const bus = createSqliteBus({ local, commits, mailbox })
  const answers = createSqliteAnswers(cache, cacheWriter)
  const lastGood = createSqliteLastGood(cache, cacheWriter)
  const purge = createPurge({
    main,
    cache,
    writer,
    cacheWriter,
    async eraseElsewhere(user, tag) {
      await wipeAnswers(answers, { namespace: user.namespace, owner: tag })
      await lastGood.drop(user)
    },
  })
  const users = createSqliteUsers({
    main,
    reader,
    writer,
    local,
    commits,
    purge,
    forgetAnswers: (namespace, tag) => answers.forget({ namespace, owner: tag }),
  })
  // What an earlier process could not finish. It is told of in the receipts that ask for it.
  purge.run().catch(() => undefined)
  let closing: Promise<void> | undefined
  async function close(timeoutMs: number): Promise<void> {
    const ended = endInOrder()
    if (!(await endsWithin(systemEffects, ended, timeoutMs))) {
      // Another process holds a lock, or the disk does not answer. Whoever still waits is told.
      await Promise.all([writer.close(), cacheWriter.close()])
    }
    await ended
  }
  async function endInOrder(): Promise<void> {
    await purge.close()
    await Promise.all([bus.close(), reader.close()])
    await Promise.all([main.close(), cache.close()])
    // The last one that closes a file moves the log into it, so that is the one that may write.
    await Promise.all([finish(writer), finish(cacheWriter)])
  }
  return {
    traits: { name: 'sqlite', durable: true, shared: true, location: main.path },
    meta: createSqliteMeta(main, writer),
    users,
    events: createSqliteEvents({ main, reader, events, commits }),
    bus,
    answers,
    lastGood,
    backup: (file) => backUp(reader, file),
    close({ timeoutMs = Number.POSITIVE_INFINITY } = {}) {
      closing ??= close(timeoutMs)
      return closing
    },
  }
}

interface Finishing {
  readonly isUsed: boolean
  call(name: 'close'): Promise<void>
  close(): Promise<void>
}

/** Who waited for a write was told what became of it; a file that cannot be closed in order takes nothing from them. */
async function finish(writer: Finishing): Promise<void> {
  if (writer.isUsed) await writer.call('close').catch(() => undefined)
  await writer.close()
}

/** Pages of up to this many events are read at once; longer ones, and searches by type, on the reader's thread. */
const SHORT_PAGE = 200

function createSqliteEvents(house: {
  main: Database
  reader: Reader
  events: EventReads
  commits: ChangePoller
}): EventStore {
  const { main, reader, events, commits } = house
  return {
    async newest(user, page) {
      if (page.limit > SHORT_PAGE || page.types !== undefined) return reader.call('newest', user, page)
      return main.read(() => events.newest(user, page))
    },
    async oldest(user, page) {
      if (page.limit > SHORT_PAGE) return reader.call('oldest', user, page)
      return main.read(() => events.oldest(user, page))
    },
    async tail(namespace, page) {
      commits.uses(namespace)
      if (page.limit > SHORT_PAGE) return reader.call('tail', namespace, page)
      return main.read(() => events.tail(namespace, page))
    },
    position: (namespace, eventId) =>
      main.read(() => {
        commits.uses(namespace)
        return events.position(namespace, eventId)
      }),
  }
}
