import type { StatementSync } from 'node:sqlite'
import type { Database } from '../database.ts'
import { PRESENT } from './answer-schema.ts'

const COLUMNS = 'key, generation, stored_at, expires_at, used, bytes, mac, value'

type Name =
  | 'generation'
  | 'get'
  | 'page'
  | 'remove'
  | 'touch'
  | 'insert'
  | 'insertValue'
  | 'ensureSums'
  | 'ensureScope'
  | 'nextGeneration'
  | 'heldBy'
  | 'clear'
  | 'noteWipe'
  | 'sums'
  | 'expired'

/** ?1 is the namespace and ?2 the owner, wherever both are asked for. */
const STATEMENTS: Readonly<Record<Name, string>> = {
  generation: `SELECT ${PRESENT} AS generation`,
  get: `SELECT ${COLUMNS} FROM answers_1 JOIN answer_values_1 USING (id)
    WHERE key = ?3 AND namespace = ?1 AND owner = ?2 AND generation = ${PRESENT}`,
  page: `SELECT ${COLUMNS} FROM answers_1 JOIN answer_values_1 USING (id)
    WHERE owner = ?2 AND namespace = ?1 AND key > ?3 AND generation = ${PRESENT} ORDER BY key LIMIT ?4`,
  remove: 'DELETE FROM answers_1 WHERE namespace = ?1 AND key = ?2',
  touch: 'UPDATE answers_1 SET used = ?3 WHERE namespace = ?1 AND key = ?2 AND used < ?3',
  insert: `INSERT INTO answers_1 (namespace, owner, key, generation, stored_at, expires_at, used, bytes, mac)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  // A torn file may hold a value without its row.
  insertValue: 'INSERT OR REPLACE INTO answer_values_1 VALUES (?, ?)',
  ensureSums: 'INSERT INTO answer_sums_1 VALUES (?1, 0, 0, 0, 0) ON CONFLICT DO NOTHING',
  ensureScope: `INSERT INTO answer_scopes_1 VALUES (?2, ?1, ?3, 0, 0)
    ON CONFLICT DO UPDATE SET generation = ?3, entries = 0, bytes = 0 WHERE generation < ?3`,
  nextGeneration: 'UPDATE answer_sums_1 SET latest = latest + 1 WHERE namespace = ?1 RETURNING latest',
  heldBy: `SELECT entries FROM answer_scopes_1 WHERE owner = ?2 AND namespace = ?1
    AND generation >= (SELECT cleared FROM answer_sums_1 WHERE namespace = ?1)`,
  clear: 'UPDATE answer_sums_1 SET cleared = ?2, entries = 0, bytes = 0 WHERE namespace = ?1',
  noteWipe: 'INSERT INTO answer_wipes_1 (namespace, owner, below) VALUES (?, ?, ?)',
  sums: 'SELECT entries, bytes FROM answer_sums_1 WHERE namespace = ?1',
  expired: `SELECT count(*) AS entries FROM answers_1 AS row WHERE namespace = ?1 AND expires_at < ?2
    AND generation = max((SELECT cleared FROM answer_sums_1 WHERE namespace = ?1),
      (SELECT generation FROM answer_scopes_1 WHERE owner = row.owner AND namespace = ?1))`,
}

export type AnswerStatements = Readonly<Record<Name, StatementSync>>

export function prepareAnswers(database: Database): AnswerStatements {
  const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)])
  return Object.fromEntries(prepared) as AnswerStatements
}
