import type { DatabaseSync } from 'node:sqlite'
import type { EventStore } from '../../../storage/store.ts'
import type { ChangePoller } from '../bus/change-poller.ts'
import type { Database } from '../database.ts'
import type { Reader, ReaderCalls } from '../worker/threads.ts'
import { EVENT_COLUMNS, eventOf } from './rows.ts'

/** Reads of the event log, on the connection they are prepared on. */
export interface EventReads extends Pick<ReaderCalls, 'newest' | 'oldest' | 'tail'> {
  position(namespace: string, eventId?: string): number | undefined
}

/** Pages of at most this many events are read at once; longer pages, and filtered ones, in the reader thread. */
const SHORT_PAGE = 200

export interface SqliteEventsDeps {
  readonly main: Database
  readonly reader: Reader
  readonly events: EventReads
  readonly changes: ChangePoller
}

export function createSqliteEvents({ main, reader, events, changes }: SqliteEventsDeps): EventStore {
  return {
    async newest(user, page) {
      const isFiltered = page.types !== undefined || page.from !== undefined || page.to !== undefined
      if (page.limit > SHORT_PAGE || isFiltered) return reader.call('newest', user, page)
      return main.read(() => events.newest(user, page))
    },
    async oldest(user, page) {
      if (page.limit > SHORT_PAGE) return reader.call('oldest', user, page)
      return main.read(() => events.oldest(user, page))
    },
    async tail(namespace, page) {
      changes.watch(namespace)
      if (page.limit > SHORT_PAGE) return reader.call('tail', namespace, page)
      return main.read(() => events.tail(namespace, page))
    },
    position: (namespace, eventId) =>
      main.read(() => {
        changes.watch(namespace)
        return events.position(namespace, eventId)
      }),
  }
}

const OF_USER = 'uid = (SELECT uid FROM users WHERE namespace = ? AND id = ?)'

export function prepareEvents(connection: DatabaseSync): EventReads {
  const select = `SELECT ${EVENT_COLUMNS} FROM events WHERE ${OF_USER}`
  const newest = connection.prepare(`${select} AND sequence < ? ORDER BY sequence DESC LIMIT ?`)
  const newestFiltered = connection.prepare(`${select} AND sequence < ?3 AND at >= ?4 AND at < ?5
    AND (?6 IS NULL OR type IN (SELECT value FROM json_each(?6))) ORDER BY sequence DESC LIMIT ?7`)
  const oldest = connection.prepare(`${select} AND sequence > ? ORDER BY sequence LIMIT ?`)
  // The join excludes events of erased users that are not wiped yet.
  const tail = connection.prepare(`
    SELECT position, users.id AS user, ${EVENT_COLUMNS}
    FROM events INDEXED BY events_by_position CROSS JOIN users USING (uid)
    WHERE events.namespace = ? AND position > ? ORDER BY position LIMIT ?`)
  const positionOf = connection.prepare(
    'SELECT position FROM events JOIN users USING (uid) WHERE events.namespace = ? AND events.id = ?',
  )
  const lastPosition = connection.prepare(
    'SELECT position FROM events INDEXED BY events_by_position WHERE namespace = ? ORDER BY position DESC LIMIT 1',
  )
  return {
    newest({ namespace, id }, { limit, before = Number.MAX_SAFE_INTEGER, types, from, to }) {
      if (types === undefined && from === undefined && to === undefined)
        return newest.all(namespace, id, before, limit).map(eventOf)
      const typesJson = types === undefined ? null : JSON.stringify(types)
      const period = [from ?? Number.MIN_SAFE_INTEGER, to ?? Number.MAX_SAFE_INTEGER]
      return newestFiltered.all(namespace, id, before, ...period, typesJson, limit).map(eventOf)
    },
    oldest: ({ namespace, id }, { after, limit }) => oldest.all(namespace, id, after, limit).map(eventOf),
    tail: (namespace, { after, limit }) =>
      tail
        .all(namespace, after, limit)
        .map((row) => ({ position: Number(row.position), user: String(row.user), event: eventOf(row) })),
    position(namespace, eventId) {
      if (eventId === undefined) return Number(lastPosition.get(namespace)?.position ?? 0)
      const row = positionOf.get(namespace, eventId)
      return row && Number(row.position)
    },
  }
}
