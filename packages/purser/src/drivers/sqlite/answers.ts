import type { SQLOutputValue } from 'node:sqlite'
import type { AnswerRow, AnswerScope, AnswerStore, AnswerTotals } from '../../answers/port.ts'
import { prepareRoom } from './answer-room.ts'
import { prepareSweep } from './answer-sweep.ts'
import { ANSWER_TABLES, PRESENT } from './answer-tables.ts'
import type { Database } from './database.ts'

/** Answers in the rebuildable file. Reads are single rows and run at once; writes join the group commit. */
export function createSqliteAnswers(database: Database): AnswerStore {
  database.connection.exec(ANSWER_TABLES)
  const prepare = database.prepare
  const generation = prepare(`SELECT ${PRESENT} AS generation`)
  const columns = 'key, generation, stored_at, expires_at, used, bytes, mac, value'
  const get = prepare(`SELECT ${columns} FROM answers_1 JOIN answer_values_1 USING (id)
    WHERE key = ?3 AND namespace = ?1 AND owner = ?2 AND generation = ${PRESENT}`)
  const page = prepare(`SELECT ${columns} FROM answers_1 JOIN answer_values_1 USING (id)
    WHERE owner = ?2 AND namespace = ?1 AND key > ?3 AND generation = ${PRESENT} ORDER BY key LIMIT ?4`)
  const remove = prepare('DELETE FROM answers_1 WHERE key = ? AND namespace = ?')
  const ensureSums = prepare('INSERT INTO answer_sums_1 VALUES (?, 0, 0, 0, 0) ON CONFLICT DO NOTHING')
  const ensureScope = prepare(`INSERT INTO answer_scopes_1 VALUES (?2, ?1, ?3, 0, 0)
    ON CONFLICT DO UPDATE SET generation = ?3, entries = 0, bytes = 0 WHERE generation < ?3`)
  const insert = prepare(`INSERT INTO answers_1
    (namespace, owner, key, generation, stored_at, expires_at, used, bytes, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const insertValue = prepare('INSERT INTO answer_values_1 VALUES (?, ?)')
  const touch = prepare('UPDATE answers_1 SET used = ?3 WHERE key = ?2 AND namespace = ?1 AND used < ?3')
  const next = prepare('UPDATE answer_sums_1 SET latest = latest + 1 WHERE namespace = ? RETURNING latest')
  const held = prepare(`SELECT entries FROM answer_scopes_1 WHERE owner = ?2 AND namespace = ?1
    AND generation >= (SELECT cleared FROM answer_sums_1 WHERE namespace = ?1)`)
  const sums = prepare('SELECT entries, bytes FROM answer_sums_1 WHERE namespace = ?')
  const clear = prepare('UPDATE answer_sums_1 SET cleared = ?2, entries = 0, bytes = 0 WHERE namespace = ?1')
  const noteWipe = prepare('INSERT INTO answer_wipes_1 (namespace, owner, below) VALUES (?, ?, ?)')
  const expired = prepare(`SELECT count(*) AS rows FROM answers_1 AS row WHERE namespace = ?1 AND expires_at < ?2
    AND generation = max((SELECT cleared FROM answer_sums_1 WHERE namespace = ?1),
      (SELECT generation FROM answer_scopes_1 WHERE owner = row.owner AND namespace = ?1))`)
  const makeRoom = prepareRoom(database, (namespace) => totalsOf(sums.get(namespace)))
  const sweep = prepareSweep(database)
  let known: AnswerTotals = { entries: 0, bytes: 0, expired: 0 }

  return {
    file: database.path,
    generation: ({ namespace, owner }) => database.read(() => Number(generation.get(namespace, owner)?.generation)),
    get: ({ namespace, owner }, key) => database.read(() => rowOf(get.get(namespace, owner, key))),
    page: ({ namespace, owner }, { after, limit }) =>
      database.read(() =>
        page
          .all(namespace, owner, after, limit)
          .map(rowOf)
          .filter((row) => row !== undefined),
      ),

    put: ({ namespace, owner }, row, room) =>
      database.write(() => {
        if (generation.get(namespace, owner)?.generation !== row.generation) return { written: false, evicted: [] }
        const { key, storedAt, expiresAt, used, bytes, mac, value } = row
        remove.run(key, namespace)
        ensureSums.run(namespace)
        ensureScope.run(namespace, owner, row.generation)
        const fields = [namespace, owner, key, row.generation, storedAt, expiresAt, used, bytes, mac]
        insertValue.run(insert.run(...fields).lastInsertRowid, value)
        return { written: true, evicted: makeRoom(namespace, room) }
      }),

    touch: (namespace, uses) =>
      database.write(() => {
        for (const [key, used] of uses) touch.run(namespace, key, used)
      }),

    remove: (namespace, key) => database.write(() => void remove.run(key, namespace)),

    forget: ({ namespace, owner }) =>
      database.write(() => {
        ensureSums.run(namespace)
        const forgotten = Number(held.get(namespace, owner)?.entries ?? 0)
        const latest = Number(next.get(namespace)?.latest)
        ensureScope.run(namespace, owner, latest)
        noteWipe.run(namespace, owner, latest)
        return forgotten
      }),

    clear: (namespace) =>
      database.write(() => {
        ensureSums.run(namespace)
        const { entries } = totalsOf(sums.get(namespace))
        const latest = Number(next.get(namespace)?.latest)
        clear.run(namespace, latest)
        noteWipe.run(namespace, null, latest)
        return entries
      }),

    sweep,

    totals(namespace, now) {
      try {
        known = { ...totalsOf(sums.get(namespace)), expired: Number(expired.get(namespace, now)?.rows) }
      } catch {
        // Another process holds the file, or it cannot be read: what was last known is the best there is.
      }
      return known
    },
  }
}

const WIPE_ROWS = 500

/** Forgets a scope and deletes its rows before it resolves, in steps with the event loop free between them. */
export async function wipeAnswers(answers: AnswerStore, scope: AnswerScope): Promise<void> {
  await answers.forget(scope)
  // At the beginning of time nothing has expired, so only what was forgotten goes.
  while ((await answers.sweep(scope.namespace, { now: 0, limit: WIPE_ROWS })) === WIPE_ROWS);
}

type SqlRow = Record<string, SQLOutputValue>

function rowOf(row: SqlRow | undefined): AnswerRow | undefined {
  if (row === undefined) return undefined
  return {
    key: String(row.key),
    generation: Number(row.generation),
    storedAt: Number(row.stored_at),
    expiresAt: row.expires_at === null ? null : Number(row.expires_at),
    used: Number(row.used),
    bytes: Number(row.bytes),
    mac: String(row.mac),
    value: String(row.value),
  }
}

function totalsOf(row: SqlRow | undefined): { readonly entries: number; readonly bytes: number } {
  return { entries: Number(row?.entries ?? 0), bytes: Number(row?.bytes ?? 0) }
}
