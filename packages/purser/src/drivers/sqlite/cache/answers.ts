import type { SQLOutputValue } from 'node:sqlite'
import type { AnswerRow, AnswerScope, AnswerStore, AnswerTotals, PutOutcome } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import { isDamage } from '../errors.ts'
import { prepareAnswers } from './answer-statements.ts'
import type { CacheWriter } from './cache-writer.ts'

/** Answers in the rebuildable file, whose writer makes the tables. Reads are single rows and run at once. */
export function createSqliteAnswers(database: Database, writer: CacheWriter): AnswerStore {
  const sql = prepareAnswers(database)
  const known = new Map<string, AnswerTotals>()
  /** Keys that were the longest unused when somebody looked: the first that may have to go. */
  const oldest = new Map<string, readonly string[]>()

  /**
   * Uses that are not written yet are known here and the rows are at the writer. So we tell it what we know of the
   * rows that it will look at first, and when it comes to others, it asks.
   */
  async function put(scope: AnswerScope, row: AnswerRow, { lastUse, ...caps }: Parameters<AnswerStore['put']>[2]) {
    const { namespace } = scope
    const usesOf = (keys: readonly string[] = []): Map<string, number | null> =>
      new Map(keys.map((key) => [key, lastUse(key) ?? null]))
    let step = await writer.call('putAnswer', { scope, row, caps, uses: usesOf(oldest.get(namespace)) })
    const { written } = step
    const evicted = [...step.evicted]
    while (step.asked.length > 0) {
      oldest.set(namespace, step.asked)
      step = { written, ...(await writer.call('makeRoom', namespace, caps, usesOf(step.asked))) }
      evicted.push(...step.evicted)
    }
    return { written, evicted }
  }

  return {
    file: database.path,
    generation: ({ namespace, owner }) => database.read(() => Number(sql.generation.get(namespace, owner)?.generation)),
    get: ({ namespace, owner }, key) => database.read(() => rowOf(sql.get.get(namespace, owner, key))),
    page: ({ namespace, owner }, { after, limit }) =>
      database.read(() => sql.page.all(namespace, owner, after, limit).flatMap((row) => rowOf(row) ?? [])),
    async put(scope, row, room): Promise<PutOutcome> {
      try {
        return await put(scope, row, room)
      } catch (error) {
        // A file that turns out to be damaged while it is used is made anew at the next start.
        if (isDamage(error)) await writer.call('markDamaged').catch(() => undefined)
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
        const expired = sumsOf(sql.expired.get(namespace, now)).entries
        known.set(namespace, { ...sumsOf(sql.sums.get(namespace)), expired })
      } catch {
        // Another process holds the file, or it cannot be read: what was last known is the best there is.
      }
      return known.get(namespace) ?? { entries: 0, bytes: 0, expired: 0 }
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
export type Sums = Omit<AnswerTotals, 'expired'>

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

export function sumsOf(row: SqlRow | undefined): Sums {
  return { entries: Number(row?.entries ?? 0), bytes: Number(row?.bytes ?? 0) }
}
