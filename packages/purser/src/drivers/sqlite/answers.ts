import type { SQLOutputValue } from 'node:sqlite'
import type { AnswerRow, AnswerScope, AnswerStore, AnswerTotals } from '../../answers/port.ts'
import { prepareRoom } from './answer-room.ts'
import { prepareAnswers } from './answer-statements.ts'
import { prepareSweep } from './answer-sweep.ts'
import { ANSWER_TABLES } from './answer-tables.ts'
import { markDamaged } from './cache.ts'
import type { Database } from './database.ts'
import { isDamage } from './faults.ts'

/** Answers in the rebuildable file. Reads are single rows and run at once; writes join the group commit. */
export function createSqliteAnswers(database: Database): AnswerStore {
  database.connection.exec(ANSWER_TABLES)
  const sql = prepareAnswers(database)
  const sums = (namespace: string): Sums => sumsOf(sql.sums.get(namespace))
  const makeRoom = prepareRoom(database, sums)
  const sweep = prepareSweep(database)
  const known = new Map<string, AnswerTotals>()

  /** Ends what was before: takes the next generation and notes that all below it is to be wiped. */
  function endGeneration(namespace: string, owner: string | null): number {
    const latest = Number(sql.nextGeneration.get(namespace)?.latest)
    sql.noteWipe.run(namespace, owner, latest)
    return latest
  }

  return watchForDamage(database, {
    file: database.path,
    generation: ({ namespace, owner }) => database.read(() => Number(sql.generation.get(namespace, owner)?.generation)),
    get: ({ namespace, owner }, key) => database.read(() => rowOf(sql.get.get(namespace, owner, key))),
    page: ({ namespace, owner }, { after, limit }) =>
      database.read(() => sql.page.all(namespace, owner, after, limit).flatMap((row) => rowOf(row) ?? [])),
    put: ({ namespace, owner }, row, room) =>
      database.write(() => {
        if (sql.generation.get(namespace, owner)?.generation !== row.generation) return { written: false, evicted: [] }
        const { key, generation, storedAt, expiresAt, used, bytes, mac, value } = row
        sql.remove.run(namespace, key)
        sql.ensureSums.run(namespace)
        sql.ensureScope.run(namespace, owner, generation)
        const inserted = sql.insert.run(namespace, owner, key, generation, storedAt, expiresAt, used, bytes, mac)
        sql.insertValue.run(inserted.lastInsertRowid, value)
        return { written: true, evicted: makeRoom(namespace, room) }
      }),
    touch: (namespace, uses) =>
      database.write(() => {
        for (const [key, used] of uses) sql.touch.run(namespace, key, used)
      }),
    remove: (namespace, key) => database.write(() => void sql.remove.run(namespace, key)),
    forget: ({ namespace, owner }) =>
      database.write(() => {
        sql.ensureSums.run(namespace)
        const forgotten = sumsOf(sql.heldBy.get(namespace, owner)).entries
        sql.ensureScope.run(namespace, owner, endGeneration(namespace, owner))
        return forgotten
      }),
    clear: (namespace) =>
      database.write(() => {
        sql.ensureSums.run(namespace)
        const { entries } = sums(namespace)
        sql.clear.run(namespace, endGeneration(namespace, null))
        return entries
      }),
    sweep,
    totals(namespace, now) {
      try {
        known.set(namespace, { ...sums(namespace), expired: sumsOf(sql.expired.get(namespace, now)).entries })
      } catch {
        // Another process holds the file, or it cannot be read: what was last known is the best there is.
      }
      return known.get(namespace) ?? { entries: 0, bytes: 0, expired: 0 }
    },
  })
}

/** A file that turns out to be damaged while it is used is made anew at the next start. */
function watchForDamage(database: Database, store: AnswerStore): AnswerStore {
  const put: AnswerStore['put'] = async (scope, row, room) => {
    try {
      return await store.put(scope, row, room)
    } catch (error) {
      if (isDamage(error)) markDamaged(database)
      throw error
    }
  }
  return { ...store, put }
}

const WIPE_ROWS = 500

/** Forgets a scope and deletes its rows before it resolves, in steps with the event loop free between them. */
export async function wipeAnswers(answers: AnswerStore, scope: AnswerScope): Promise<void> {
  await answers.forget(scope)
  // At the beginning of time nothing has expired, so only what was forgotten goes.
  while ((await answers.sweep(scope.namespace, { now: 0, limit: WIPE_ROWS })) === WIPE_ROWS);
}

type SqlRow = Record<string, SQLOutputValue>
type Sums = Omit<AnswerTotals, 'expired'>

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

function sumsOf(row: SqlRow | undefined): Sums {
  return { entries: Number(row?.entries ?? 0), bytes: Number(row?.bytes ?? 0) }
}
