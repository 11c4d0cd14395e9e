import { sleep } from '../../../core/abort.ts'
import { systemEffects } from '../../../core/effects.ts'
import type { BusMessage } from '../../../storage/store.ts'
import type { LocalBus } from '../../local-bus.ts'
import type { CacheWriter } from '../cache/cache-writer.ts'
import type { Database } from '../database.ts'

/*
 * Messages between processes are rows of the second file. Every listening process says there how far it has read, so
 * that a publisher can wait until all who are alive have been told.
 */

/** Messages that are kept at most; a listener that is further behind is told `gap`. */
const KEPT_MESSAGES = 1_000
/** How long a publisher waits for other processes at most. */
const WAIT_MS = 1_000
const WAIT_STEP_MS = 10

const SCHEMA = `
CREATE TABLE IF NOT EXISTS messages_1 (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  origin TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS listeners_1 (
  origin TEXT PRIMARY KEY,
  pid INTEGER NOT NULL,
  heard INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

/** What writes to the mailbox. */
export interface MessageWrites {
  /** Adds a message, and tells its number. */
  postMessage(origin: string, message: string): Promise<number>
  /** Removes all messages. Who has not read them is told `gap`. */
  dropMessages(): Promise<void>
  noteHeard(listener: { readonly origin: string; readonly pid: number; readonly heard: number }): Promise<void>
  forgetListener(origin: string): Promise<void>
}

export function prepareMessageWrites(cache: Database): MessageWrites {
  cache.connection.exec(SCHEMA)
  const add = cache.prepare('INSERT INTO messages_1 (origin, message) VALUES (?, ?)')
  const trim = cache.prepare('DELETE FROM messages_1 WHERE sequence <= ?')
  const drop = cache.prepare('DELETE FROM messages_1')
  const hear = cache.prepare(`
    INSERT INTO listeners_1 (origin, pid, heard) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET heard = excluded.heard`)
  const forget = cache.prepare('DELETE FROM listeners_1 WHERE origin = ?')
  return {
    postMessage: (origin, message) =>
      cache.write(() => {
        const added = Number(add.run(origin, message).lastInsertRowid)
        trim.run(added - KEPT_MESSAGES)
        return added
      }),
    dropMessages: () => cache.write(() => void drop.run()),
    noteHeard: ({ origin, pid, heard }) => cache.write(() => void hear.run(origin, pid, heard)),
    forgetListener: (origin) => cache.write(() => void forget.run(origin)),
  }
}

export interface MessageQueue {
  /** Resolves when every listening process has been told, or has had its time. */
  send(message: BusMessage): Promise<void>
  /** From now on messages are for this process too. */
  listen(): void
  /** Gives new messages of other processes to the listeners in this one. */
  look(): void
  close(): Promise<void>
}

export interface MessageQueueDeps {
  readonly cache: Database
  readonly writer: CacheWriter
  readonly local: LocalBus
  /** Tells this process from others. */
  readonly origin: string
}

export function createMessageQueue({ cache, writer, local, origin }: MessageQueueDeps): MessageQueue {
  // Of all there ever were, also those that are gone.
  const newest = cache.prepare("SELECT max(seq) AS sequence FROM sqlite_sequence WHERE name = 'messages_1'")
  const after = cache.prepare('SELECT sequence, origin, message FROM messages_1 WHERE sequence > ? ORDER BY sequence')
  const behind = cache.prepare('SELECT origin, pid FROM listeners_1 WHERE origin <> ? AND heard < ?')
  const dataVersion = cache.prepare('PRAGMA data_version')
  let lastVersion: unknown
  let heard: number | undefined

  /** Whether a process that is alive has not read as far as this. Rows of dead ones are removed. */
  async function somebodyIsBehind(sequence: number): Promise<boolean> {
    const slow = await cache.read(() => behind.all(origin, sequence))
    const dead = slow.filter(({ pid }) => !isAlive(Number(pid)))
    for (const listener of dead) await writer.call('forgetListener', String(listener.origin))
    return slow.length > dead.length
  }

  return {
    async send(message) {
      const sequence = await writer.call('postMessage', origin, JSON.stringify(message))
      // Who sent it need not read it, and misses nothing when it is gone before the next look.
      if (heard === sequence - 1) heard = sequence
      const giveUpAt = systemEffects.monotonic() + WAIT_MS
      while ((await somebodyIsBehind(sequence)) && systemEffects.monotonic() < giveUpAt)
        await sleep(systemEffects, WAIT_STEP_MS)
    },
    listen() {
      if (heard !== undefined) return
      const from = Number(newest.get()?.sequence)
      heard = from
      note(from)
    },
    look() {
      const version = dataVersion.get()?.data_version
      if (heard === undefined || version === lastVersion) return
      lastVersion = version
      const rows = after.all(heard)
      const last = Number((rows.at(-1) ?? newest.get())?.sequence)
      if (last === heard) return
      const isGap = rows[0]?.sequence !== heard + 1
      heard = last
      if (isGap) local.deliver('gap')
      else
        for (const row of rows) if (row.origin !== origin) local.deliver(JSON.parse(String(row.message)) as BusMessage)
      note(heard)
    },
    async close() {
      if (heard !== undefined) await writer.call('forgetListener', origin).catch(() => undefined)
    },
  }

  /** That it could not be noted costs a publisher some waiting, no more. */
  function note(sequence: number): void {
    writer.call('noteHeard', { origin, pid: process.pid, heard: sequence }).catch(() => undefined)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
