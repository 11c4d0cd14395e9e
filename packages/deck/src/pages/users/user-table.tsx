// biome-ignore-all lint/a11y/noRedundantRoles: on a narrow page the rows are laid out as blocks, and a table that is not displayed as one loses its implicit roles
import './user-table.css'
import type { ReactElement, RefObject } from 'react'
import { Link } from 'wouter'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { type UserSearch, userPath, usersPath } from '../../browser/location.ts'
import { CapUsage } from '../../components/limit-usage.tsx'
import { BlockedTag, PhaseTag, RiskTag } from '../../components/tags.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'

interface Column {
  readonly name: string
  readonly className: string
  /** Present on columns that can be sorted. */
  readonly orderBy?: string
  /** Order of the first click. */
  readonly order?: 'asc' | 'desc'
}

const COLUMNS: readonly Column[] = [
  { name: 'User', className: 'user-table__id', orderBy: 'id', order: 'asc' },
  { name: 'Phase', className: 'user-table__phase' },
  { name: 'Risk', className: 'user-table__risk' },
  { name: 'Today', className: 'user-table__cap', orderBy: 'capUsed', order: 'desc' },
  { name: 'Last seen', className: 'user-table__seen', orderBy: 'lastSeenAt', order: 'desc' },
]

/** Matches the link of each row. */
export const USER_LINK = '.user-table__link'

export function UserTable(props: {
  bonds: readonly Bond[]
  search: UserSearch
  vocabulary: Vocabulary
  bodyRef: RefObject<HTMLTableSectionElement | null>
  isBusy: boolean
}): ReactElement {
  const { bonds, search, vocabulary } = props
  return (
    <table className="user-table" role="table" aria-busy={props.isBusy} aria-label="Users">
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map((column) => (
            <ColumnHeader key={column.name} column={column} search={search} />
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup" ref={props.bodyRef}>
        {bonds.map((bond) => (
          <UserRow key={bond.user} bond={bond} vocabulary={vocabulary} />
        ))}
      </tbody>
    </table>
  )
}

function ColumnHeader({ column, search }: { column: Column; search: UserSearch }): ReactElement {
  const { name, className, orderBy, order } = column
  const isSorted = orderBy !== undefined && search.orderBy === orderBy
  const isAscending = search.order === 'asc'
  if (orderBy === undefined) {
    return (
      <th role="columnheader" scope="col" className={className}>
        {name}
      </th>
    )
  }
  const nextOrder = isSorted ? (isAscending ? 'desc' : 'asc') : (order ?? '')
  return (
    <th
      role="columnheader"
      scope="col"
      className={className}
      aria-sort={isSorted ? (isAscending ? 'ascending' : 'descending') : undefined}
    >
      <Link href={usersPath({ ...search, cursor: '', orderBy, order: nextOrder })} className="user-table__sort">
        {name}
        <span className="user-table__arrow" aria-hidden="true">
          {isSorted && (isAscending ? '↑' : '↓')}
        </span>
      </Link>
    </th>
  )
}

function UserRow({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  return (
    <tr role="row">
      <th role="rowheader" scope="row" className="user-table__id">
        <Link href={userPath(bond.user)} className="user-table__link">
          <bdi>{bond.user}</bdi>
        </Link>
        {bond.blocked !== null && (
          <span className="user-table__blocked">
            <BlockedTag />
          </span>
        )}
      </th>
      <td role="cell" className="user-table__phase">
        <PhaseTag phase={bond.phase} vocabulary={vocabulary} />
      </td>
      <td role="cell" className="user-table__risk">
        <RiskTag level={bond.riskLevel} vocabulary={vocabulary} />
      </td>
      <td role="cell" className="user-table__cap">
        <CapUsage bond={bond} />
      </td>
      <td role="cell" className="user-table__seen">
        <RelativeTime at={bond.lastSeenAt} zone={bond.timeZone} />
      </td>
    </tr>
  )
}
