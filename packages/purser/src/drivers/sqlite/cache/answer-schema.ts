import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'

/*
 * The tables of the answer cache. Their names carry the format version: another format is another set of tables.
 *
 * A row is live while its generation is that of its scope: the greater of the scope's own and that of the namespace's
 * last `clear`. So `forget` and `clear` change one number, and the dead rows are deleted later.
 *
 * Ids grow, so they are the order of eviction. 256 of them form a segment. `answer_segments_2` has one row for the rows
 * of a namespace in a segment: what they count, and when the first and the last of them expire. It is counted again from
 * the rows after every change of them. Sums come from these few rows; so do the rows that have expired or are dead, without
 * an index for them.
 *
 * The only index has short keys: four bytes from the owner and eight from the key. It finds the row of a key and, since
 * the rows of an owner are neighbors, those of a scope. Owner and key are compared in full afterwards.
 */

/** Ids of one segment. */
export const SEGMENT_IDS = 256

/** Beyond any `expires_at`: the row never expires. */
const NEVER = 9_000_000_000_000_000

/** The generation of the scope of `owner` in `namespace`, which are parameters or columns. */
function generationOf(namespace: string, owner: string): string {
  return `max(
    coalesce((SELECT cleared FROM answer_namespaces_2 WHERE namespace = ${namespace}), 0),
    coalesce((SELECT generation FROM answer_scopes_2 WHERE owner = ${owner} AND namespace = ${namespace}), 0))`
}

/** Of the scope of owner ?2 in namespace ?1. */
export const CURRENT_GENERATION: string = generationOf('?1', '?2')

/** Whether a row of `answers_2` is live. */
export const IS_LIVE: string = `generation = ${generationOf('answers_2.namespace', 'answers_2.owner')}`

/** The rows of namespace ?1 in a segment. */
export function inSegment(segment: string): string {
  return `id BETWEEN ${segment} * ${SEGMENT_IDS} AND ${segment} * ${SEGMENT_IDS} + ${SEGMENT_IDS - 1} AND namespace = ?1`
}

/** The row of a key, by namespace ?1, owner ?2, key ?3 and short key ?4. */
export const IS_KEY = 'short = ?4 AND key = ?3 AND owner = ?2 AND namespace = ?1'

export const SELECT_SUMS = `
  SELECT coalesce(sum(entries), 0) AS entries, coalesce(sum(bytes), 0) AS bytes
  FROM answer_segments_2 WHERE namespace = ?1`

/** Live rows of namespace ?1 that expired before ?2. Rows are visited in segments of which some have expired. */
export const COUNT_EXPIRED: string = `
  SELECT coalesce(sum(CASE WHEN expires_last < ?2 THEN entries ELSE (
    SELECT count(*) FROM answers_2 WHERE ${inSegment('segment')} AND expires_at < ?2 AND ${IS_LIVE}) END), 0) AS expired
  FROM answer_segments_2 WHERE namespace = ?1 AND expires_first < ?2`

/** Counts the rows of namespace ?1 in segment ?2. */
export const COUNT_SEGMENT: string = `
  WITH counted AS MATERIALIZED (
    SELECT bytes, expires_at, ${IS_LIVE} AS live FROM answers_2 WHERE ${inSegment('?2')})
  INSERT INTO answer_segments_2
  SELECT ?1, ?2, sum(live), coalesce(sum(bytes) FILTER (WHERE live), 0), sum(NOT live),
    min(expires_at) FILTER (WHERE live), max(coalesce(expires_at, ${NEVER})) FILTER (WHERE live)
  FROM counted HAVING count(*) > 0`

/** Creates the tables, and removes those of earlier formats with everything that they hold. */
export function createAnswerTables(connection: DatabaseSync): void {
  connection.exec(`
    CREATE TABLE IF NOT EXISTS answers_2 (
      id INTEGER PRIMARY KEY, short BLOB NOT NULL, namespace TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL,
      generation INTEGER NOT NULL, stored_at INTEGER NOT NULL, expires_at INTEGER, used INTEGER NOT NULL,
      bytes INTEGER NOT NULL, mac TEXT NOT NULL, value TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS answers_2_by_key ON answers_2 (short);

    CREATE TABLE IF NOT EXISTS answer_segments_2 (
      namespace TEXT NOT NULL, segment INTEGER NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
      dead INTEGER NOT NULL, expires_first INTEGER, expires_last INTEGER, PRIMARY KEY (namespace, segment)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE IF NOT EXISTS answer_namespaces_2 (
      namespace TEXT PRIMARY KEY, latest INTEGER NOT NULL, cleared INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE IF NOT EXISTS answer_scopes_2 (
      owner TEXT NOT NULL, namespace TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (owner, namespace)
    ) STRICT, WITHOUT ROWID;`)
  dropFirstFormat(connection)
}

/** Overwrites the rows (`secure_delete`); the caller's checkpoint removes them from the log. */
function dropFirstFormat(connection: DatabaseSync): void {
  const tables = ['answers_1', 'answer_values_1', 'answer_sums_1', 'answer_scopes_1', 'answer_wipes_1']
  if (connection.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(tables[0] as string) === undefined) return
  connection.exec(`BEGIN IMMEDIATE; ${tables.map((table) => `DROP TABLE IF EXISTS ${table};`).join('')} COMMIT`)
  connection.exec('PRAGMA wal_checkpoint(TRUNCATE)')
}

const OWNER_BYTES = 4
const SHORT_BYTES = 12

/** The short key of a row. An empty key gives the first one of the owner. */
export function shortKey(owner: string, key: string): Uint8Array {
  const short = Buffer.alloc(SHORT_BYTES)
  short.writeUInt32BE(fnv1a(owner))
  Buffer.from(key.slice(0, SHORT_BYTES - OWNER_BYTES)).copy(short, OWNER_BYTES)
  return short
}

/** The last possible short key of the owner. */
export function lastShortKey(owner: string): Uint8Array {
  const short = Buffer.alloc(SHORT_BYTES, 0xff)
  short.writeUInt32BE(fnv1a(owner))
  return short
}

/** The 32-bit FNV-1a hash, which spreads owners evenly whatever text they are. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

export type AnswerSqlRow = Record<string, SQLOutputValue>
