// biome-ignore-all lint/a11y/useSemanticElements: the rows are positioned one by one, which the elements of a table cannot be
// biome-ignore-all lint/a11y/useFocusableInteractive: the focus is on the link of each row
import './user-table.css'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import {
  type KeyboardEvent,
  type ReactElement,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { Link } from 'wouter'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { useShortcuts } from '../../browser/keyboard.ts'
import { type UserSearch, userPath, usersPath } from '../../browser/location.ts'
import { useIsNarrow } from '../../browser/use-is-narrow.ts'
import { BlockedTag } from '../../components/tags.tsx'
import { formatInteger } from '../../format-number.ts'
import type { UserColumn } from './columns.tsx'

const ROW_HEIGHT_PX = 44
const NARROW_ROW_HEIGHT_PX = 68
const OVERSCAN_ROWS = 12

export interface UserTableProps {
  readonly total: number
  rowAt(index: number): Bond | undefined
  readonly columns: readonly UserColumn[]
  readonly search: UserSearch
  readonly vocabulary: Vocabulary
  readonly tableRef: RefObject<HTMLDivElement | null>
  /** The user in the side pane. */
  readonly peeked: string
  peek(user: string): void
  /** The positions that are shown. */
  onRange(first: number, last: number): void
}

/**
 * All users as one table of which only the visible rows exist. J and K move through it; Enter shows the user beside the
 * list, and a click on the id opens the user's page.
 */
export function UserTable(props: UserTableProps): ReactElement {
  const { total, columns, search, tableRef } = props
  const isNarrow = useIsNarrow()
  const [scrollMargin, setScrollMargin] = useState(0)
  const virtualizer = useWindowVirtualizer({
    count: total,
    estimateSize: () => (isNarrow ? NARROW_ROW_HEIGHT_PX : ROW_HEIGHT_PX),
    overscan: OVERSCAN_ROWS,
    scrollMargin,
  })
  const body = useRef<HTMLDivElement>(null)
  const items = virtualizer.getVirtualItems()
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0]
  const { focusRow, onFocusRow } = useRowFocus(body, total, (index) => virtualizer.scrollToIndex(index))
  useLayoutEffect(() => {
    const top = body.current === null ? 0 : body.current.getBoundingClientRect().top + window.scrollY
    if (Math.abs(top - scrollMargin) > 1) setScrollMargin(top)
  })
  useEffect(() => virtualizer.measure(), [isNarrow])
  useEffect(() => props.onRange(first, last), [first, last])
  useShortcuts({ j: () => focusRow(1), k: () => focusRow(-1) })
  const grid = { '--columns': `minmax(180px, 2fr) ${columns.map(({ width }) => width).join(' ')}` }
  return (
    <div
      ref={tableRef}
      className="user-table"
      role="table"
      aria-label="Users"
      aria-rowcount={total + 1}
      style={grid as Record<string, string>}
    >
      <div role="rowgroup">
        <div role="row" className="user-table__row user-table__head" aria-rowindex={1}>
          <ColumnHeader name="User" orderBy="id" order="asc" search={search} />
          {columns.map((column) => (
            <ColumnHeader key={column.id} {...column} search={search} />
          ))}
        </div>
      </div>
      <div
        role="rowgroup"
        ref={body}
        className="user-table__body"
        style={{ height: `${virtualizer.getTotalSize()}px` }}
      >
        {items.map(({ index, start, size }) => (
          <UserRow
            key={index}
            {...props}
            index={index}
            bond={props.rowAt(index)}
            style={{ height: `${size}px`, transform: `translateY(${start - scrollMargin}px)` }}
            onFocus={() => onFocusRow(index)}
          />
        ))}
      </div>
      <p className="user-table__position muted small tabular-nums" aria-hidden="true">
        {formatInteger(Math.min(total, (virtualizer.range?.endIndex ?? 0) + 1))} of {formatInteger(total)}
      </p>
    </div>
  )
}

