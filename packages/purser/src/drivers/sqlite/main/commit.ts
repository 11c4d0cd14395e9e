import type { Database } from '../database.ts'
import type { CommitColumns, CommitExtras } from './packed-commit.ts'
import { prepareRecorded } from './recorded.ts'
import type { TurnFold } from './turn-fold.ts'

/*
 * One commit as statements, run inside a transaction of the caller.
 *
 * The first statement compares and updates the user's row; when it changes no row, the commit is refused and nothing was
 * written. Nearly all commits are admissions and their settlements. An admission changes no facet but `cap_used`; a
 * settlement changes no facet and not the time the user was last seen. For both there is a shorter statement, which
 * compares the columns that it leaves out and so does not touch the indexes over them.
 */

const UPDATE_USAGE = `
UPDATE users SET revision = revision + 1, updated_at = ?, usage = coalesce(?, usage)
WHERE namespace = ? AND id = ? AND revision = ? AND incarnation = ?
  AND seen_at = ? AND cap_used = ?
  AND phase = ? AND risk_level = ? AND blocked = ? AND cap_used_until = ? AND peak = ?`

const UPDATE_ADMITTED = `
UPDATE users SET revision = revision + 1, updated_at = ?, seen_at = ?, cap_used = ?, usage = coalesce(?, usage)
WHERE namespace = ? AND id = ? AND revision = ? AND incarnation = ?
  AND phase = ? AND risk_level = ? AND blocked = ? AND cap_used_until = ? AND peak = ?`

const UPDATE_ROW = `
UPDATE users SET revision = revision + 1, updated_at = ?, seen_at = ?, cap_used = ?, usage = coalesce(?, usage),
  phase = ?, risk_level = ?, blocked = ?, cap_used_until = ?, peak = ?,
  head_sequence = coalesce(?, head_sequence), head_mac = coalesce(?, head_mac), mac = coalesce(?, mac),
  state = coalesce(?, state), measured = coalesce(?, measured)
WHERE namespace = ? AND id = ? AND revision = ? AND incarnation = ?`

const INSERT_ROW = `
INSERT INTO users (revision, updated_at, seen_at, cap_used, usage, phase, risk_level, blocked, cap_used_until, peak,
  head_sequence, head_mac, mac, state, measured, namespace, id, incarnation, created_at)
SELECT 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
WHERE coalesce((SELECT next FROM incarnations WHERE namespace = ? AND tag = ?), 1) = ?
ON CONFLICT (namespace, id) DO NOTHING`

/** False when the revision or the incarnation is not the expected one; nothing was written then. */
export type RunCommit = (commit: CommitColumns) => boolean

export function prepareCommit(database: Database, fold: TurnFold): RunCommit {
  const updateUsage = database.prepare(UPDATE_USAGE)
  const updateAdmitted = database.prepare(UPDATE_ADMITTED)
  const updateFullRow = database.prepare(UPDATE_ROW)
  const insertRow = database.prepare(INSERT_ROW)
  const findUid = database.prepare('SELECT uid FROM users WHERE namespace = ? AND id = ?')
  const writeChildren = prepareChildren(database)
  const writeRecorded = prepareRecorded(database, fold)

  return (commit) => {
    const { namespace, id, recorded, extras } = commit
    const isHotOnly = extras === null || (extras.folded === undefined && extras.measured === undefined)
    if (!(isHotOnly && updateHotColumns(commit)) && !updateRow(commit)) return false
    if (recorded !== null) writeRecorded(commit, recorded)
    if (extras !== null && hasChildren(extras))
      writeChildren(Number(findUid.get(namespace, id)?.uid), namespace, extras)
    return true
  }

  /** The shorter statements; false when a column they leave out has changed, or the commit is outdated. */
  function updateHotColumns(commit: CommitColumns): boolean {
    const { namespace, id, expect, incarnation, at, seenAt, capUsed, usage } = commit
    const { phase, riskLevel, blocked, capUsedUntil, peak } = commit
    if (expect === null) return false
    const row = [namespace, id, expect, incarnation] as const
    const facets = [phase, riskLevel, blocked, capUsedUntil, peak] as const
    if (seenAt !== at && updateUsage.run(at, usage, ...row, seenAt, capUsed, ...facets).changes === 1) return true
    return updateAdmitted.run(at, seenAt, capUsed, usage, ...row, ...facets).changes === 1
  }

  function updateRow(commit: CommitColumns): boolean {
    const { namespace, id, expect, incarnation, tag, at, seenAt, capUsed, usage } = commit
    const { phase, riskLevel, blocked, capUsedUntil, peak } = commit
    const { folded, measured = null } = commit.extras ?? {}
    const facets = [phase, riskLevel, blocked, capUsedUntil, peak]
    const head = [folded?.head.sequence ?? null, folded?.head.mac ?? null, folded?.headMac ?? null]
    const state = [folded?.state ?? null, measured]
    const values = [at, seenAt, capUsed, usage, ...facets, ...head, ...state, namespace, id]
    if (expect !== null) return updateFullRow.run(...values, expect, incarnation).changes === 1
    return insertRow.run(...values, incarnation, at, namespace, tag, incarnation).changes === 1
  }
}

function hasChildren({ events, records, replies, trims, dropEventsBelow }: CommitExtras): boolean {
  const rows = events.length + records.length + replies.length + trims.length
  return rows > 0 || dropEventsBelow !== undefined
}

/** Statements for the rows that belong to a user. */
function prepareChildren(database: Database): (uid: number, namespace: string, extras: CommitExtras) => void {
  const putRecord = database.prepare(
    'INSERT INTO records (uid, kind, name, value) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const deleteRecord = database.prepare('DELETE FROM records WHERE uid = ? AND kind = ? AND name = ?')
  // Deletes everything below the lowest name that stays. With fewer names, it compares with NULL and deletes nothing.
  const trim = database.prepare(`
    DELETE FROM records WHERE uid = ?1 AND kind = ?2 AND name <=
      (SELECT name FROM records WHERE uid = ?1 AND kind = ?2 ORDER BY name DESC LIMIT 1 OFFSET ?3)`)
  const addEvent = database.prepare(
    'INSERT INTO events (uid, namespace, sequence, id, at, type, body, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const dropEvents = database.prepare('DELETE FROM events WHERE uid = ? AND sequence < ?')
  const putReply = database.prepare(`
    INSERT INTO replies (uid, key, digest, result, expires_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET digest = excluded.digest, result = excluded.result, expires_at = excluded.expires_at`)

  return (uid, namespace, extras) => {
    for (const { kind, name, value } of extras.records) {
      if (value === null) deleteRecord.run(uid, kind, name)
      else putRecord.run(uid, kind, name, value)
    }
    for (const { kind, keep } of extras.trims) trim.run(uid, kind, keep)
    for (const { sequence, id, at, type, body, mac } of extras.events)
      addEvent.run(uid, namespace, sequence, id, at, type, body, mac)
    for (const { key, digest, result, expiresAt } of extras.replies) putReply.run(uid, key, digest, result, expiresAt)
    if (extras.dropEventsBelow !== undefined) dropEvents.run(uid, extras.dropEventsBelow)
  }
}
