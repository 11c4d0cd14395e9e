import './query-result.css'
import { type ReactElement, type ReactNode, useRef } from 'react'
import { Surface } from './card.tsx'
import { ErrorMessage } from './error-message.tsx'
import { Skeleton } from './skeleton.tsx'

/** The part of a query result that is needed to render it; the result of an infinite query has it, too. */
export interface Query<Data> {
  readonly data: Data | undefined
  readonly error: unknown
  readonly isError: boolean
  refetch(): Promise<unknown>
}

/** What stands for data that is not there: lines, lines in a card of their own, or a few words within a sentence or cell. */
type Shape = 'lines' | 'card' | 'words'

/**
 * Renders the data of a query with `children`; until there is any, a skeleton or the error, which stays while the query
 * tries again. After a failed refetch the previous data stays.
 */
export function QueryResult<Data>(props: {
  query: Query<Data>
  /** What is being loaded, for screen readers. */
  name: string
  /** Lines of the skeleton: about as high as what follows, so that nothing moves. */
  lines?: number
  /** Default `lines`. */
  shape?: Shape
  children(data: Data): ReactNode
}): ReactElement {
  const { query, shape = 'lines' } = props
  const lastError = useRef<unknown>(null)
  if (query.isError) lastError.current = query.error
  if (query.data !== undefined) lastError.current = null
  const error = lastError.current
  if (query.data !== undefined) return <>{props.children(query.data)}</>
  if (shape === 'words') return <MissingWords query={query} isError={error !== null} name={props.name} />
  const placeholder =
    error !== null ? (
      <ErrorMessage error={error} retry={() => void query.refetch()} />
    ) : (
      <Skeleton name={props.name} lines={props.lines} />
    )
  return shape === 'card' ? <Surface className="query-result">{placeholder}</Surface> : placeholder
}

function MissingWords(props: { query: Query<unknown>; isError: boolean; name: string }): ReactElement {
  const { query, isError, name } = props
  if (!isError) return <Skeleton name={name} lines={1} />
  return (
    <span className="muted">
      not available{' '}
      <button type="button" className="query-result__retry" onClick={() => void query.refetch()}>
        try again<span className="sr-only"> to read {name}</span>
      </button>
    </span>
  )
}
