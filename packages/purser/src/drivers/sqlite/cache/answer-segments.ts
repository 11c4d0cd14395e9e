import type { Database } from '../database.ts'
import { COUNT_SEGMENT, IS_LIVE, inSegment, SEGMENT_IDS, SELECT_SUMS } from './answer-schema.ts'

export interface AnswerSums {
  readonly entries: number
  readonly bytes: number
}

/** The sums of rows by segment, inside the transactions of the caller. */
export interface Segments {
  /** The segment of this row has to be counted again. */
  change(id: number): void
  /** Counts the changed segments, for a namespace in which all their changes were. */
  count(namespace: string): void
  /** Sums of the live rows of a namespace. */
  sums(namespace: string): AnswerSums
  /** All rows of the namespace are dead. */
  clear(namespace: string): void
  /** Deletes at most `limit` rows that are dead or expired before `now`, by segment. `dead`: how many were dead before. */
  removeDue(
    namespace: string,
    step: { readonly now: number; readonly limit: number },
  ): { readonly removed: number; readonly dead: number }
}

export function prepareSegments(database: Database): Segments {
  const drop = database.prepare('DELETE FROM answer_segments_2 WHERE namespace = ?1 AND segment = ?2')
  const count = database.prepare(COUNT_SEGMENT)
  const sums = database.prepare(SELECT_SUMS)
  const clear = database.prepare(`UPDATE answer_segments_2
    SET dead = dead + entries, entries = 0, bytes = 0, expires_first = NULL, expires_last = NULL WHERE namespace = ?`)
  const due = database.prepare(`SELECT segment, dead FROM answer_segments_2
    WHERE namespace = ?1 AND (dead > 0 OR expires_first < ?2) ORDER BY segment`)
  const removeDue = database.prepare(`DELETE FROM answers_2 WHERE id IN (
    SELECT id FROM answers_2 WHERE ${inSegment('?2')} AND (expires_at < ?3 OR NOT ${IS_LIVE}) LIMIT ?4)`)
  const changed = new Set<number>()

  function countOne(namespace: string, segment: number): void {
    drop.run(namespace, segment)
    count.run(namespace, segment)
  }

  return {
    change(id) {
      changed.add(Math.floor(id / SEGMENT_IDS))
    },
    count(namespace) {
      for (const segment of changed) countOne(namespace, segment)
      changed.clear()
    },
    sums(namespace) {
      const row = sums.get(namespace)
      return { entries: Number(row?.entries), bytes: Number(row?.bytes) }
    },
    clear(namespace) {
      clear.run(namespace)
    },
    removeDue(namespace, { now, limit }) {
      let removed = 0
      let deadRows = 0
      for (const { segment, dead } of due.all(namespace, now)) {
        if (removed >= limit) break
        removed += Number(removeDue.run(namespace, Number(segment), now, limit - removed).changes)
        deadRows += Number(dead)
        countOne(namespace, Number(segment))
      }
      return { removed, dead: deadRows }
    },
  }
}
