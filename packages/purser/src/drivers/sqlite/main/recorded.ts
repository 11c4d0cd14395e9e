import type { Subject } from '../../../core/subject.ts'
import type { Database } from '../database.ts'
import { decodeIncrements, FIRST_TURN, type PackedRecorded, TURN_VALUES } from './packed-recorded.ts'
import { prepareAddSums } from './sums.ts'
import type { TurnFold } from './turn-fold.ts'

/*
 * What a commit records. Turns are appended, and what they add to sums is appended with them; the fold does the rest. A
 * commit without turns adds to sums at once.
 */

export type WriteRecorded = (user: Subject, recorded: PackedRecorded) => void

export function prepareRecorded(database: Database, fold: TurnFold): WriteRecorded {
  const append = database.prepare(`INSERT INTO turns (uid, namespace, id, outcome, value, sums, keep)
    SELECT uid, namespace, ?, ?, ?, ?, ? FROM users WHERE namespace = ? AND id = ?`)
  const findUid = database.prepare('SELECT uid FROM users WHERE namespace = ? AND id = ?')
  const addSums = prepareAddSums(database)

  function addNow(uid: number, namespace: string, sums: string): void {
    for (const increment of decodeIncrements(sums)) {
      if (increment.isOfUser) addSums.ofUser(uid, increment)
      if (increment.isOfNamespace) addSums.ofNamespace(namespace, increment)
    }
  }

  return ({ namespace, id: user }, recorded) => {
    const { length } = recorded
    const [sums, keep] = recorded
    // The sums are those of the first turn, and the limit applies behind the last one.
    for (let index = FIRST_TURN; index < length; index += TURN_VALUES) {
      const [id, outcome, value] = recorded.slice(index, index + TURN_VALUES) as [string, string, string]
      const isLast = index + TURN_VALUES === length
      append.run(id, outcome, value, index === FIRST_TURN ? sums : null, isLast ? keep : null, namespace, user)
    }
    fold.noteAppended((length - FIRST_TURN) / TURN_VALUES)
    if (length > FIRST_TURN) return
    const uid = Number(findUid.get(namespace, user)?.uid)
    if (sums !== null) addNow(uid, namespace, sums)
    if (keep !== null) fold.trim(uid, keep)
  }
}
