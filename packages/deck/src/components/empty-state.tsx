import './empty-state.css'
import type { ReactElement, ReactNode } from 'react'

/** Shown where there is no data, with what to do about it. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }): ReactElement {
  return (
    <div className="empty-state">
      <h3>{title}</h3>
      {children}
    </div>
  )
}
