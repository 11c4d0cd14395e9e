import './scroll-area.css'
import type { ReactElement, ReactNode } from 'react'

/** Content that may be wider than the page and then scrolls horizontally, with the keyboard too. */
export function ScrollArea({ label, children }: { label: string; children: ReactNode }): ReactElement {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable area must be reachable with the keyboard
    <section className="scroll-area" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
