import './paged-table.css'
import type { ReactElement, ReactNode } from 'react'
import { Button } from './button.tsx'
import { type DataColumn, DataTable } from './data-table.tsx'
import { ScrollArea } from './scroll-area.tsx'

/** The state of the pages of a list that grows. */
export interface Pages {
  readonly hasNextPage: boolean
  readonly isFetchingNextPage: boolean
  fetchNextPage(): Promise<unknown>
}

/** A table of which `log` loads the pages; `label` is its name and that of its rows. */
export function PagedTable(props: {
  label: string
  columns: readonly DataColumn[]
  log: Pages
  compact?: boolean
  children: ReactNode
}): ReactElement {
  const { label, columns, log, children } = props
  return (
    <div className="paged-table">
      <ScrollArea label={label}>
        <DataTable label={label} columns={columns} compact={props.compact === true}>
          {children}
        </DataTable>
      </ScrollArea>
      <LoadOlder label={label} log={log} />
    </div>
  )
}

/** The button that loads the next page, while there is one. */
export function LoadOlder({ label, log }: { label: string; log: Pages }): ReactElement | null {
  if (!log.hasNextPage) return null
  return (
    <Button onClick={() => void log.fetchNextPage()} disabled={log.isFetchingNextPage}>
      {log.isFetchingNextPage ? 'Loading…' : `Load older ${label.toLowerCase()}`}
    </Button>
  )
}
