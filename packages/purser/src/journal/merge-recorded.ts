import type { Recorded } from '../storage/commit.ts'
import { addAmounts, type SumIncrement } from '../storage/sum-store.ts'

/** What two decisions of one commit record. The rows of sums are added up, so that each is written once. */
export function mergeRecorded(one: Recorded, other: Recorded): Recorded {
  const userSums = mergeSums(one.userSums, other.userSums)
  // A turn adds one list to both; drivers write such a list once.
  const isOneList = one.userSums === one.sums && other.userSums === other.sums
  return {
    turns: [...one.turns, ...other.turns],
    keepTurns: other.keepTurns ?? one.keepTurns,
    userSums,
    sums: isOneList ? userSums : mergeSums(one.sums, other.sums),
  }
}

function mergeSums(sums: readonly SumIncrement[], added: readonly SumIncrement[]): readonly SumIncrement[] {
  const merged = sums.slice()
  for (const increment of added) {
    const index = merged.findIndex((sum) => isSameRow(sum, increment))
    const sum = merged[index]
    if (sum === undefined) merged.push(increment)
    else merged[index] = { ...sum, amounts: addAmounts(sum.amounts, increment.amounts) }
  }
  return merged
}

function isSameRow(one: SumIncrement, other: SumIncrement): boolean {
  return one.key === other.key && one.hour === other.hour && one.day === other.day
}
