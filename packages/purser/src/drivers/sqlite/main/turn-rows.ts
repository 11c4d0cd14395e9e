import { MAX_TRIMMED_TURNS } from '../../../storage/commit.ts'
import type { Database } from '../database.ts'

/** Where a turn and its entries are. */
interface TurnKey {
  readonly position: number
  readonly uid: number
  readonly namespace: string
  readonly id: string
}

/**
 * The rows of turns and their entries by user and by id, inside transactions of the caller. Whatever removes turns counts
 * up the version of the fold, see `turn-fold.ts`.
 */
export interface TurnRows {
  /** Adds the entries by id of the turns at these positions. A turn whose id the namespace has already is removed. */
  listById(after: number, upto: number): void
  /** Adds the entries by user. Done again, and for turns that are not stored: no effect. */
  listByUser(positions: readonly number[]): void
  /** Removes the turns of a user below the `keep` highest ids, at most `MAX_TRIMMED_TURNS`. Returns their number. */
  trim(uid: number, keep: number): number
  /** Removes at most `limit` turns of a user. Returns their number. */
  removeOfUser(uid: number, limit: number): number
  /** Removes at most `limit` turns with an id below this one. Returns their number. */
  removeBelow(namespace: string, below: string, limit: number): number
}

export function prepareTurnRows(main: Database): TurnRows {
  const addById = main.prepare(`INSERT OR IGNORE INTO turns_by_id (namespace, id, position)
    SELECT namespace, id, position FROM turns WHERE position > ? AND position <= ? ORDER BY namespace, id, position`)
  const countRows = main.prepare('SELECT count(*) AS rows FROM turns WHERE position > ? AND position <= ?')
  const removeRepeated = main.prepare(`DELETE FROM turns WHERE position > ? AND position <= ? AND position <>
    (SELECT position FROM turns_by_id AS entries WHERE entries.namespace = turns.namespace AND entries.id = turns.id)`)
  const addByUser = main.prepare(`INSERT OR IGNORE INTO turns_by_user (uid, id, position)
    SELECT uid, turns.id, position FROM json_each(?) AS list CROSS JOIN turns ON position = list.value`)
  const removeRow = main.prepare('DELETE FROM turns WHERE position = ?')
  const removeById = main.prepare('DELETE FROM turns_by_id WHERE namespace = ? AND id = ?')
  const removeByUser = main.prepare('DELETE FROM turns_by_user WHERE uid = ? AND id = ?')
  const rowsOfUser = `SELECT position, uid, namespace, turns.id FROM turns_by_user AS entries
    CROSS JOIN turns USING (position, uid) WHERE uid = ?1`
  // Below the lowest id that stays. With fewer turns, it compares with NULL and finds nothing.
  const aboveLimit = main.prepare(`${rowsOfUser} AND entries.id <=
      (SELECT id FROM turns_by_user WHERE uid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
    ORDER BY entries.id LIMIT ${MAX_TRIMMED_TURNS}`)
  const ofUser = main.prepare(`${rowsOfUser} LIMIT ?2`)
  const below = main.prepare(`SELECT position, uid, entries.namespace, entries.id FROM turns_by_id AS entries
    CROSS JOIN turns USING (position) WHERE entries.namespace = ? AND entries.id < ? LIMIT ?`)

  function remove(rows: readonly unknown[]): number {
    for (const { position, uid, namespace, id } of rows as readonly TurnKey[]) {
      removeRow.run(position)
      removeById.run(namespace, id)
      removeByUser.run(uid, id)
    }
    return rows.length
  }

  return {
    listById(after, upto) {
      const added = addById.run(after, upto).changes
      if (added !== countRows.get(after, upto)?.rows) removeRepeated.run(after, upto)
    },
    listByUser: (positions) => void addByUser.run(JSON.stringify(positions)),
    trim: (uid, keep) => remove(aboveLimit.all(uid, keep)),
    removeOfUser: (uid, limit) => remove(ofUser.all(uid, limit)),
    removeBelow: (namespace, id, limit) => remove(below.all(namespace, id, limit)),
  }
}
