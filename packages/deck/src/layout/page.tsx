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

/** The title of a page, one sentence about it, and its actions. */
export function PageHeader(props: { title: string; lead?: ReactNode; children?: ReactNode }): ReactElement {
  return (
    <header className="page-header">
      <div>
        <h1>{props.title}</h1>
        {props.lead !== undefined && <p className="muted">{props.lead}</p>}
      </div>
      {props.children !== undefined && <div className="page-header__actions">{props.children}</div>}
    </header>
  )
}
