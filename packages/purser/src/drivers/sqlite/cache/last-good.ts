import type { Subject } from '../../../core/subject.ts'
import type { LastGood, LastGoodKey, LastGoodStore } from '../../../storage/last-good-store.ts'
import type { Database } from '../database.ts'
import type { CacheWriter } from './cache-writer.ts'

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

const FIND = `SELECT incarnation, lease, value, loaded_at FROM ${TABLE} WHERE namespace = ? AND id = ? AND section = ?`

const NEXT = `(SELECT coalesce(max(written), 0) + 1 FROM ${TABLE})`

/** Rows are counted this often, in openings of new places: the table may be larger than its limit by as many. */
const OPENINGS_PER_TRIM = 256

/** What writes to the last good contexts. */
export interface LastGoodWrites {
  /** Takes the place for a lease unless it is taken by this life or a later one; tells who has it. */
  claimLease(claim: LeaseClaim): Promise<Row>
  /** False when the lease is over, or later data is there. */
  keepGood(place: LastGoodKey, lease: string, kept: LastGood): Promise<boolean>
  dropGood(user: Subject, section: string | undefined): Promise<void>
}

export interface LeaseClaim {
  readonly place: LastGoodKey
  readonly candidate: string
  /** Given when rows are to be counted. */
  readonly maxRows: number | undefined
}

export function prepareLastGoodWrites(database: Database): LastGoodWrites {
  database.connection.exec(CREATE)
  const find = database.prepare(FIND)
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
  return {
    claimLease: ({ place: { user, section, incarnation }, candidate, maxRows }) =>
      database.write(() => {
        claim.run(user.namespace, user.id, section, incarnation, candidate)
        if (maxRows !== undefined) trim.run(maxRows)
        return find.get(user.namespace, user.id, section)
      }),
    keepGood: ({ user, section }, lease, { value, loadedAt }) =>
      database.write(() => write.run(user.namespace, user.id, section, value, loadedAt, lease).changes === 1),
    dropGood: (user, section) =>
      database.write(() => {
        if (section === undefined) dropAll.run(user.namespace, user.id)
        else dropOne.run(user.namespace, user.id, section)
      }),
  }
}

/** Last good contexts in the file that can be rebuilt. */
export function createSqliteLastGood(database: Database, writer: CacheWriter): LastGoodStore {
  const find = database.prepare(FIND)
  let openings = 0

  return {
    async open(place, candidate, maxRows) {
      const { user, section, incarnation } = place
      const row = await database.read(() => find.get(user.namespace, user.id, section))
      if (row !== undefined && Number(row.incarnation) >= incarnation) return opened(row, incarnation)
      openings += 1
      const counted = openings % OPENINGS_PER_TRIM === 0 ? maxRows : undefined
      return opened(await writer.call('claimLease', { place, candidate, maxRows: counted }), incarnation)
    },
    keep: (place, lease, kept) => writer.call('keepGood', place, lease, kept),
    drop: (user, section) => writer.call('dropGood', user, section),
  }
}

export type Row = Record<string, unknown> | undefined

function opened(row: Row, incarnation: number): Awaited<ReturnType<LastGoodStore['open']>> {
  if (row === undefined || row.incarnation !== incarnation) return {}
  const lease = String(row.lease)
  return typeof row.value === 'string'
    ? { lease, kept: { value: row.value, loadedAt: Number(row.loaded_at) } }
    : { lease }
}
