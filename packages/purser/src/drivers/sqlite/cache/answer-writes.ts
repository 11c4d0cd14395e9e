import type { AnswerRoom, AnswerRow, AnswerScope, PutOutcome } from '../../../storage/answer-store.ts'
import type { Database } from '../database.ts'
import { ANSWER_TABLES } from './answer-schema.ts'
import { prepareAnswers } from './answer-statements.ts'
import { prepareSweep } from './answer-sweep.ts'
import { type Sums, sumsOf } from './answers.ts'
import { prepareRoom, type Room } from './evict.ts'

/** How much may be kept, and what has expired. */
export type Caps = Omit<AnswerRoom, 'lastUse'>

/** What writes to the answers. */
export interface AnswerWrites {
  putAnswer(order: AnswerPut): Promise<Room & Pick<PutOutcome, 'written'>>
  /** Goes on making room, knowing more of what was asked. */
  makeRoom(namespace: string, caps: Caps, uses: Uses): Promise<Room>
  touchAnswers(namespace: string, uses: ReadonlyMap<string, number>): Promise<void>
  removeAnswer(namespace: string, key: string): Promise<void>
  forgetAnswers(scope: AnswerScope): Promise<number>
  clearAnswers(namespace: string): Promise<number>
  sweepAnswers(namespace: string, step: { readonly now: number; readonly limit: number }): Promise<number>
}

export interface AnswerPut {
  readonly scope: AnswerScope
  readonly row: AnswerRow
  readonly caps: Caps
  readonly uses: Uses
}

/** Uses that are not written yet, of some rows; null: there is none. */
export type Uses = ReadonlyMap<string, number | null>

export function prepareAnswerWrites(database: Database): AnswerWrites {
  database.connection.exec(ANSWER_TABLES)
  const sql = prepareAnswers(database)
  const sums = (namespace: string): Sums => sumsOf(sql.sums.get(namespace))
  const makeRoom = prepareRoom(database, sums)

  /** Ends what was before: takes the next generation and notes that all below it is to be wiped. */
  function endGeneration(namespace: string, owner: string | null): number {
    const latest = Number(sql.nextGeneration.get(namespace)?.latest)
    sql.noteWipe.run(namespace, owner, latest)
    return latest
  }

  return {
    putAnswer: ({ scope: { namespace, owner }, row, caps, uses }) =>
      database.write(() => {
        if (sql.generation.get(namespace, owner)?.generation !== row.generation)
          return { written: false, evicted: [], asked: [] }
        const { key, generation, storedAt, expiresAt, used, bytes, mac, value } = row
        sql.remove.run(namespace, key)
        sql.ensureSums.run(namespace)
        sql.ensureScope.run(namespace, owner, generation)
        const inserted = sql.insert.run(namespace, owner, key, generation, storedAt, expiresAt, used, bytes, mac)
        sql.insertValue.run(inserted.lastInsertRowid, value)
        return { written: true, ...makeRoom(namespace, caps, uses) }
      }),
    makeRoom: (namespace, caps, uses) => database.write(() => makeRoom(namespace, caps, uses)),
    touchAnswers: (namespace, uses) =>
      database.write(() => {
        for (const [key, used] of uses) sql.touch.run(namespace, key, used)
      }),
    removeAnswer: (namespace, key) => database.write(() => void sql.remove.run(namespace, key)),
    forgetAnswers: ({ namespace, owner }) =>
      database.write(() => {
        sql.ensureSums.run(namespace)
        const forgotten = sumsOf(sql.heldBy.get(namespace, owner)).entries
        sql.ensureScope.run(namespace, owner, endGeneration(namespace, owner))
        return forgotten
      }),
    clearAnswers: (namespace) =>
      database.write(() => {
        sql.ensureSums.run(namespace)
        const { entries } = sums(namespace)
        sql.clear.run(namespace, endGeneration(namespace, null))
        return entries
      }),
    sweepAnswers: prepareSweep(database),
  }
}
