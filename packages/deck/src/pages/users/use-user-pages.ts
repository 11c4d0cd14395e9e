import { useQueries, useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { USER_PAGE_SIZE, userCountQuery, usersQuery } from '../../api/queries.ts'
import type { Bond } from '../../api/wire.ts'
import { now, setTimer } from '../../browser/effects.ts'
import type { UserSearch } from '../../browser/location.ts'
import { announce } from '../../components/live-region.tsx'
import { pluralize } from '../../format-number.ts'
import { findNewRows, mergeRows } from './stable-order.ts'

/** Shortest time between two changes of the order. Values of shown rows change at once. */
const ORDER_INTERVAL_MS = 3_000

const keyOf = (bond: Bond): string => bond.user

export interface UserPages {
  /** The number of users that match; undefined until it is known. */
  readonly total: number | undefined
  readonly error: unknown
  /** The user at a position of the list; undefined while it is loading. */
  rowAt(index: number): Bond | undefined
  /** New users at the top of the list that are not shown while it is being read. */
  readonly pendingCount: number
  /** Takes the fresh order and scrolls to the top. */
  showPending(): void
  refetch(): void
}

interface Shown {
  readonly key: string
  readonly rows: Map<number, readonly Bond[]>
  movedAt: number
}

/**
 * The pages of the list between two positions, with an order that is stable enough to read: rows stay where they are
 * while the list is being read, and otherwise move at most every 3 s. New users are announced to screen readers.
 */
export function useUserPages(
  search: UserSearch,
  { first, last, isReading }: { readonly first: number; readonly last: number; readonly isReading: () => boolean },
): UserPages {
  const count = useQuery(userCountQuery(search))
  const [from, to] = [Math.floor(first / USER_PAGE_SIZE), Math.floor(Math.max(first, last) / USER_PAGE_SIZE)]
  // The first page is always loaded: it tells which users are new.
  const numbers = [...new Set([0, ...Array.from({ length: to - from + 1 }, (_, index) => from + index)])]
  const pages = useQueries({ queries: numbers.map((page) => usersQuery(search, page)) })
  const [, rerender] = useState(0)
  const key = JSON.stringify(search)
  const shown = useRef<Shown>({ key, rows: new Map(), movedAt: 0 })
  if (shown.current.key !== key) shown.current = { key, rows: new Map(), movedAt: 0 }

  const { rows: known, movedAt } = shown.current
  const fresh = pages[0]?.data?.data
  const isKnown = (known.get(0)?.length ?? 0) > 0
  const stable = mergeRows(known.get(0) ?? [], fresh ?? [], { keepOrder: true, keyOf })
  const isResting = isKnown && stable.pendingCount === 0 && now() - movedAt < ORDER_INTERVAL_MS
  const keepOrder = isKnown && (isResting || isReading())
  let hasMoved = false
  for (const [index, number] of numbers.entries()) {
    const data = pages[index]?.data?.data
    if (data === undefined) continue
    const before = known.get(number) ?? []
    const { rows } = mergeRows(before, data, { keepOrder, keyOf })
    hasMoved ||= rows.some(({ user }, row) => user !== before[row]?.user)
    known.set(number, rows)
  }
  if (hasMoved) shown.current.movedAt = now()

  useAnnouncements(fresh, key)
  // When the interval is over, the order that was withheld is taken.
  useEffect(
    () => (isResting ? setTimer(() => rerender((value) => value + 1), ORDER_INTERVAL_MS) : undefined),
    [isResting, fresh],
  )
  return {
    total: count.data,
    error: count.error ?? pages.find(({ isError, data }) => isError && data === undefined)?.error ?? null,
    rowAt: (index) => known.get(Math.floor(index / USER_PAGE_SIZE))?.[index % USER_PAGE_SIZE],
    pendingCount: keepOrder ? stable.pendingCount : 0,
    showPending() {
      shown.current = { key, rows: new Map(), movedAt: 0 }
      window.scrollTo({ top: 0 })
      rerender((value) => value + 1)
    },
    refetch() {
      void count.refetch()
      for (const page of pages) void page.refetch()
    },
  }
}

/** Announces users that are new on the list, but not those of a list that has just started. */
function useAnnouncements(fresh: readonly Bond[] | undefined, key: string): void {
  const previous = useRef<{ key: string; rows: readonly Bond[] | undefined }>({ key, rows: undefined })
  useEffect(() => {
    const before = previous.current.key === key ? previous.current.rows : undefined
    const added = findNewRows(before, fresh ?? [], keyOf)
    const [first] = added
    if (added.length === 1 && first !== undefined) announce(`${first.user} was added to the list.`)
    else if (added.length > 1) announce(`${pluralize(added.length, 'user')} were added to the list.`)
    previous.current = { key, rows: fresh }
  }, [fresh, key])
}
