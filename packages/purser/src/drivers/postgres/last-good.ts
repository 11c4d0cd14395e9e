import type { LastGoodStore } from '../../storage/last-good-store.ts'
import type { Connection } from './connection.ts'
import { decodeText, encodeText } from './text.ts'

/** Rows are counted once in so many openings of new rows, so the table may exceed its limit by as many rows. */
const OPENINGS_PER_TRIM = 256

interface Row {
  readonly incarnation: number
  readonly lease: string
  readonly value: string | null
  readonly loaded_at: number | null
}

/** Last good contexts. A row without a value is a lease whose load has not ended. */
export function createPostgresLastGood(connection: Connection): LastGoodStore {
  const table = `${connection.schema}.last_good`
  let openings = 0
  return {
    async open({ user, section, incarnation }, candidate, maxRows) {
      const key = [user.namespace, user.id, encodeText(section)]
      // The update changes nothing when the row is of this incarnation or a later one, so that it is returned either way.
      const [row] = await connection.query<Row>({
        name: 'last good',
        text: `INSERT INTO ${table} AS known (namespace, id, section, incarnation, lease) VALUES ($1, $2, $3, $4, $5)
          ON CONFLICT (namespace, id, section) DO UPDATE SET
            lease = CASE WHEN known.incarnation < $4 THEN excluded.lease ELSE known.lease END,
            value = CASE WHEN known.incarnation < $4 THEN NULL ELSE known.value END,
            loaded_at = CASE WHEN known.incarnation < $4 THEN NULL ELSE known.loaded_at END,
            incarnation = greatest(known.incarnation, $4)
          RETURNING incarnation, lease, value, loaded_at`,
        values: [...key, incarnation, candidate],
      })
      if (++openings % OPENINGS_PER_TRIM === 0) {
        await connection.query({
          text: `DELETE FROM ${table} WHERE written <=
            (SELECT written FROM ${table} ORDER BY written DESC LIMIT 1 OFFSET $1)`,
          values: [maxRows],
        })
      }
      if (row === undefined || row.incarnation !== incarnation) return {}
      const { lease, value, loaded_at: loadedAt } = row
      return value === null || loadedAt === null ? { lease } : { lease, data: { value: decodeText(value), loadedAt } }
    },
    async put({ user, section }, lease, { value, loadedAt }) {
      const rows = await connection.query({
        text: `UPDATE ${table} SET value = $4, loaded_at = $5, written = DEFAULT
          WHERE namespace = $1 AND id = $2 AND section = $3 AND lease = $6 AND coalesce(loaded_at, 0) <= $5 RETURNING 1`,
        values: [user.namespace, user.id, encodeText(section), encodeText(value), loadedAt, lease],
      })
      return rows.length === 1
    },
    async drop({ namespace, id }, section) {
      await connection.query({
        text: `DELETE FROM ${table} WHERE namespace = $1 AND id = $2 AND ($3::text IS NULL OR section = $3)`,
        values: [namespace, id, section === undefined ? null : encodeText(section)],
      })
    },
  }
}
