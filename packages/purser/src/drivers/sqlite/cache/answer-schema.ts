import type { SQLOutputValue } from 'node:sqlite'
import type { AnswerTotals } from '../../../storage/answer-store.ts'

/*
 * The tables of the answer cache. Their names carry the format version: another format is another set of tables.
 *
 * A row is live while its generation is that of its scope: the greater of the scope's own and that of the namespace's
 * last `clear`. So `forget` and `clear` change one number; the dead rows are listed in `answer_wipes_1` and deleted
 * later. Scopes and sums count live rows only, and triggers keep them exact whatever deletes a row.
 *
 * Values have their own table, because otherwise recording a use would write the whole value again.
 */

export const ANSWER_TABLES = `
  CREATE TABLE IF NOT EXISTS answers_1 (
    id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, generation INTEGER NOT NULL,
    stored_at INTEGER NOT NULL, expires_at INTEGER, used INTEGER NOT NULL, bytes INTEGER NOT NULL, mac TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS answers_1_by_key ON answers_1 (key, namespace);
  CREATE INDEX IF NOT EXISTS answers_1_by_owner ON answers_1 (owner, namespace, key);
  CREATE INDEX IF NOT EXISTS answers_1_by_use ON answers_1 (namespace, used);
  CREATE INDEX IF NOT EXISTS answers_1_by_expiry ON answers_1 (namespace, expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE IF NOT EXISTS answer_values_1 (id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;

  CREATE TABLE IF NOT EXISTS answer_sums_1 (
    namespace TEXT PRIMARY KEY, latest INTEGER NOT NULL, cleared INTEGER NOT NULL,
    entries INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS answer_scopes_1 (
    owner TEXT NOT NULL, namespace TEXT NOT NULL, generation INTEGER NOT NULL,
    entries INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (owner, namespace)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS answer_wipes_1 (
    wipe INTEGER PRIMARY KEY, namespace TEXT NOT NULL, owner TEXT, below INTEGER NOT NULL
  ) STRICT;

  CREATE TRIGGER IF NOT EXISTS answers_1_in AFTER INSERT ON answers_1 BEGIN
    UPDATE answer_scopes_1 SET entries = entries + 1, bytes = bytes + NEW.bytes
      WHERE owner = NEW.owner AND namespace = NEW.namespace AND generation = NEW.generation;
  END;

  CREATE TRIGGER IF NOT EXISTS answers_1_out AFTER DELETE ON answers_1 BEGIN
    DELETE FROM answer_values_1 WHERE id = OLD.id;
    UPDATE answer_scopes_1 SET entries = entries - 1, bytes = bytes - OLD.bytes
      WHERE owner = OLD.owner AND namespace = OLD.namespace AND generation = OLD.generation;
    DELETE FROM answer_scopes_1 WHERE owner = OLD.owner AND namespace = OLD.namespace AND entries = 0
      AND generation <= (SELECT cleared FROM answer_sums_1 WHERE namespace = OLD.namespace);
  END;

  CREATE TRIGGER IF NOT EXISTS answer_scopes_1_sum AFTER UPDATE OF entries ON answer_scopes_1
    WHEN OLD.generation >= (SELECT cleared FROM answer_sums_1 WHERE namespace = NEW.namespace) BEGIN
    UPDATE answer_sums_1 SET entries = entries + NEW.entries - OLD.entries, bytes = bytes + NEW.bytes - OLD.bytes
      WHERE namespace = NEW.namespace;
  END;
`

/** The current generation of the scope of owner ?2 in namespace ?1. */
export const CURRENT_GENERATION = `max(
  coalesce((SELECT cleared FROM answer_sums_1 WHERE namespace = ?1), 0),
  coalesce((SELECT generation FROM answer_scopes_1 WHERE owner = ?2 AND namespace = ?1), 0))`

export const SELECT_GENERATION: string = `SELECT ${CURRENT_GENERATION} AS generation`
export const SELECT_SUMS = 'SELECT entries, bytes FROM answer_sums_1 WHERE namespace = ?1'

export type AnswerSqlRow = Record<string, SQLOutputValue>
export type AnswerSums = Omit<AnswerTotals, 'expired'>

export function sumsOf(row: AnswerSqlRow | undefined): AnswerSums {
  return { entries: Number(row?.entries ?? 0), bytes: Number(row?.bytes ?? 0) }
}
