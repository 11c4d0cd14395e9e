import type { ReactElement, ReactNode } from 'react'
import { ApiError } from '../api/client.ts'

/** Grey lines where text is about to be. */
export function Waiting({ lines = 3, of }: { lines?: number; of: string }): ReactElement {
  return (
    <div className="waiting" role="status">
      <span className="unseen">Loading {of}…</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} className="waiting-line" aria-hidden="true" />
      ))}
    </div>
  )
}

/** What went wrong, what can be done about it, and a way to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: (() => void) | undefined }): ReactElement {
  const known = error instanceof ApiError ? error : undefined
  return (
    <div className="failure" role="alert">
      <p>
        <strong>{known?.message ?? 'Something went wrong on this page.'}</strong>
      </p>
      {known?.hint !== undefined && <p>{known.hint}</p>}
      <p className="quiet small">
        {known?.code ?? String(error)}
        {known?.requestId !== undefined && ` · request ${known.requestId}`}
      </p>
      {retry !== undefined && (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}

/** Nothing is here yet, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactElement {
  return (
    <div className="empty">
      <h3>{title}</h3>
      {children}
    </div>
  )
}

/** A titled part of a page. */
export function Card(props: {
  title: string
  id: string
  aside?: ReactNode
  children: ReactNode
  level?: 2 | 3
}): ReactElement {
  const Heading = props.level === 3 ? 'h3' : 'h2'
  return (
    <section className="card" aria-labelledby={props.id}>
      <div className="card-head">
        <Heading id={props.id}>{props.title}</Heading>
        {props.aside !== undefined && <div className="card-aside">{props.aside}</div>}
      </div>
      {props.children}
    </section>
  )
}
