import type { Database } from '../database.ts'
import type { Caps, Uses } from './answer-writes.ts'

/** Rows that one write removes at most. When the caps have shrunk by more, the next writes go on. */
const ROOM_ROWS = 1_024
const EXPIRED_AT_A_TIME = 64
/** Rows that are asked about together. */
const ASKED_AT_A_TIME = 32

export interface Room {
  /** Keys of the live rows that went. */
  readonly evicted: readonly string[]
  /** Keys of the longest unused rows, of which nothing is known and one has to go; empty when there is room. */
  readonly asked: readonly string[]
}

/** Removes, inside the caller's transaction, what is over the caps: what has expired, then what is longest unused. */
export type MakeRoom = (namespace: string, caps: Caps, uses: Uses) => Room

export function prepareRoom(
  database: Database,
  totals: (namespace: string) => { readonly entries: number; readonly bytes: number },
): MakeRoom {
  const removeExpired = database.prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE namespace = ? AND expires_at < ? ORDER BY expires_at LIMIT ${EXPIRED_AT_A_TIME})`)
  const oldest = database.prepare('SELECT id, key, used FROM answers_1 WHERE namespace = ? ORDER BY used LIMIT ?')
  const remove = database.prepare('DELETE FROM answers_1 WHERE id = ?')
  const moveUp = database.prepare('UPDATE answers_1 SET used = ? WHERE id = ?')

  return (namespace, { maxEntries, maxBytes, now }, uses) => {
    const evicted: string[] = []
    let held = totals(namespace)
    let mayBeExpired = true
    for (let steps = 0; steps < ROOM_ROWS && (held.entries > maxEntries || held.bytes > maxBytes); steps++) {
      if (mayBeExpired) {
        mayBeExpired = removeExpired.run(namespace, now).changes === EXPIRED_AT_A_TIME
        held = totals(namespace)
        continue
      }
      const row = oldest.get(namespace, 1)
      if (row === undefined) break
      const used = uses.get(String(row.key))
      if (used === undefined)
        return { evicted, asked: oldest.all(namespace, ASKED_AT_A_TIME).map(({ key }) => String(key)) }
      if (used !== null && used > Number(row.used)) {
        moveUp.run(used, Number(row.id))
        continue
      }
      remove.run(Number(row.id))
      const left = totals(namespace)
      // A dead row on its way to be wiped was not counted, and is nobody's loss.
      if (left.entries < held.entries) evicted.push(String(row.key))
      held = left
    }
    return { evicted, asked: [] }
  }
}
