import type { SQLOutputValue } from 'node:sqlite'
import { sleep } from '../../../core/abort.ts'
import { systemEffects } from '../../../core/effects.ts'
import type { BusMessage } from '../../../storage/store.ts'
import type { LocalBus } from '../../local-bus.ts'
import type { Database } from '../database.ts'
import type { CacheWriter, MessageWriterCalls } from '../worker/threads.ts'

/*
 * Messages between processes are rows of the cache file. Every listening process records there how far it has read, so
 * that a publisher can wait until all running processes have received its message.
 */

/** Messages that are stored at most; a listener that is further behind receives `gap`. */
const MAX_MESSAGES = 1_000
/** How long a publisher waits for other processes at most. */
const MAX_WAIT_MS = 1_000
const WAIT_STEP_MS = 10

const TABLES = `
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

/** The writes to the queue, in the thread of the cache writer. */
export function prepareMessageWrites(cache: Database): MessageWriterCalls {
  cache.connection.exec(TABLES)
  const add = cache.prepare('INSERT INTO messages_1 (origin, message) VALUES (?, ?)')
  const trim = cache.prepare('DELETE FROM messages_1 WHERE sequence <= ?')
  const drop = cache.prepare('DELETE FROM messages_1')
  const setListener = cache.prepare(`
    INSERT INTO listeners_1 (origin, pid, heard) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET heard = excluded.heard`)
  const removeListener = cache.prepare('DELETE FROM listeners_1 WHERE origin = ?')
  return {
    addMessage: (origin, message) =>
      cache.write(() => {
        const sequence = Number(add.run(origin, message).lastInsertRowid)
        trim.run(sequence - MAX_MESSAGES)
        return sequence
      }),
    dropMessages: () => cache.write(() => void drop.run()),
    setListener: ({ origin, pid, heard }) => cache.write(() => void setListener.run(origin, pid, heard)),
    removeListener: (origin) => cache.write(() => void removeListener.run(origin)),
  }
}

export interface MessageQueue {
  /** Resolves when every listening process has received the message, or has had its time. */
  send(message: BusMessage): Promise<void>
  /** Receives messages from now on. */
  listen(): void
  /** Delivers new messages of other processes to the listeners of this one. */
  poll(): void
  close(): Promise<void>
}

export interface MessageQueueDeps {
  readonly cache: Database
  readonly writer: CacheWriter
  readonly local: LocalBus
  /** Identifies this process among the others. */
  readonly origin: string
}

export function createMessageQueue({ cache, writer, local, origin }: MessageQueueDeps): MessageQueue {
  // The highest sequence ever used, also when its message is no longer stored.
  const newest = cache.prepare("SELECT max(seq) AS sequence FROM sqlite_sequence WHERE name = 'messages_1'")
  const after = cache.prepare('SELECT sequence, origin, message FROM messages_1 WHERE sequence > ? ORDER BY sequence')
  const behind = cache.prepare('SELECT origin, pid FROM listeners_1 WHERE origin <> ? AND heard < ?')
  const dataVersion = cache.prepare('PRAGMA data_version')
  let lastVersion: unknown
  /** The sequence up to which this process has read; undefined: it does not listen. */
  let heard: number | undefined

  /** True while a running process has not read as far as this. Removes the rows of processes that have ended. */
  async function hasListenerBehind(sequence: number): Promise<boolean> {
    const listeners = await cache.read(() => behind.all(origin, sequence))
    const ended = listeners.filter(({ pid }) => !isRunning(Number(pid)))
    for (const listener of ended) await writer.call('removeListener', String(listener.origin))
    return listeners.length > ended.length
  }

  /** Continues reading after `sequence`. When it cannot be recorded, publishers only wait longer. */
  function readFrom(sequence: number): void {
    heard = sequence
    writer.call('setListener', { origin, pid: process.pid, heard: sequence }).catch(() => undefined)
  }

  function deliverOthers(rows: readonly Record<string, SQLOutputValue>[]): void {
    for (const row of rows) if (row.origin !== origin) local.deliver(JSON.parse(String(row.message)) as BusMessage)
  }

  return {
    async send(message) {
      const sequence = await writer.call('addMessage', origin, JSON.stringify(message))
      // The sender need not read its own message, and it is no gap if the message is gone before the next poll.
      if (heard === sequence - 1) heard = sequence
      const giveUpAt = systemEffects.monotonic() + MAX_WAIT_MS
      while ((await hasListenerBehind(sequence)) && systemEffects.monotonic() < giveUpAt)
        await sleep(systemEffects, WAIT_STEP_MS)
    },
    listen() {
      if (heard === undefined) readFrom(Number(newest.get()?.sequence))
    },
    poll() {
      const version = dataVersion.get()?.data_version
      if (heard === undefined || version === lastVersion) return
      lastVersion = version
      const rows = after.all(heard)
      const last = Number((rows.at(-1) ?? newest.get())?.sequence)
      if (last === heard) return
      const isGap = rows[0]?.sequence !== heard + 1
      heard = last
      if (isGap) local.deliver('gap')
      else deliverOthers(rows)
      readFrom(last)
    },
    async close() {
      if (heard !== undefined) await writer.call('removeListener', origin).catch(() => undefined)
    },
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
