import type { Subject } from '../../../core/subject.ts'
import { type Erasure, LOG_OF_NAMESPACE } from '../../../storage/store.ts'
import type { Database } from '../database.ts'
import type { RunCommit } from './commit.ts'
import { packCommit } from './packed-commit.ts'

/** Takes a user out of reach inside the caller's transaction. */
export type RunErase = (user: Subject, erasure: Erasure) => Readonly<Record<string, number>> | undefined

/**
 * One cheap step: the row goes, and with it the way to everything that hangs on it; the next life gets its number;
 * what is left to wipe is noted; the namespace's log gets its event. Undefined when it was decided on another state.
 */
export function prepareErase(database: Database, runCommit: RunCommit): RunErase {
  const find = database.prepare('SELECT uid, incarnation FROM users WHERE namespace = ? AND id = ?')
  const next = database.prepare('SELECT next FROM incarnations WHERE namespace = ? AND tag = ?')
  const countRecords = database.prepare('SELECT kind, count(*) AS rows FROM records WHERE uid = ? GROUP BY kind')
  const countEvents = database.prepare('SELECT count(*) AS rows FROM events WHERE uid = ?')
  const remove = database.prepare('DELETE FROM users WHERE uid = ?')
  const setNext = database.prepare(`
    INSERT INTO incarnations (namespace, tag, next) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next`)
  const notePurge = database.prepare('INSERT INTO purges (uid, namespace, tag, id) VALUES (?, ?, ?, ?)')

  return ({ namespace, id }, { tag, incarnation, log }) => {
    const row = find.get(namespace, id)
    const present = row?.incarnation ?? next.get(namespace, tag)?.next ?? 1
    if (present !== incarnation || !runCommit(packCommit({ namespace, id: LOG_OF_NAMESPACE }, log))) return undefined
    const uid = row === undefined ? null : Number(row.uid)
    const counts: Record<string, number> = { user: uid === null ? 0 : 1, events: 0 }
    if (uid !== null) {
      counts.events = Number(countEvents.get(uid)?.rows)
      for (const { kind, rows } of countRecords.all(uid)) counts[String(kind)] = Number(rows)
      remove.run(uid)
    }
    setNext.run(namespace, tag, incarnation + 1)
    notePurge.run(uid, namespace, tag, id)
    return counts
  }
}
