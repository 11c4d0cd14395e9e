import type { LastGoodStore } from '../../context/port.ts'
import type { Database } from './database.ts'

/** Throw-away data: another format gets another table, and this one is left to be dropped. */
const TABLE = 'last_good_1'

/*
 * `written` is the order of opening and keeping; the lowest go first when there are too many rows. A row without a
 * value is a lease that waits for its load.
 */
const CREATE = `
CREATE TABLE IF NOT EXISTS ${TABLE} (
  namespace TEXT NOT NULL, id TEXT NOT NULL, section TEXT NOT NULL,
  incarnation INTEGER NOT NULL, lease TEXT NOT NULL, value TEXT, loaded_at REAL, written INTEGER NOT NULL,
  PRIMARY KEY (namespace, id, section)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ${TABLE}_written ON ${TABLE} (written);`

const NEXT = `(SELECT coalesce(max(written), 0) + 1 FROM ${TABLE})`

/** Rows are counted this often, in openings of new places: the table may be larger than its limit by as many. */
const OPENINGS_PER_TRIM = 256

/** Last good contexts in the file that can be rebuilt. */
export function createSqliteLastGood(database: Database): LastGoodStore {
  database.connection.exec(CREATE)
  const find = database.prepare(
    `SELECT incarnation, lease, value, loaded_at FROM ${TABLE} WHERE namespace = ? AND id = ? AND section = ?`,
  )
  const claim = database.prepare(`
    INSERT INTO ${TABLE} (namespace, id, section, incarnation, lease, written) VALUES (?, ?, ?, ?, ?, ${NEXT})
    ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, lease = excluded.lease, value = NULL,
      loaded_at = NULL, written = excluded.written
    WHERE incarnation < excluded.incarnation`)
  const write = database.prepare(`
    UPDATE ${TABLE} SET value = ?4, loaded_at = ?5, written = ${NEXT}
    WHERE namespace = ?1 AND id = ?2 AND section = ?3 AND lease = ?6 AND coalesce(loaded_at, 0) <= ?5`)
  const dropOne = database.prepare(`DELETE FROM ${TABLE} WHERE namespace = ? AND id = ? AND section = ?`)
  const dropAll = database.prepare(`DELETE FROM ${TABLE} WHERE namespace = ? AND id = ?`)
  const trim = database.prepare(
    `DELETE FROM ${TABLE} WHERE written <= (SELECT written FROM ${TABLE} ORDER BY written DESC LIMIT 1 OFFSET ?)`,
  )
  let openings = 0

  return {
    async open({ user, section, incarnation }, candidate, maxRows) {
      const place = [user.namespace, user.id, section] as const
      const row = await database.read(() => find.get(...place))
      if (row === undefined || Number(row.incarnation) < incarnation) {
        openings += 1
        const trims = openings % OPENINGS_PER_TRIM === 0
        const claimed = await database.write(() => {
          claim.run(...place, incarnation, candidate)
          if (trims) trim.run(maxRows)
          return find.get(...place)
        })
        return opened(claimed, incarnation)
      }
      return opened(row, incarnation)
    },

    async keep({ user, section }, lease, { value, loadedAt }) {
      const { changes } = await database.write(() =>
        write.run(user.namespace, user.id, section, value, loadedAt, lease),
      )
      return changes === 1
    },

    async drop(user, section) {
      await database.write(() => {
        if (section === undefined) dropAll.run(user.namespace, user.id)
        else dropOne.run(user.namespace, user.id, section)
      })
    },
  }
}

type Row = Record<string, unknown> | undefined

function opened(row: Row, incarnation: number): Awaited<ReturnType<LastGoodStore['open']>> {
  if (row === undefined || row.incarnation !== incarnation) return {}
  const lease = String(row.lease)
  return typeof row.value === 'string'
    ? { lease, kept: { value: row.value, loadedAt: Number(row.loaded_at) } }
    : { lease }
}
