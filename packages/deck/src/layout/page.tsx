import './page.css'
import { type ReactElement, type ReactNode, useEffect } from 'react'

/** The sections of one page, below each other. */
export function Page({ className, children }: { className?: string; children: ReactNode }): ReactElement {
  return <div className={className === undefined ? 'page' : `page ${className}`}>{children}</div>
}

/** A page without navigation, centered in the window. */
export function CenteredPage({ children }: { children: ReactNode }): ReactElement {
  return <main className="centered-page">{children}</main>
}

/** Sets the title of the document. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Purser`
  }, [title])
}