/** Moves the focus from row to row, also to one that does not exist yet. */
function useRowFocus(
  body: RefObject<HTMLDivElement | null>,
  total: number,
  scrollTo: (index: number) => void,
): { focusRow(step: 1 | -1): void; onFocusRow(index: number): void } {
  const focused = useRef(-1)
  const wanted = useRef<number | null>(null)
  const linkAt = (index: number): HTMLElement | null =>
    body.current?.querySelector(`[data-index="${index}"] .user-table__link`) ?? null
  useEffect(() => {
    if (wanted.current === null) return
    const link = linkAt(wanted.current)
    if (link === null) return
    wanted.current = null
    link.focus({ preventScroll: true })
  })
  return {
    focusRow(step) {
      // A key pressed before the row of the last one exists continues from that row.
      const isMoving = wanted.current !== null || body.current?.contains(document.activeElement) === true
      const next = isMoving ? focused.current + step : Math.max(0, focused.current)
      if (next < 0 || next >= total) return
      focused.current = next
      scrollTo(next)
      const link = linkAt(next)
      wanted.current = link === null ? next : null
      link?.focus({ preventScroll: true })
    },
    onFocusRow(index) {
      focused.current = index
      wanted.current = null
    },
  }
}

function ColumnHeader(props: {
  name: string
  orderBy?: string
  order?: 'asc' | 'desc'
  isNumeric?: boolean
  search: UserSearch
}): ReactElement {
  const { name, orderBy, order, search } = props
  const className = props.isNumeric ? 'user-table__cell user-table__cell--number' : 'user-table__cell'
  if (orderBy === undefined) {
    return (
      <div role="columnheader" className={className}>
        {name}
      </div>
    )
  }
  const isSorted = search.orderBy === orderBy
  const isAscending = search.order === 'asc'
  const nextOrder = isSorted ? (isAscending ? 'desc' : 'asc') : (order ?? '')
  return (
    <div
      role="columnheader"
      className={className}
      aria-sort={isSorted ? (isAscending ? 'ascending' : 'descending') : undefined}
    >
      <Link href={usersPath({ ...search, orderBy, order: nextOrder })} className="user-table__sort">
        {name}
        <span className="user-table__arrow" aria-hidden="true">
          {isSorted && (isAscending ? '↑' : '↓')}
        </span>
      </Link>
    </div>
  )
}

function UserRow(
  props: UserTableProps & {
    index: number
    bond: Bond | undefined
    style: Record<string, string>
    onFocus(): void
  },
): ReactElement {
  const { bond, columns, vocabulary, index, style, peek } = props
  if (bond === undefined) {
    return (
      <div role="row" className="user-table__row" data-index={index} aria-rowindex={index + 2} style={style}>
        <span role="cell" className="user-table__cell user-table__loading">
          <span className="sr-only">Loading…</span>
        </span>
      </div>
    )
  }
  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    peek(bond?.user ?? '')
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter on the link of the row does the same
    <div
      role="row"
      className={bond.user === props.peeked ? 'user-table__row user-table__row--peeked' : 'user-table__row'}
      data-index={index}
      aria-rowindex={index + 2}
      style={style}
      onClick={(event) => (event.target as Element).closest('a') === null && peek(bond.user)}
    >
      <div role="rowheader" className="user-table__cell user-table__id">
        <Link href={userPath(bond.user)} className="user-table__link" onKeyDown={onKeyDown} onFocus={props.onFocus}>
          <bdi>{bond.user}</bdi>
        </Link>
        {bond.blocked !== null && <BlockedTag />}
      </div>
      {columns.map(({ id, isNumeric, render }) => (
        <div
          key={id}
          role="cell"
          data-column={id}
          className={isNumeric ? 'user-table__cell user-table__cell--number' : 'user-table__cell'}
        >
          {render(bond, vocabulary)}
        </div>
      ))}
    </div>
  )
}
