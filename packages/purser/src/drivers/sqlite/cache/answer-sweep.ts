import type { AnswerStore } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'

/**
 * One step of sweeping: first what was forgotten, as noted in `wipes`, then what has expired. A note goes when nothing
 * of it is left, so a crash only means that the next sweep goes on. Then the log is cut, which held older copies.
 */
export function prepareSweep(database: Database): AnswerStore['sweep'] {
  const prepare = database.prepare
  const first = prepare('SELECT wipe, owner, below FROM answer_wipes_1 WHERE namespace = ? ORDER BY wipe LIMIT 1')
  const wipeOwner = prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE owner = ?2 AND namespace = ?1 AND generation < ?3 LIMIT ?4)`)
  // Nobody uses what was cleared, so it is found among the longest unused.
  const wipeAll = prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE namespace = ?1 AND generation < ?2 ORDER BY used LIMIT ?3)`)
  const dropScopes = prepare('DELETE FROM answer_scopes_1 WHERE namespace = ? AND generation < ?')
  const wiped = prepare('DELETE FROM answer_wipes_1 WHERE wipe = ?')
  const expire = prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE namespace = ? AND expires_at < ? ORDER BY expires_at LIMIT ?)`)

  function wipe(namespace: string, limit: number): { readonly removed: number; readonly isDone: boolean } {
    let removed = 0
    let isDone = false
    for (let note = first.get(namespace); note !== undefined && removed < limit; note = first.get(namespace)) {
      const below = Number(note.below)
      const room = limit - removed
      const { changes } =
        note.owner === null
          ? wipeAll.run(namespace, below, room)
          : wipeOwner.run(namespace, note.owner ?? null, below, room)
      removed += Number(changes)
      if (Number(changes) === room) break
      if (note.owner === null) dropScopes.run(namespace, below)
      wiped.run(Number(note.wipe))
      isDone = true
    }
    return { removed, isDone }
  }

  return async (namespace, { now, limit }) => {
    const { removed, isDone } = await database.write(() => {
      const { removed, isDone } = wipe(namespace, limit)
      const room = limit - removed
      return { removed: removed + (room > 0 ? Number(expire.run(namespace, now, room).changes) : 0), isDone }
    })
    if (isDone) database.truncateLog()
    return removed
  }
}
