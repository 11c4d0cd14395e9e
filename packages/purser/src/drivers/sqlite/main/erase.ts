import type { Subject } from '../../../core/subject.ts'
import { type Erasure, LOG_OF_NAMESPACE } from '../../../storage/commit.ts'
import type { Database } from '../database.ts'
import type { ErasedRows, WipeCalls } from '../worker/threads.ts'
import type { RunCommit } from './commit.ts'
import { pack, unpack } from './packed-commit.ts'
import type { TurnFold } from './turn-fold.ts'
import { prepareTurnRows } from './turn-rows.ts'

/** Undefined when the erasure was decided on another state; nothing was written then. */
export type RunErase = (user: Subject, erasure: Erasure) => ErasedRows | undefined

const NO_ROWS: ErasedRows = { user: 0, events: 0, turns: 0, usage: 0 }

/**
 * Makes a user unreachable inside a transaction of the caller, in one cheap step: it deletes the row, and with it the
 * only way to the rows that belong to it; sets the incarnation that a new user starts with; records what is left to
 * wipe; and writes the event to the log of the namespace.
 */
export function prepareErase(database: Database, runCommit: RunCommit, fold: TurnFold): RunErase {
  const find = database.prepare('SELECT uid, incarnation, revision FROM users WHERE namespace = ? AND id = ?')
  const next = database.prepare('SELECT next FROM incarnations WHERE namespace = ? AND tag = ?')
  const countRecords = database.prepare('SELECT kind, count(*) AS rows FROM records WHERE uid = ? GROUP BY kind')
  const countOf = (table: string): ReturnType<Database['prepare']> =>
    database.prepare(`SELECT count(*) AS rows FROM ${table} WHERE uid = ?`)
  const counted = { events: countOf('events'), turns: countOf('turns_by_user'), usage: countOf('user_sums') }
  const remove = database.prepare('DELETE FROM users WHERE uid = ?')
  const setNext = database.prepare(`
    INSERT INTO incarnations (namespace, tag, next) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next`)
  const addPurge = database.prepare('INSERT INTO purges (uid, namespace, tag, id) VALUES (?, ?, ?, ?)')

  function countRows(uid: number): ErasedRows {
    const records = countRecords.all(uid).map(({ kind, rows }) => [String(kind), Number(rows)] as const)
    const others = Object.entries(counted).map(([kind, count]) => [kind, Number(count.get(uid)?.rows)] as const)
    return { user: 1, ...Object.fromEntries([...others, ...records]) }
  }

  return ({ namespace, id }, { tag, incarnation, revision, log }) => {
    const row = find.get(namespace, id)
    if (revision !== undefined && row?.revision !== revision) return undefined
    const current = row?.incarnation ?? next.get(namespace, tag)?.next ?? 1
    if (current !== incarnation || !runCommit(unpack(pack({ namespace, id: LOG_OF_NAMESPACE }, log)))) return undefined
    const uid = row === undefined ? null : Number(row.uid)
    // What they add to the sums of the namespace stays.
    if (uid !== null) fold.foldUser(uid)
    const counts = uid === null ? NO_ROWS : countRows(uid)
    if (uid !== null) remove.run(uid)
    setNext.run(namespace, tag, incarnation + 1)
    addPurge.run(uid, namespace, tag, id)
    return counts
  }
}

/** Name of the row of `meta` that says what is still to do with the files, see `setPendingRewrite`. */
export const PENDING_REWRITE = 'unclean'

/** The steps that wipe what an erasure has left; `purge.ts` runs them. */
export function prepareWipe(main: Database, fold: TurnFold): WipeCalls {
  const { removeOfUser } = prepareTurnRows(main)
  const slices = [
    'DELETE FROM events WHERE position IN (SELECT position FROM events WHERE uid = ? LIMIT ?)',
    'DELETE FROM records WHERE uid = ?1 AND (kind, name) IN (SELECT kind, name FROM records WHERE uid = ?1 LIMIT ?2)',
    'DELETE FROM replies WHERE uid = ?1 AND key IN (SELECT key FROM replies WHERE uid = ?1 LIMIT ?2)',
    `DELETE FROM user_sums WHERE uid = ?1 AND (day, hour, key) IN
      (SELECT day, hour, key FROM user_sums WHERE uid = ?1 LIMIT ?2)`,
  ].map(main.prepare)
  const removePurge = main.prepare('DELETE FROM purges WHERE purge = ?')
  const setMeta = main.prepare(
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const removeMeta = main.prepare('DELETE FROM meta WHERE name = ?')
  return {
    wipe: (uid, limit) =>
      main.write(() => {
        let wiped = 0
        for (const slice of slices) if (wiped < limit) wiped += Number(slice.run(uid, limit - wiped).changes)
        if (wiped === limit) return wiped
        const turns = removeOfUser(uid, limit - wiped)
        if (turns > 0) fold.noteRemoved()
        return wiped + turns
      }),
    endPurge: (purge) =>
      main.write(() => {
        setMeta.run(PENDING_REWRITE, 'rewrite')
        removePurge.run(purge)
      }),
    setPendingRewrite: (step) =>
      main.write(() => void (step === null ? removeMeta.run(PENDING_REWRITE) : setMeta.run(PENDING_REWRITE, step))),
  }
}
