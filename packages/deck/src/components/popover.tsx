import './popover.css'
import type { ReactElement, ReactNode } from 'react'

/** A popover below the button whose `popoverTarget` is `id`. It closes on Escape and on a click outside. */
export function Popover({
  id,
  className,
  children,
}: {
  id: string
  className: string
  children: ReactNode
}): ReactElement {
  return (
    <div id={id} popover="auto" className={`popover ${className}`}>
      {children}
    </div>
  )
}
