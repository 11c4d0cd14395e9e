import './skeleton.css'
import type { ReactElement } from 'react'

/** Placeholder lines while text is loading; `name` tells screen readers what is loading. */
export function Skeleton({ name, lines = 3 }: { name: string; lines?: number | undefined }): ReactElement {
  return (
    <div className="skeleton" role="status">
      <span className="sr-only">Loading {name}…</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} className="skeleton__line" aria-hidden="true" />
      ))}
    </div>
  )
}
