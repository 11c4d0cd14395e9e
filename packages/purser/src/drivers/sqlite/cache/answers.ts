import type { AnswerRow, AnswerScope, AnswerStore, AnswerTotals } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import { isCorrupt } from '../errors.ts'
import type { CacheWriter } from '../worker/threads.ts'
import {
  type AnswerSqlRow,
  COUNT_EXPIRED,
  CURRENT_GENERATION,
  IS_KEY,
  lastShortKey,
  SELECT_SUMS,
  shortKey,
} from './answer-schema.ts'
import { packAnswers } from './packed-answers.ts'

const COLUMNS = 'key, generation, stored_at, expires_at, bytes, mac, value'

/** The answers in the cache file, whose writer creates the tables. Reads are single rows and run at once. */
export function createSqliteAnswers(database: Database, writer: CacheWriter): AnswerStore {
  const reads = prepareReads(database)
  const lastTotals = new Map<string, AnswerTotals>()
  return {
    file: database.path,
    generation: (scope) => database.readNow(() => reads.generation(scope)),
    get: (scope, key) => database.read(() => reads.get(scope, key)),
    page: (scope, page) => database.read(() => reads.page(scope, page)),
    async put(batch) {
      try {
        return await writer.call('putAnswers', packAnswers(batch))
      } catch (error) {
        // A file that is found damaged while it is used is replaced at the next start.
        if (isCorrupt(error)) await writer.call('markDamaged').catch(() => undefined)
        throw error
      }
    },
    touch: (namespace, uses) => writer.call('touchAnswers', namespace, uses),
    remove: (scope, key) => writer.call('removeAnswer', scope, key),
    forget: (scope) => writer.call('forgetAnswers', scope),
    clear: (namespace) => writer.call('clearAnswers', namespace),
    sweep: (namespace, step) => writer.call('sweepAnswers', namespace, step),
    totals(namespace, now) {
      try {
        lastTotals.set(namespace, reads.totals(namespace, now))
      } catch {
        // Another process has locked the file, or it cannot be read: the last known totals are returned.
      }
      return lastTotals.get(namespace) ?? { entries: 0, bytes: 0, expired: 0 }
    },
  }
}

interface AnswerReads {
  generation(scope: AnswerScope): number
  get(scope: AnswerScope, key: string): AnswerRow | undefined
  page(scope: AnswerScope, page: { readonly after: string; readonly limit: number }): AnswerRow[]
  totals(namespace: string, now: number): AnswerTotals
}

/** In the statements, ?1 is the namespace and ?2 the owner. */
function prepareReads(database: Database): AnswerReads {
  const generation = database.prepare(`SELECT ${CURRENT_GENERATION} AS generation`)
  const get = database.prepare(
    `SELECT ${COLUMNS} FROM answers_2 WHERE ${IS_KEY} AND generation = ${CURRENT_GENERATION}`,
  )
  const page = database.prepare(`SELECT ${COLUMNS} FROM answers_2
    WHERE short BETWEEN ?4 AND ?5 AND (short > ?4 OR key > ?3) AND owner = ?2 AND namespace = ?1
      AND generation = ${CURRENT_GENERATION} ORDER BY short, key LIMIT ?6`)
  const sums = database.prepare(SELECT_SUMS)
  const countExpired = database.prepare(COUNT_EXPIRED)
  return {
    generation: ({ namespace, owner }) => Number(generation.get(namespace, owner)?.generation),
    get({ namespace, owner }, key) {
      const row = get.get(namespace, owner, key, shortKey(owner, key))
      return row && rowOf(row)
    },
    page({ namespace, owner }, { after, limit }) {
      return page.all(namespace, owner, after, shortKey(owner, after), lastShortKey(owner), limit).map(rowOf)
    },
    totals(namespace, now) {
      const { entries, bytes } = sums.get(namespace) ?? {}
      const expired = countExpired.get(namespace, now)?.expired
      return { entries: Number(entries), bytes: Number(bytes), expired: Number(expired) }
    },
  }
}

const WIPE_ROWS = 500

/** Forgets a scope and deletes its rows before it resolves, in steps that leave the event loop free in between. */
export async function wipeAnswers(answers: AnswerStore, scope: AnswerScope): Promise<void> {
  await answers.forget(scope)
  // At time 0 no row has expired, so that only dead rows are deleted.
  while ((await answers.sweep(scope.namespace, { now: 0, limit: WIPE_ROWS })) === WIPE_ROWS);
}

function rowOf(row: AnswerSqlRow): AnswerRow {
  return {
    key: String(row.key),
    generation: Number(row.generation),
    storedAt: Number(row.stored_at),
    expiresAt: row.expires_at === null ? null : Number(row.expires_at),
    bytes: Number(row.bytes),
    mac: String(row.mac),
    value: String(row.value),
  }
}
