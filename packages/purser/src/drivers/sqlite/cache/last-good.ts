import type { LastGoodStore } from '../../../storage/last-good-store.ts'
import type { Database } from '../database.ts'
import type { CacheWriter, LastGoodRow, LastGoodWriterCalls } from '../worker/threads.ts'

/** The name carries the format version: another format is another table, and this one is no longer used. */
const TABLE = 'last_good_1'

/*
 * `written` is the order of opening and writing; with too many rows, the lowest go first. A row without a value is a
 * lease whose load has not ended.
 */
const CREATE_TABLE = `
CREATE TABLE IF NOT EXISTS ${TABLE} (
  namespace TEXT NOT NULL, id TEXT NOT NULL, section TEXT NOT NULL,
  incarnation INTEGER NOT NULL, lease TEXT NOT NULL, value TEXT, loaded_at REAL, written INTEGER NOT NULL,
  PRIMARY KEY (namespace, id, section)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ${TABLE}_written ON ${TABLE} (written);`

const SELECT_ROW = `
SELECT incarnation, lease, value, loaded_at FROM ${TABLE} WHERE namespace = ? AND id = ? AND section = ?`

const NEXT_WRITTEN = `(SELECT coalesce(max(written), 0) + 1 FROM ${TABLE})`

/** Rows are counted once in so many openings of new rows, so the table may exceed its limit by as many rows. */
const OPENINGS_PER_TRIM = 256

/** Last good contexts in the cache file. */
export function createSqliteLastGood(database: Database, writer: CacheWriter): LastGoodStore {
  const find = database.prepare(SELECT_ROW)
  let openings = 0

  return {
    async open(key, candidate, maxRows) {
      const { user, section, incarnation } = key
      const row = await database.read(() => find.get(user.namespace, user.id, section))
      if (row !== undefined && Number(row.incarnation) >= incarnation) return leaseOf(row, incarnation)
      openings += 1
      const isTrimDue = openings % OPENINGS_PER_TRIM === 0
      const claim = { key, candidate, maxRows: isTrimDue ? maxRows : undefined }
      return leaseOf(await writer.call('claimLease', claim), incarnation)
    },
    put: (key, lease, data) => writer.call('putLastGood', key, lease, data),
    drop: (user, section) => writer.call('dropLastGood', user, section),
  }
}

function leaseOf(row: LastGoodRow | undefined, incarnation: number): Awaited<ReturnType<LastGoodStore['open']>> {
  if (row === undefined || row.incarnation !== incarnation) return {}
  const lease = String(row.lease)
  return typeof row.value === 'string'
    ? { lease, data: { value: row.value, loadedAt: Number(row.loaded_at) } }
    : { lease }
}

/** The writes to the last good contexts, in the thread of the cache writer. */
export function prepareLastGoodWrites(database: Database): LastGoodWriterCalls {
  database.connection.exec(CREATE_TABLE)
  const find = database.prepare(SELECT_ROW)
  const claim = database.prepare(`
    INSERT INTO ${TABLE} (namespace, id, section, incarnation, lease, written) VALUES (?, ?, ?, ?, ?, ${NEXT_WRITTEN})
    ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, lease = excluded.lease, value = NULL,
      loaded_at = NULL, written = excluded.written
    WHERE incarnation < excluded.incarnation`)
  const put = database.prepare(`
    UPDATE ${TABLE} SET value = ?4, loaded_at = ?5, written = ${NEXT_WRITTEN}
    WHERE namespace = ?1 AND id = ?2 AND section = ?3 AND lease = ?6 AND coalesce(loaded_at, 0) <= ?5`)
  const dropSection = database.prepare(`DELETE FROM ${TABLE} WHERE namespace = ? AND id = ? AND section = ?`)
  const dropUser = database.prepare(`DELETE FROM ${TABLE} WHERE namespace = ? AND id = ?`)
  const trim = database.prepare(
    `DELETE FROM ${TABLE} WHERE written <= (SELECT written FROM ${TABLE} ORDER BY written DESC LIMIT 1 OFFSET ?)`,
  )
  return {
    claimLease: ({ key: { user, section, incarnation }, candidate, maxRows }) =>
      database.write(() => {
        claim.run(user.namespace, user.id, section, incarnation, candidate)
        if (maxRows !== undefined) trim.run(maxRows)
        return find.get(user.namespace, user.id, section)
      }),
    putLastGood: ({ user, section }, lease, { value, loadedAt }) =>
      database.write(() => put.run(user.namespace, user.id, section, value, loadedAt, lease).changes === 1),
    dropLastGood: (user, section) =>
      database.write(() => {
        if (section === undefined) dropUser.run(user.namespace, user.id)
        else dropSection.run(user.namespace, user.id, section)
      }),
  }
}
