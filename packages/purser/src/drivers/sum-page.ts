import type { SumPage, SumRow } from '../storage/sum-store.ts'
import { compareText } from './text-order.ts'

type Position = Pick<SumRow, 'day' | 'hour' | 'key'>

/** A page of rows that are in memory in no particular order. */
export function sumPage(rows: Iterable<SumRow>, { from, to, after, limit }: SumPage): readonly SumRow[] {
  return [...rows]
    .filter((row) => row.day >= from && row.day < to && (after === undefined || compareSums(row, after) > 0))
    .sort(compareSums)
    .slice(0, limit)
}

function compareSums(one: Position, other: Position): number {
  return compareText(one.day, other.day) || one.hour - other.hour || compareText(one.key, other.key)
}
