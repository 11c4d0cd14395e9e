import type { ReactElement, ReactNode } from 'react'
import { ErrorMessage } from './error-message.tsx'
import { Skeleton } from './skeleton.tsx'

/** The part of a query result that is needed to render it; the result of an infinite query has it, too. */
interface Query<Data> {
  readonly data: Data | undefined
  readonly error: unknown
  readonly isError: boolean
  refetch(): Promise<unknown>
}

/**
 * Renders the data of a query with `children`; until there is any, a skeleton or the error. After a failed refetch the
 * previous data stays.
 */
export function QueryResult<Data>(props: {
  query: Query<Data>
  /** What is being loaded, for screen readers. */
  name: string
  /** Lines of the skeleton. */
  lines?: number
  children(data: Data): ReactNode
}): ReactElement {
  const { query } = props
  if (query.data !== undefined) return <>{props.children(query.data)}</>
  if (query.isError) return <ErrorMessage error={query.error} retry={() => void query.refetch()} />
  return <Skeleton name={props.name} lines={props.lines} />
}
