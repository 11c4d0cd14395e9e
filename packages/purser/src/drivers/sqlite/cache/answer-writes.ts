import type { AnswerScope } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import type {
  AnswerWriterCalls,
  EvictionLimits,
  EvictionStep,
  PendingUses,
  PutAnswerRequest,
} from '../worker/threads.ts'
import {
  ANSWER_TABLES,
  type AnswerSqlRow,
  type AnswerSums,
  SELECT_GENERATION,
  SELECT_SUMS,
  sumsOf,
} from './answer-schema.ts'

/** The writes to the answers, in the thread of the cache writer. */
export function prepareAnswerWrites(database: Database): AnswerWriterCalls {
  database.connection.exec(ANSWER_TABLES)
  const remove = database.prepare('DELETE FROM answers_1 WHERE namespace = ? AND key = ?')
  const touch = database.prepare('UPDATE answers_1 SET used = ?3 WHERE namespace = ?1 AND key = ?2 AND used < ?3')
  const sums = prepareSums(database)
  const scopes = prepareScopes(database)
  const insert = prepareInsert(database)
  const evict = prepareEviction(database, sums)

  function put({ scope, row, limits, uses }: PutAnswerRequest): ReturnType<typeof evict> & { written: boolean } {
    if (scopes.generation(scope) !== row.generation) return { written: false, evicted: [], asked: [] }
    remove.run(scope.namespace, row.key)
    scopes.ensure(scope, row.generation)
    insert(scope, row)
    return { written: true, ...evict(scope.namespace, limits, uses) }
  }

  return {
    putAnswer: (request) => database.write(() => put(request)),
    evictAnswers: (namespace, limits, uses) => database.write(() => evict(namespace, limits, uses)),
    touchAnswers: (namespace, uses) =>
      database.write(() => {
        for (const [key, used] of uses) touch.run(namespace, key, used)
      }),
    removeAnswer: (namespace, key) => database.write(() => void remove.run(namespace, key)),
    forgetAnswers: (scope) => database.write(() => scopes.forget(scope)),
    clearAnswers: (namespace) =>
      database.write(() => {
        const { entries } = sums(namespace)
        scopes.clear(namespace)
        return entries
      }),
    sweepAnswers: prepareSweep(database),
  }
}

function prepareSums(database: Database): (namespace: string) => AnswerSums {
  const select = database.prepare(SELECT_SUMS)
  return (namespace) => sumsOf(select.get(namespace))
}

interface Scopes {
  generation(scope: AnswerScope): unknown
  /** Creates the scope's row of sums if it is missing, for a row of this generation. */
  ensure(scope: AnswerScope, generation: number): void
  /** Ends the generation of the scope; returns the number of rows that died. */
  forget(scope: AnswerScope): number
  /** Ends the generations of all scopes of the namespace. */
  clear(namespace: string): void
}

function prepareScopes(database: Database): Scopes {
  const selectGeneration = database.prepare(SELECT_GENERATION)
  const ensureSums = database.prepare('INSERT INTO answer_sums_1 VALUES (?, 0, 0, 0, 0) ON CONFLICT DO NOTHING')
  const ensureScope = database.prepare(`INSERT INTO answer_scopes_1 VALUES (?2, ?1, ?3, 0, 0)
    ON CONFLICT DO UPDATE SET generation = ?3, entries = 0, bytes = 0 WHERE generation < ?3`)
  const countLive = database.prepare(`SELECT entries FROM answer_scopes_1 WHERE owner = ?2 AND namespace = ?1
    AND generation >= (SELECT cleared FROM answer_sums_1 WHERE namespace = ?1)`)
  const takeGeneration = database.prepare(
    'UPDATE answer_sums_1 SET latest = latest + 1 WHERE namespace = ? RETURNING latest',
  )
  const addWipe = database.prepare('INSERT INTO answer_wipes_1 (namespace, owner, below) VALUES (?, ?, ?)')
  const clear = database.prepare('UPDATE answer_sums_1 SET cleared = ?2, entries = 0, bytes = 0 WHERE namespace = ?1')

  /** Takes the next generation and lists all rows below it for deletion. */
  function endGeneration(namespace: string, owner: string | null): number {
    const latest = Number(takeGeneration.get(namespace)?.latest)
    addWipe.run(namespace, owner, latest)
    return latest
  }

  return {
    generation: ({ namespace, owner }) => selectGeneration.get(namespace, owner)?.generation,
    ensure({ namespace, owner }, generation) {
      ensureSums.run(namespace)
      ensureScope.run(namespace, owner, generation)
    },
    forget({ namespace, owner }) {
      ensureSums.run(namespace)
      const { entries } = sumsOf(countLive.get(namespace, owner))
      ensureScope.run(namespace, owner, endGeneration(namespace, owner))
      return entries
    },
    clear(namespace) {
      ensureSums.run(namespace)
      clear.run(namespace, endGeneration(namespace, null))
    },
  }
}

type Insert = (scope: AnswerScope, row: PutAnswerRequest['row']) => void

