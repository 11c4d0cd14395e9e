import type { ReactElement, ReactNode } from 'react'

/** A part of the page that may be wider than its place and is then scrolled, with the keyboard too. */
export function Scroll({ label, children }: { label: string; children: ReactNode }): ReactElement {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by the keyboard
    <section className="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
