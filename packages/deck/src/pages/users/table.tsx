// biome-ignore-all lint/a11y/noRedundantRoles: laid out as blocks on narrow pages, a table loses the roles its elements imply
import type { ReactElement, RefObject } from 'react'
import { Link } from 'wouter'
import type { UserSearch } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { CapBar } from '../../components/cap.tsx'
import { Instant } from '../../components/instant.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { listPath } from './search.ts'

const COLUMNS = [
  { name: 'User', orderBy: 'id', order: 'asc' },
  { name: 'Phase' },
  { name: 'Risk' },
  { name: 'Today', orderBy: 'capUsed', order: 'desc' },
  { name: 'Last seen', orderBy: 'lastSeenAt', order: 'desc' },
] as const

/**
 * The roles are written out because on a narrow page the rows are laid out as blocks, and a table that is not laid out
 * as one would no longer be read as one.
 */
export function UserTable(props: {
  bonds: readonly Bond[]
  search: UserSearch
  vocabulary: Vocabulary
  body: RefObject<HTMLTableSectionElement | null>
  busy: boolean
}): ReactElement {
  const { bonds, search, vocabulary } = props
  return (
    <table className="users" role="table" aria-busy={props.busy} aria-label="Users">
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map((column) => (
            <Heading key={column.name} column={column} search={search} />
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup" ref={props.body}>
        {bonds.map((bond) => (
          <Row key={bond.user} bond={bond} vocabulary={vocabulary} />
        ))}
      </tbody>
    </table>
  )
}

function Heading(props: {
  column: { readonly name: string; readonly orderBy?: string; readonly order?: string }
  search: UserSearch
}): ReactElement {
  const { column, search } = props
  const { orderBy, order } = column
  const sorted = orderBy !== undefined && search.orderBy === orderBy
  const next = sorted ? (search.order === 'asc' ? 'desc' : 'asc') : order
  return (
    <th
      role="columnheader"
      scope="col"
      aria-sort={sorted ? (search.order === 'asc' ? 'ascending' : 'descending') : undefined}
    >
      {orderBy === undefined ? (
        column.name
      ) : (
        <Link href={listPath({ ...search, cursor: '', orderBy, order: next ?? '' })} className="sort">
          {column.name}
          <span className="sort-sign" aria-hidden="true">
            {sorted ? (search.order === 'asc' ? '↑' : '↓') : ''}
          </span>
        </Link>
      )}
    </th>
  )
}

function Row({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  return (
    <tr role="row" data-blocked={bond.blocked === null ? undefined : ''}>
      <th role="rowheader" scope="row" className="cell-user">
        <Link href={userPath(bond.user)} className="user-link">
          <bdi>{bond.user}</bdi>
        </Link>
        {bond.blocked !== null && <span className="mark-blocked">Blocked</span>}
      </th>
      <td role="cell" className="cell-phase">
        <PhaseTag phase={bond.phase} vocabulary={vocabulary} />
      </td>
      <td role="cell" className="cell-risk">
        <RiskTag level={bond.riskLevel} vocabulary={vocabulary} />
      </td>
      <td role="cell" className="cell-cap">
        <CapBar bond={bond} />
      </td>
      <td role="cell" className="cell-seen">
        <Instant at={bond.lastSeenAt} zone={bond.timeZone} />
      </td>
    </tr>
  )
}
