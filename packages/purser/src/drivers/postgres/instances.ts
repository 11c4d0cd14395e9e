import type { InstanceStore } from '../../storage/instance-store.ts'
import type { Connection } from './connection.ts'
import { decodeText, encodeText } from './text.ts'

interface Row {
  readonly id: string
  readonly value: string
  readonly age: number
}

/** Instances, whose ages the server measures. */
export function createPostgresInstances(connection: Connection): InstanceStore {
  const table = `${connection.schema}.instances`
  const age = '(extract(epoch FROM clock_timestamp() - written_at) * 1000)::float8'
  return {
    async publish({ id, value }, deadAfterMs) {
      await connection.query({
        name: 'publish instance',
        text: `WITH dead AS (DELETE FROM ${table} WHERE ${age} > $3 AND id <> $1)
          INSERT INTO ${table} (id, value, written_at) VALUES ($1, $2, clock_timestamp())
          ON CONFLICT (id) DO UPDATE SET value = excluded.value, written_at = excluded.written_at`,
        values: [encodeText(id), encodeText(value), deadAfterMs],
      })
    },
    async list({ maxAgeMs, limit }) {
      const rows = await connection.query<Row>({
        text: `SELECT id, value, ${age} AS age FROM ${table} WHERE ${age} <= $1 ORDER BY id LIMIT $2`,
        values: [maxAgeMs, limit],
      })
      return rows.map((row) => ({
        id: decodeText(row.id),
        value: decodeText(row.value),
        ageMs: Math.max(0, row.age),
      }))
    },
    async remove(id) {
      await connection.query({ text: `DELETE FROM ${table} WHERE id = $1`, values: [encodeText(id)] })
    },
  }
}
