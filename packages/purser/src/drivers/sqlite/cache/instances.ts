import type { Effects } from '../../../core/effects.ts'
import type { InstanceStore } from '../../../storage/instance-store.ts'
import type { Database } from '../database.ts'
import type { CacheWriter, InstanceWriterCalls } from '../worker/threads.ts'

/** The name carries the format version, as for the other tables of the cache file. */
const TABLE = 'instances_1'

const CREATE_TABLE = `
CREATE TABLE IF NOT EXISTS ${TABLE} (
  id TEXT PRIMARY KEY, value TEXT NOT NULL, written_at REAL NOT NULL
) STRICT, WITHOUT ROWID;`

/** Instances in the cache file. All processes are on one machine, so its clock is the clock of the store. */
export function createSqliteInstances(
  database: Database,
  writer: CacheWriter,
  { now }: Pick<Effects, 'now'>,
): InstanceStore {
  const select = database.prepare(
    `SELECT id, value, ?1 - written_at AS age FROM ${TABLE} WHERE ?1 - written_at <= ?2 ORDER BY id LIMIT ?3`,
  )
  return {
    publish: (row, deadAfterMs) => writer.call('publishInstance', row, { now: now(), deadAfterMs }),
    async list({ maxAgeMs, limit }) {
      const rows = await database.read(() => select.all(now(), maxAgeMs, limit))
      return rows.map(({ id, value, age }) => ({
        id: String(id),
        value: String(value),
        ageMs: Math.max(0, Number(age)),
      }))
    },
    remove: (id) => writer.call('removeInstance', id),
  }
}

/** The writes to the instances, in the thread of the cache writer. */
export function prepareInstanceWrites(database: Database): InstanceWriterCalls {
  database.connection.exec(CREATE_TABLE)
  const put = database.prepare(`
    INSERT INTO ${TABLE} (id, value, written_at) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, written_at = excluded.written_at`)
  const removeDead = database.prepare(`DELETE FROM ${TABLE} WHERE ? - written_at > ?`)
  const remove = database.prepare(`DELETE FROM ${TABLE} WHERE id = ?`)
  return {
    publishInstance: ({ id, value }, { now, deadAfterMs }) =>
      database.write(() => {
        removeDead.run(now, deadAfterMs)
        put.run(id, value, now)
      }),
    removeInstance: (id) => database.write(() => void remove.run(id)),
  }
}
