import type { AnswerLimits } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import { IS_LIVE, inSegment } from './answer-schema.ts'
import type { AnswerSums, Segments } from './answer-segments.ts'

/** Rows of one eviction at most. When the limits have shrunk by more rows, the next writes continue. */
const EVICTION_ROWS = 4_096
/** Rows that are read for a run at least. */
const RUN_ROWS = 32
/** Expired rows that are deleted in one step. */
const EXPIRED_ROWS = 256

/** Deletes what is over the limits, inside a transaction of the caller; returns the keys of the evicted rows. */
export type Evict = (namespace: string, limits: AnswerLimits) => string[]

/**
 * Expired rows go first, then whole runs of the lowest ids. A row that was used gets a new id instead, once: this
 * approximates the order of use, and a hit writes no order.
 */
export function prepareEviction(database: Database, segments: Segments): Evict {
  const firstSegment = database.prepare(`SELECT segment FROM answer_segments_2
    WHERE namespace = ? AND entries > 0 ORDER BY segment LIMIT 1`)
  const liveRows = database.prepare(`SELECT id, key, used, bytes FROM answers_2
    WHERE ${inSegment('?2')} AND ${IS_LIVE} ORDER BY id LIMIT ?3`)
  const moveToEnd = database.prepare(`
    INSERT INTO answers_2 (short, namespace, owner, key, generation, stored_at, expires_at, used, bytes, mac, value)
    SELECT short, namespace, owner, key, generation, stored_at, expires_at, 0, bytes, mac, value
    FROM answers_2 WHERE id = ?`)
  const removeRun = database.prepare('DELETE FROM answers_2 WHERE id BETWEEN ?2 AND ?3 AND namespace = ?1')

  function isOver({ entries, bytes }: AnswerSums, { maxEntries, maxBytes }: AnswerLimits): boolean {
    return entries > maxEntries || bytes > maxBytes
  }

  /** Evicts or moves the first rows of the first segment, until the sums are within the limits. False: it has none. */
  function evictRun(namespace: string, limits: AnswerLimits, evicted: string[]): boolean {
    const segment = firstSegment.get(namespace)?.segment
    if (segment === undefined) return false
    let { entries, bytes } = segments.sums(namespace)
    const rows = liveRows.all(namespace, Number(segment), Math.max(RUN_ROWS, entries - limits.maxEntries))
    const first = rows[0]
    if (first === undefined) return false
    let last = Number(first.id)
    for (const row of rows) {
      if (!isOver({ entries, bytes }, limits)) break
      last = Number(row.id)
      if (row.used === 1) segments.change(Number(moveToEnd.run(last).lastInsertRowid))
      else {
        evicted.push(String(row.key))
        entries -= 1
        bytes -= Number(row.bytes)
      }
    }
    removeRun.run(namespace, Number(first.id), last)
    segments.change(last)
    segments.count(namespace)
    return true
  }

  return (namespace, limits) => {
    const mustEvict = (): boolean => isOver(segments.sums(namespace), limits)
    for (let removed = EXPIRED_ROWS; removed === EXPIRED_ROWS && mustEvict(); )
      ({ removed } = segments.removeDue(namespace, { now: limits.now, limit: EXPIRED_ROWS }))
    const evicted: string[] = []
    while (evicted.length < EVICTION_ROWS && mustEvict()) if (!evictRun(namespace, limits, evicted)) break
    return evicted
  }
}
