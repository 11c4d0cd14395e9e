import type {
  AnswerLimits,
  AnswerRow,
  AnswerScope,
  AnswerStore,
  AnswerTotals,
  PutOutcome,
} from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import { isCorrupt } from '../errors.ts'
import type { CacheWriter } from '../worker/threads.ts'
import { type AnswerSqlRow, CURRENT_GENERATION, SELECT_GENERATION, SELECT_SUMS, sumsOf } from './answer-schema.ts'

const COLUMNS = 'key, generation, stored_at, expires_at, used, bytes, mac, value'

/** The answers in the cache file, whose writer creates the tables. Reads are single rows and run at once. */
export function createSqliteAnswers(database: Database, writer: CacheWriter): AnswerStore {
  const reads = prepareReads(database)
  const put = createPut(writer)
  const lastTotals = new Map<string, AnswerTotals>()
  return {
    file: database.path,
    generation: (scope) => database.read(() => reads.generation(scope)),
    get: (scope, key) => database.read(() => reads.get(scope, key)),
    page: (scope, page) => database.read(() => reads.page(scope, page)),
    async put(scope, row, limits) {
      try {
        return await put(scope, row, limits)
      } catch (error) {
        // A file that is found damaged while it is used is replaced at the next start.
        if (isCorrupt(error)) await writer.call('markDamaged').catch(() => undefined)
        throw error
      }
    },
    touch: (namespace, uses) => writer.call('touchAnswers', namespace, uses),
    remove: (namespace, key) => writer.call('removeAnswer', namespace, key),
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
  const generation = database.prepare(SELECT_GENERATION)
  const get = database.prepare(`SELECT ${COLUMNS} FROM answers_1 JOIN answer_values_1 USING (id)
    WHERE key = ?3 AND namespace = ?1 AND owner = ?2 AND generation = ${CURRENT_GENERATION}`)
  const page = database.prepare(`SELECT ${COLUMNS} FROM answers_1 JOIN answer_values_1 USING (id)
    WHERE owner = ?2 AND namespace = ?1 AND key > ?3 AND generation = ${CURRENT_GENERATION} ORDER BY key LIMIT ?4`)
  const sums = database.prepare(SELECT_SUMS)
  const countExpired = database.prepare(`
    SELECT count(*) AS entries FROM answers_1 AS row WHERE namespace = ?1 AND expires_at < ?2
      AND generation = max((SELECT cleared FROM answer_sums_1 WHERE namespace = ?1),
        (SELECT generation FROM answer_scopes_1 WHERE owner = row.owner AND namespace = ?1))`)
  return {
    generation: ({ namespace, owner }) => Number(generation.get(namespace, owner)?.generation),
    get({ namespace, owner }, key) {
      const row = get.get(namespace, owner, key)
      return row && rowOf(row)
    },
    page: ({ namespace, owner }, { after, limit }) => page.all(namespace, owner, after, limit).map(rowOf),
    totals(namespace, now) {
      const expired = sumsOf(countExpired.get(namespace, now)).entries
      return { ...sumsOf(sums.get(namespace)), expired }
    },
  }
}

/**
 * To evict rows, the writer needs their pending uses, which only this process knows. So each `put` sends the pending
 * uses of the rows that were the least recently used ones the last time; when the writer gets to others, it asks.
 */
function createPut(writer: CacheWriter): AnswerStore['put'] {
  const oldestKeys = new Map<string, readonly string[]>()
  return async (scope, row, { lastUse, ...limits }: AnswerLimits): Promise<PutOutcome> => {
    const { namespace } = scope
    const usesOf = (keys: readonly string[] = []): Map<string, number | null> =>
      new Map(keys.map((key) => [key, lastUse(key) ?? null]))
    const first = await writer.call('putAnswer', { scope, row, limits, uses: usesOf(oldestKeys.get(namespace)) })
    const evicted = [...first.evicted]
    for (let { asked } = first; asked.length > 0; ) {
      oldestKeys.set(namespace, asked)
      const next = await writer.call('evictAnswers', namespace, limits, usesOf(asked))
      evicted.push(...next.evicted)
      asked = next.asked
    }
    return { written: first.written, evicted }
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
    used: Number(row.used),
    bytes: Number(row.bytes),
    mac: String(row.mac),
    value: String(row.value),
  }
}
