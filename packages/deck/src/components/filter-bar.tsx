import './filter-bar.css'
import type { ReactElement, ReactNode } from 'react'

/** The filters of a list, above it. */
export function FilterBar({ children }: { children: ReactNode }): ReactElement {
  return <search className="filter-bar">{children}</search>
}
