import { MAX_TRIMMED_TURNS, type Recorded } from '../../../storage/commit.ts'
import { SUM_AMOUNTS, type SumIncrement } from '../../../storage/sum-store.ts'
import type { Database } from '../database.ts'

/*
 * The turns and sums of a commit. Amounts are bound as integers of 64 bits: a sum of doubles is not exact. A sum that
 * overflows becomes a double, which the cast turns into the largest integer.
 */

/** The names of the columns of amounts. */
export const AMOUNTS: readonly string[] = Array.from({ length: SUM_AMOUNTS }, (_, index) => `a${index + 1}`)

export type WriteRecorded = (uid: number, namespace: string, recorded: Recorded) => void

export function prepareRecorded(database: Database): WriteRecorded {
  const addTurn = database.prepare('INSERT INTO turns (namespace, id, uid, outcome, value) VALUES (?, ?, ?, ?, ?)')
  // Deletes everything below the lowest id that stays. With fewer turns, it compares with NULL and deletes nothing.
  const trim = database.prepare(`
    DELETE FROM turns WHERE (namespace, id) IN (
      SELECT namespace, id FROM turns INDEXED BY turns_by_user WHERE uid = ?1 AND id <=
        (SELECT id FROM turns WHERE uid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
      ORDER BY id LIMIT ${MAX_TRIMMED_TURNS})`)
  const addUserSum = database.prepare(addStatement('user_sums', 'uid'))
  const addSum = database.prepare(addStatement('sums', 'namespace'))
  return (uid, namespace, { turns, keepTurns, userSums, sums }) => {
    for (const { id, outcome, value } of turns) addTurn.run(namespace, id, uid, outcome, value)
    if (keepTurns !== undefined) trim.run(uid, keepTurns)
    for (const sum of userSums) addUserSum.run(uid, ...sumValues(sum))
    for (const sum of sums) addSum.run(namespace, ...sumValues(sum))
  }
}

function addStatement(table: string, owner: string): string {
  const added = AMOUNTS.map((column) => `${column} = CAST(${column} + excluded.${column} AS INTEGER)`)
  return `INSERT INTO ${table} (${owner}, day, hour, key, ${AMOUNTS.join(', ')})
    VALUES (?, ?, ?, ?, ${AMOUNTS.map(() => '?').join(', ')}) ON CONFLICT DO UPDATE SET ${added.join(', ')}`
}

/** The values of a row of sums, as statements bind them. */
export function sumValues({ day, hour, key, amounts }: SumIncrement): (string | number | bigint)[] {
  return [day, hour, key, ...amounts.map(BigInt)]
}
