import type { Recorded } from '../../../storage/commit.ts'
import type { SumAmount, SumIncrement } from '../../../storage/sum-store.ts'

/**
 * What a commit records, in the form in which it is sent to the writer thread: a flat list, of which only this file knows the
 * positions, because lists of objects are cloned several times more slowly. Three values for each turn follow the two
 * first ones.
 */
export type PackedRecorded = readonly [sums: string | null, keep: number | null, ...turns: string[]]

/** The values of one turn in a `PackedRecorded`: id, outcome, value. */
export const TURN_VALUES = 3
/** Where the first turn begins. */
export const FIRST_TURN = 2

/** The sums that an increment belongs to. */
type Scope = 0 | 1 | 2
const BOTH = 0
const OF_USER = 1
const OF_NAMESPACE = 2

export interface ScopedIncrement extends SumIncrement {
  readonly isOfUser: boolean
  readonly isOfNamespace: boolean
}

export function packRecorded({ turns, keepTurns, userSums, sums }: Recorded): PackedRecorded {
  const packed: [string | null, number | null, ...string[]] = [encodeIncrements(userSums, sums), keepTurns ?? null]
  for (const { id, outcome, value } of turns) packed.push(id, outcome, value)
  return packed
}

/** As text, a JSON list; null: none. Increments that both sums have, as those of turns, are in it once. */
export function encodeIncrements(userSums: readonly SumIncrement[], sums: readonly SumIncrement[]): string | null {
  const parts =
    userSums === sums
      ? userSums.map((sum) => encode(BOTH, sum))
      : [...userSums.map((sum) => encode(OF_USER, sum)), ...sums.map((sum) => encode(OF_NAMESPACE, sum))]
  return parts.length === 0 ? null : `[${parts.join(',')}]`
}

function encode(scope: Scope, { day, hour, key, amounts }: SumIncrement): string {
  const texts = amounts.map((amount) => (typeof amount === 'number' ? amount : `"${amount}"`))
  return `[${scope},${JSON.stringify(day)},${hour},${JSON.stringify(key)},${texts.join(',')}]`
}

export function decodeIncrements(text: string): ScopedIncrement[] {
  const parts = JSON.parse(text) as [scope: Scope, day: string, hour: number, key: string, ...amounts: SumAmount[]][]
  return parts.map(([scope, day, hour, key, ...amounts]) => ({
    isOfUser: scope !== OF_NAMESPACE,
    isOfNamespace: scope !== OF_USER,
    day,
    hour,
    key,
    amounts,
  }))
}
