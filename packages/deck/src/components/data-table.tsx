import './data-table.css'
import type { ReactElement, ReactNode } from 'react'

export interface DataColumn {
  readonly name: string
  /** Numbers are aligned to the right; their cells have the class `data-table__number`. */
  readonly isNumeric?: boolean
}

/** A plain table; `children` are its rows. */
export function DataTable(props: {
  label?: string
  columns: readonly DataColumn[]
  compact?: boolean
  children: ReactNode
}): ReactElement {
  return (
    <table className={props.compact ? 'data-table data-table--compact' : 'data-table'} aria-label={props.label}>
      <thead>
        <tr>
          {props.columns.map(({ name, isNumeric }) => (
            <th key={name} scope="col" className={isNumeric ? 'data-table__number' : undefined}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{props.children}</tbody>
    </table>
  )
}
