import { useEffect } from 'react'
import type { Pages } from '../../components/paged-table.tsx'
import { isWithin, type PageRange } from './page-range.ts'

/**
 * The rows of a range, of a list that is loaded newest first. Pages are loaded until the range is complete when it was
 * chosen with the brush; a preset ends now, so its first page is enough to begin with.
 */
export function useRowsInRange<Row extends { readonly at: string }>(
  log: Pages,
  rows: readonly Row[],
  range: PageRange,
): { readonly rows: readonly Row[]; readonly isComplete: boolean } {
  const oldest = rows.at(-1)?.at
  const isComplete = !log.hasNextPage || (oldest !== undefined && Date.parse(oldest) < range.from)
  const mustLoad = range.preset === null && !isComplete && !log.isFetchingNextPage && oldest !== undefined
  useEffect(() => {
    if (mustLoad) void log.fetchNextPage()
  }, [mustLoad, oldest])
  return { rows: range.preset === '' ? rows : rows.filter(({ at }) => isWithin(at, range)), isComplete }
}
