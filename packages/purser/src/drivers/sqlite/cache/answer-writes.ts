import { createAnswerMac } from '../../../storage/answer-mac.ts'
import type { AnswerScope, AnswerUse, NewAnswer, PutOutcome } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import type { AnswerWriterCalls } from '../worker/threads.ts'
import { prepareEviction } from './answer-eviction.ts'
import { CURRENT_GENERATION, createAnswerTables, IS_KEY, lastShortKey, shortKey } from './answer-schema.ts'
import { prepareSegments, type Segments } from './answer-segments.ts'
import { type PackedAnswers, unpackAnswers } from './packed-answers.ts'

/** The writes to the answers, in the thread of the cache writer. */
export function prepareAnswerWrites(database: Database): AnswerWriterCalls {
  createAnswerTables(database.connection)
  const segments = prepareSegments(database)
  const scopes = prepareScopes(database, segments)
  const rows = prepareRows(database, segments)
  const evict = prepareEviction(database, segments)

  function put(batch: PackedAnswers): PutOutcome {
    const { namespace, limits, macKey } = batch
    const mac = createAnswerMac(macKey)
    const refused: number[] = []
    for (const [index, row] of unpackAnswers(batch).entries()) {
      if (scopes.generation({ namespace, owner: row.owner }) !== row.generation) refused.push(index)
      else {
        rows.remove(namespace, row)
        rows.insert(namespace, row, mac(namespace, row))
      }
    }
    segments.count(namespace)
    return { refused, evicted: evict(namespace, limits) }
  }

  return {
    putAnswers: (batch) => database.write(() => put(batch)),
    touchAnswers: (namespace, uses) =>
      database.write(() => {
        for (const use of uses) rows.markUsed(namespace, use)
      }),
    removeAnswer: ({ namespace, owner }, key) =>
      database.write(() => {
        rows.remove(namespace, { owner, key })
        segments.count(namespace)
      }),
    forgetAnswers: (scope) => database.write(() => scopes.forget(scope)),
    clearAnswers: (namespace) => database.write(() => scopes.clear(namespace)),
    sweepAnswers: prepareSweep(database, segments),
  }
}

interface Rows {
  insert(namespace: string, row: NewAnswer, mac: string): void
  remove(namespace: string, key: AnswerUse): void
  markUsed(namespace: string, key: AnswerUse): void
}

function prepareRows(database: Database, segments: Segments): Rows {
  const find = database.prepare(`SELECT id FROM answers_2 WHERE ${IS_KEY}`)
  const remove = database.prepare('DELETE FROM answers_2 WHERE id = ?')
  // The record keeps its size, so SQLite overwrites it in its page and does not write the value again.
  const markUsed = database.prepare(`UPDATE answers_2 SET used = 1 WHERE ${IS_KEY} AND used = 0`)
  const insert = database.prepare(`
    INSERT INTO answers_2 (short, namespace, owner, key, generation, stored_at, expires_at, used, bytes, mac, value)
    VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`)
  return {
    insert(namespace, { owner, key, generation, storedAt, expiresAt, bytes, value }, mac) {
      const short = shortKey(owner, key)
      const { lastInsertRowid: id } = insert.run(
        short,
        namespace,
        owner,
        key,
        generation,
        storedAt,
        expiresAt,
        bytes,
        mac,
        value,
      )
      segments.change(Number(id))
    },
    remove(namespace, { owner, key }) {
      for (const { id } of find.all(namespace, owner, key, shortKey(owner, key))) {
        remove.run(Number(id))
        segments.change(Number(id))
      }
    },
    markUsed(namespace, { owner, key }) {
      markUsed.run(namespace, owner, key, shortKey(owner, key))
    },
  }
}

interface Scopes {
  generation(scope: AnswerScope): unknown
  /** Ends the generation of the scope; returns the number of rows that died. */
  forget(scope: AnswerScope): number
  /** Ends the generations of all scopes of the namespace. */
  clear(namespace: string): number
}

function prepareScopes(database: Database, segments: Segments): Scopes {
  const selectGeneration = database.prepare(`SELECT ${CURRENT_GENERATION} AS generation`)
  const takeGeneration = database.prepare(`INSERT INTO answer_namespaces_2 VALUES (?, 1, 0)
    ON CONFLICT DO UPDATE SET latest = latest + 1 RETURNING latest`)
  const setGeneration = database.prepare(`INSERT INTO answer_scopes_2 VALUES (?2, ?1, ?3)
    ON CONFLICT DO UPDATE SET generation = excluded.generation`)
  const setCleared = database.prepare('UPDATE answer_namespaces_2 SET cleared = ?2 WHERE namespace = ?1')
  const removeScopes = database.prepare('DELETE FROM answer_scopes_2 WHERE namespace = ?')
  const liveIds = database.prepare(`SELECT id FROM answers_2 WHERE short BETWEEN ?3 AND ?4 AND owner = ?2
    AND namespace = ?1 AND generation = ${CURRENT_GENERATION}`)

  function endGeneration(namespace: string): number {
    return Number(takeGeneration.get(namespace)?.latest)
  }

  return {
    generation: ({ namespace, owner }) => selectGeneration.get(namespace, owner)?.generation,
    forget({ namespace, owner }) {
      const rows = liveIds.all(namespace, owner, shortKey(owner, ''), lastShortKey(owner))
      setGeneration.run(namespace, owner, endGeneration(namespace))
      for (const { id } of rows) segments.change(Number(id))
      segments.count(namespace)
      return rows.length
    },
    clear(namespace) {
      const { entries } = segments.sums(namespace)
      setCleared.run(namespace, endGeneration(namespace))
      removeScopes.run(namespace)
      segments.clear(namespace)
      return entries
    },
  }
}

/**
 * One step of a sweep: dead and expired rows of the segments that have any. After the last dead row the log, which holds
 * older copies of the rows, is truncated.
 */
function prepareSweep(database: Database, segments: Segments): AnswerWriterCalls['sweepAnswers'] {
  let hasRemovedDead = false
  return async (namespace, { now, limit }) => {
    const step = await database.write(() => segments.removeDue(namespace, { now, limit }))
    hasRemovedDead ||= step.dead > 0
    if (hasRemovedDead && step.removed < limit) {
      database.truncateLog()
      hasRemovedDead = false
    }
    return step.removed
  }
}
