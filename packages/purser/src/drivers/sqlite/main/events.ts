import type { DatabaseSync } from 'node:sqlite'
import type { Subject } from '../../../core/subject.ts'
import type { EventPage, StoredEvent, TailEvent } from '../../../storage/store.ts'
import { EVENT_COLUMNS, eventOf } from './rows.ts'

/** Reads of the event log, on whatever connection they are prepared on. */
export interface EventReads {
  newest(user: Subject, page: EventPage): StoredEvent[]
  oldest(user: Subject, page: { readonly after: number; readonly limit: number }): StoredEvent[]
  tail(namespace: string, page: { readonly after: number; readonly limit: number }): TailEvent[]
  position(namespace: string, eventId?: string): number | undefined
}

const OF_USER = 'uid = (SELECT uid FROM users WHERE namespace = ? AND id = ?)'

export function prepareEvents(connection: DatabaseSync): EventReads {
  const select = `SELECT ${EVENT_COLUMNS} FROM events WHERE ${OF_USER}`
  const newest = connection.prepare(`${select} AND sequence < ? ORDER BY sequence DESC LIMIT ?`)
  const newestOfTypes = connection.prepare(
    `${select} AND sequence < ? AND type IN (SELECT value FROM json_each(?)) ORDER BY sequence DESC LIMIT ?`,
  )
  const oldest = connection.prepare(`${select} AND sequence > ? ORDER BY sequence LIMIT ?`)
  // The join leaves out what belongs to an erased user and is not wiped yet.
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
    newest({ namespace, id }, { limit, before = Number.MAX_SAFE_INTEGER, types }) {
      const rows =
        types === undefined
          ? newest.all(namespace, id, before, limit)
          : newestOfTypes.all(namespace, id, before, JSON.stringify(types), limit)
      return rows.map(eventOf)
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