function prepareInsert(database: Database): Insert {
  const insertRow = database.prepare(`
    INSERT INTO answers_1 (namespace, owner, key, generation, stored_at, expires_at, used, bytes, mac)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  // REPLACE, because a damaged file may contain a value without its row.
  const insertValue = database.prepare('INSERT OR REPLACE INTO answer_values_1 VALUES (?, ?)')
  return ({ namespace, owner }, { key, generation, storedAt, expiresAt, used, bytes, mac, value }) => {
    const inserted = insertRow.run(namespace, owner, key, generation, storedAt, expiresAt, used, bytes, mac)
    insertValue.run(inserted.lastInsertRowid, value)
  }
}

/** Steps of one eviction at most. When the limits have shrunk by more rows, the next writes continue. */
const EVICTION_STEPS = 1_024
/** Expired rows that are deleted in one step. */
const EXPIRED_ROWS = 64
/** Rows whose pending uses are asked for together. */
const ASKED_ROWS = 32

type Evict = (namespace: string, limits: EvictionLimits, uses: PendingUses) => EvictionStep

interface Eviction {
  readonly namespace: string
  readonly evicted: string[]
  sums: AnswerSums
  steps: number
}

/** Deletes what is over the limits, inside a transaction of the caller: expired rows, then the least recently used. */
function prepareEviction(database: Database, sums: (namespace: string) => AnswerSums): Evict {
  const removeExpired = database.prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE namespace = ? AND expires_at < ? ORDER BY expires_at LIMIT ${EXPIRED_ROWS})`)
  const oldest = database.prepare('SELECT id, key, used FROM answers_1 WHERE namespace = ? ORDER BY used LIMIT ?')
  const remove = database.prepare('DELETE FROM answers_1 WHERE id = ?')
  const moveUp = database.prepare('UPDATE answers_1 SET used = ? WHERE id = ?')

  function mustEvict({ sums, steps }: Eviction, { maxEntries, maxBytes }: EvictionLimits): boolean {
    return steps < EVICTION_STEPS && (sums.entries > maxEntries || sums.bytes > maxBytes)
  }

  function evictExpired(eviction: Eviction, limits: EvictionLimits): void {
    for (let removed = EXPIRED_ROWS; removed === EXPIRED_ROWS && mustEvict(eviction, limits); eviction.steps++) {
      removed = Number(removeExpired.run(eviction.namespace, limits.now).changes)
      eviction.sums = sums(eviction.namespace)
    }
  }

  function evictRow(eviction: Eviction, row: AnswerSqlRow): void {
    remove.run(Number(row.id))
    const left = sums(eviction.namespace)
    // A dead row that is not swept yet is not in the sums, and its removal is not an eviction.
    if (left.entries < eviction.sums.entries) eviction.evicted.push(String(row.key))
    eviction.sums = left
  }

  return (namespace, limits, uses) => {
    const evicted: string[] = []
    const eviction: Eviction = { namespace, evicted, sums: sums(namespace), steps: 0 }
    evictExpired(eviction, limits)
    for (; mustEvict(eviction, limits); eviction.steps++) {
      const row = oldest.get(namespace, 1)
      if (row === undefined) break
      const pendingUse = uses.get(String(row.key))
      if (pendingUse === undefined)
        return { evicted, asked: oldest.all(namespace, ASKED_ROWS).map(({ key }) => String(key)) }
      if (pendingUse !== null && pendingUse > Number(row.used)) moveUp.run(pendingUse, Number(row.id))
      else evictRow(eviction, row)
    }
    return { evicted, asked: [] }
  }
}

/**
 * One step of a sweep: first dead rows, as listed in `answer_wipes_1`, then expired rows. An entry of the list is removed
 * once none of its rows is left, so after a crash the next sweep continues. Then the log, which holds older copies of
 * the rows, is truncated.
 */
function prepareSweep(database: Database): AnswerWriterCalls['sweepAnswers'] {
  const removeDead = prepareRemoveDead(database)
  const removeExpired = database.prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE namespace = ? AND expires_at < ? ORDER BY expires_at LIMIT ?)`)
  return async (namespace, { now, limit }) => {
    const { removed, hasFinishedWipe } = await database.write(() => {
      const dead = removeDead(namespace, limit)
      const rest = limit - dead.removed
      const expired = rest > 0 ? Number(removeExpired.run(namespace, now, rest).changes) : 0
      return { removed: dead.removed + expired, hasFinishedWipe: dead.hasFinishedWipe }
    })
    if (hasFinishedWipe) database.truncateLog()
    return removed
  }
}

type RemoveDead = (namespace: string, limit: number) => { readonly removed: number; readonly hasFinishedWipe: boolean }

function prepareRemoveDead(database: Database): RemoveDead {
  const firstWipe = database.prepare(
    'SELECT wipe, owner, below FROM answer_wipes_1 WHERE namespace = ? ORDER BY wipe LIMIT 1',
  )
  const removeOfOwner = database.prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE owner = ?2 AND namespace = ?1 AND generation < ?3 LIMIT ?4)`)
  // Cleared rows are no longer used, so they are found among the least recently used ones.
  const removeOfAll = database.prepare(`DELETE FROM answers_1 WHERE id IN (
    SELECT id FROM answers_1 WHERE namespace = ?1 AND generation < ?2 ORDER BY used LIMIT ?3)`)
  const dropScopes = database.prepare('DELETE FROM answer_scopes_1 WHERE namespace = ? AND generation < ?')
  const endWipe = database.prepare('DELETE FROM answer_wipes_1 WHERE wipe = ?')

  return (namespace, limit) => {
    let removed = 0
    let hasFinishedWipe = false
    for (let wipe = firstWipe.get(namespace); wipe !== undefined && removed < limit; wipe = firstWipe.get(namespace)) {
      const below = Number(wipe.below)
      const rest = limit - removed
      const { changes } =
        wipe.owner === null
          ? removeOfAll.run(namespace, below, rest)
          : removeOfOwner.run(namespace, wipe.owner ?? null, below, rest)
      removed += Number(changes)
      if (Number(changes) === rest) break
      if (wipe.owner === null) dropScopes.run(namespace, below)
      endWipe.run(Number(wipe.wipe))
      hasFinishedWipe = true
    }
    return { removed, hasFinishedWipe }
  }
}
