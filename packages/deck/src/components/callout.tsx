import './callout.css'
import type { ReactElement, ReactNode } from 'react'

/** A highlighted paragraph; `role="alert"` for one that appears after an action. */
export function Callout(props: { role?: 'alert'; className?: string; children: ReactNode }): ReactElement {
  return (
    <p className={props.className === undefined ? 'callout' : `callout ${props.className}`} role={props.role}>
      {props.children}
    </p>
  )
}
