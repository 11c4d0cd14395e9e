import { useEffect, useRef, useState } from 'react'
import type { Bond } from '../../api/wire.ts'
import { now, setTimer } from '../../browser/effects.ts'
import { announce } from '../../components/live-region.tsx'
import { pluralize } from '../../format-number.ts'
import { findNewRows, mergeRows } from './stable-order.ts'

/** Shortest time between two changes of the order. Values of shown rows change at once, and new rows appear at once. */
const ORDER_INTERVAL_MS = 3_000

const keyOf = (bond: Bond): string => bond.user

export interface StableList {
  readonly rows: readonly Bond[]
  /** New users that are not shown while the list is being read. */
  readonly pendingCount: number
  /** Takes the fresh order and scrolls to the top. */
  showPending(): void
}

/**
 * Keeps the order of a live list stable enough to read: rows keep their positions while the list is being read, and
 * otherwise move at most every 3 s. New users are announced to screen readers.
 * @param listKey changes when the filter, order or page changes: the list then starts anew
 */
export function useStableList(
  fresh: readonly Bond[] | undefined,
  listKey: string,
  table: { readonly current: HTMLElement | null },
): StableList {
  const shown = useRef<{ listKey: string; rows: readonly Bond[]; movedAt: number }>({ listKey, rows: [], movedAt: 0 })
  const [, rerender] = useState(0)
  const known = shown.current.listKey === listKey ? shown.current.rows : []
  const stable = mergeRows(known, fresh ?? [], { keepOrder: true, keyOf })
  const isReading = known.length > 0 && isBeingRead(table.current)
  const isResting = stable.pendingCount === 0 && known.length > 0 && now() - shown.current.movedAt < ORDER_INTERVAL_MS
  const list = isReading || isResting ? stable : mergeRows(known, fresh ?? [], { keepOrder: false, keyOf })
  const hasMoved = list.rows.length !== known.length || list.rows.some(({ user }, index) => user !== known[index]?.user)
  shown.current = { listKey, rows: list.rows, movedAt: hasMoved ? now() : shown.current.movedAt }

  useAnnouncements(fresh, listKey)
  // When the interval is over, the order that was withheld is taken.
  useEffect(
    () => (isResting ? setTimer(() => rerender((count) => count + 1), ORDER_INTERVAL_MS) : undefined),
    [isResting, fresh],
  )

  return {
    ...list,
    showPending() {
      shown.current = { listKey, rows: [], movedAt: 0 }
      window.scrollTo({ top: 0 })
      rerender((count) => count + 1)
    },
  }
}

/** Announces users that are new on the list, but not those of a list that has just started. */
function useAnnouncements(fresh: readonly Bond[] | undefined, listKey: string): void {
  const previous = useRef<{ listKey: string; rows: readonly Bond[] | undefined }>({ listKey, rows: undefined })
  useEffect(() => {
    const before = previous.current.listKey === listKey ? previous.current.rows : undefined
    const added = findNewRows(before, fresh ?? [], keyOf)
    const [first] = added
    if (added.length === 1 && first !== undefined) announce(`${first.user} was added to the list.`)
    else if (added.length > 1) announce(`${pluralize(added.length, 'user')} were added to the list.`)
    previous.current = { listKey, rows: fresh }
  }, [fresh, listKey])
}

/** Whether the focus is in the table, or the page is scrolled into it. */
function isBeingRead(table: HTMLElement | null): boolean {
  return table !== null && (table.contains(document.activeElement) || table.getBoundingClientRect().top < 0)
}
