import type { EventStore } from '../../storage/store.ts'
import type { Connection } from './connection.ts'
import { eventOf, type StoredEventRow } from './rows.ts'
import { encodeText } from './text.ts'

const COLUMNS = 'sequence, events.id, at, type, body, events.mac'

export function createPostgresEvents(connection: Connection): EventStore {
  const { schema } = connection
  const select = `SELECT ${COLUMNS} FROM ${schema}.events
    WHERE uid = (SELECT uid FROM ${schema}.users WHERE namespace = $1 AND id = $2)`
  return {
    async newest({ namespace, id }, { limit, before = Number.MAX_SAFE_INTEGER, types, from, to }) {
      const values: unknown[] = [namespace, id, before, limit]
      const filters: string[] = []
      const filterBy = (condition: string, value: unknown): void => {
        filters.push(`AND ${condition.replace('?', `$${values.push(value)}`)}`)
      }
      if (types !== undefined) filterBy('type = ANY(?)', types.map(encodeText))
      if (from !== undefined) filterBy('at >= ?', from)
      if (to !== undefined) filterBy('at < ?', to)
      const rows = await connection.query<StoredEventRow>({
        text: `${select} AND sequence < $3 ${filters.join(' ')} ORDER BY sequence DESC LIMIT $4`,
        values,
      })
      return rows.map(eventOf)
    },
    async oldest({ namespace, id }, { after, limit }) {
      const rows = await connection.query<StoredEventRow>({
        text: `${select} AND sequence > $3 ORDER BY sequence LIMIT $4`,
        values: [namespace, id, after, limit],
      })
      return rows.map(eventOf)
    },
    async tail(namespace, { after, limit }) {
      const rows = await connection.query<StoredEventRow & { position: number; user: string }>({
        text: `SELECT position, users.id AS user, ${COLUMNS} FROM ${schema}.events JOIN ${schema}.users USING (uid)
          WHERE events.namespace = $1 AND position > $2 ORDER BY position LIMIT $3`,
        values: [namespace, after, limit],
      })
      return rows.map((row) => ({ position: row.position, user: row.user, event: eventOf(row) }))
    },
    async position(namespace, eventId) {
      if (eventId === undefined) {
        const [row] = await connection.query<{ position: number | null }>({
          text: `SELECT max(position) AS position FROM ${schema}.events WHERE namespace = $1`,
          values: [namespace],
        })
        return row?.position ?? 0
      }
      const [row] = await connection.query<{ position: number }>({
        text: `SELECT position FROM ${schema}.events WHERE namespace = $1 AND id = $2`,
        values: [namespace, encodeText(eventId)],
      })
      return row?.position
    },
  }
}
