import type { Database } from '../database.ts'
import type { CounterPart, MoreOfCommit, PackedCommit } from './packed-commit.ts'
import { counterKey } from './rows.ts'

/*
 * One commit as statements, to be run inside a transaction.
 *
 * The first statement compares and changes the user's row; when it changes none, the commit is refused and nothing
 * was written. Nearly all commits are admissions and what closes them. An admission leaves the facets as they were
 * apart from `cap_used`, a settlement leaves all of them and the time the user was seen. Both have a shorter statement
 * that finds unchanged what it leaves out, and so need not touch the indexes over it.
 */

const COUNTED = `
UPDATE users SET revision = revision + 1, updated_at = ?, counters = json_patch(counters, ?)
WHERE namespace = ? AND id = ? AND revision = ? AND incarnation = ?
  AND seen_at = ? AND cap_used = ?
  AND phase = ? AND risk_level = ? AND blocked = ? AND cap_used_until = ? AND peak = ?`

const CHANGED_BY_ADMISSION = `
UPDATE users SET revision = revision + 1, updated_at = ?, seen_at = ?, cap_used = ?, counters = json_patch(counters, ?)
WHERE namespace = ? AND id = ? AND revision = ? AND incarnation = ?
  AND phase = ? AND risk_level = ? AND blocked = ? AND cap_used_until = ? AND peak = ?`

const CHANGED = `
UPDATE users SET revision = revision + 1, updated_at = ?, seen_at = ?, cap_used = ?, counters = json_patch(counters, ?),
  phase = ?, risk_level = ?, blocked = ?, cap_used_until = ?, peak = ?,
  head_sequence = coalesce(?, head_sequence), head_mac = coalesce(?, head_mac), mac = coalesce(?, mac),
  state = coalesce(?, state), measured = coalesce(?, measured)
WHERE namespace = ? AND id = ? AND revision = ? AND incarnation = ?`

const CREATED = `
INSERT INTO users (revision, updated_at, seen_at, cap_used, counters, phase, risk_level, blocked, cap_used_until, peak,
  head_sequence, head_mac, mac, state, measured, namespace, id, incarnation, created_at)
SELECT 1, ?, ?, ?, json_patch('{}', ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
WHERE coalesce((SELECT next FROM incarnations WHERE namespace = ? AND tag = ?), 1) = ?
ON CONFLICT (namespace, id) DO NOTHING`

/** Runs a commit inside the caller's transaction. False when it was decided on another state; then nothing is written. */
export type RunCommit = (commit: PackedCommit) => boolean

export function prepareCommit(database: Database): RunCommit {
  const counted = database.prepare(COUNTED)
  const changedByAdmission = database.prepare(CHANGED_BY_ADMISSION)
  const changed = database.prepare(CHANGED)
  const created = database.prepare(CREATED)
  const findUid = database.prepare('SELECT uid FROM users WHERE namespace = ? AND id = ?')
  const writeChildren = prepareChildren(database)

  return (commit) => {
    const [namespace, id, , , , , , , , , more] = commit
    const mayBeShort = more === null || (more.folded === undefined && more.measured === undefined)
    if (!(mayBeShort && shortWay(commit)) && !longWay(commit)) return false
    if (more !== null && hasChildren(more)) writeChildren(Number(findUid.get(namespace, id)?.uid), namespace, more)
    return true
  }

  /** The short ways; false when something they leave out has changed, or the row. */
  function shortWay([
    namespace,
    id,
    expect,
    incarnation,
    ,
    at,
    seenAt,
    capUsed,
    facets,
    counters,
  ]: PackedCommit): boolean {
    if (expect === null) return false
    const patch = counterPatch(counters)
    const row = [namespace, id, expect, incarnation] as const
    if (seenAt !== at && counted.run(at, patch, ...row, seenAt, capUsed, ...facets).changes === 1) return true
    return changedByAdmission.run(at, seenAt, capUsed, patch, ...row, ...facets).changes === 1
  }

  function longWay(commit: PackedCommit): boolean {
    const [namespace, id, expect, incarnation, tag, at, seenAt, capUsed, facets, counters, more] = commit
    const { folded, measured = null } = more ?? {}
    const head = [folded?.head.sequence ?? null, folded?.head.mac ?? null, folded?.headMac ?? null]
    const state = [folded?.state ?? null, measured]
    const values = [at, seenAt, capUsed, counterPatch(counters), ...facets, ...head, ...state, namespace, id]
    if (expect !== null) return changed.run(...values, expect, incarnation).changes === 1
    return created.run(...values, incarnation, at, namespace, tag, incarnation).changes === 1
  }
}

/** A merge patch: a number sets a counter, null drops it. */
function counterPatch(parts: readonly CounterPart[]): string {
  if (parts.length === 0) return '{}'
  const patch: Record<string, number | null> = {}
  for (let at = 0; at < parts.length; at += 3) {
    const [limit, window, value] = parts.slice(at, at + 3) as [string, string, number | null]
    // JSON has no NaN and no infinity; null in their place would drop the counter.
    if (value !== null && !Number.isFinite(value)) throw new Error(`The counter '${limit}' is not a number.`)
    patch[counterKey({ limit, window })] = value
  }
  return JSON.stringify(patch)
}

function hasChildren({ events, records, replies, trims, dropEventsBelow }: MoreOfCommit): boolean {
  return events.length + records.length + replies.length + trims.length > 0 || dropEventsBelow !== undefined
}

function prepareChildren(database: Database): (uid: number, namespace: string, more: MoreOfCommit) => void {
  const putRecord = database.prepare(
    'INSERT INTO records (uid, kind, name, value) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  )
  const deleteRecord = database.prepare('DELETE FROM records WHERE uid = ? AND kind = ? AND name = ?')
  // Everything below the lowest name that stays. With fewer names than that, the comparison is with NULL: none goes.
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

  return (uid, namespace, commit) => {
    for (const { kind, name, value } of commit.records) {
      if (value === null) deleteRecord.run(uid, kind, name)
      else putRecord.run(uid, kind, name, value)
    }
    for (const { kind, keep } of commit.trims) trim.run(uid, kind, keep)
    for (const { sequence, id, at, type, body, mac } of commit.events)
      addEvent.run(uid, namespace, sequence, id, at, type, body, mac)
    for (const { key, digest, result, expiresAt } of commit.replies) putReply.run(uid, key, digest, result, expiresAt)
    if (commit.dropEventsBelow !== undefined) dropEvents.run(uid, commit.dropEventsBelow)
  }
}
