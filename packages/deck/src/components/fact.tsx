import type { ReactElement, ReactNode } from 'react'

/** A name and what it stands for; one row of a `<dl className="facts">`. */
export function Fact({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
