import './list-actions.css'
import { type ReactElement, useId } from 'react'
import { saveFile } from '../browser/save-file.ts'
import { Button } from './button.tsx'
import { type ExportColumn, toCsv, toJsonLines } from './export-rows.ts'
import { announce } from './live-region.tsx'
import { Popover } from './popover.tsx'

/** What can be done with a list as it is shown: saving its rows, and repeating its request in a terminal. */
export function ListActions<Row>(props: {
  /** Start of the file names. */
  name: string
  rows: readonly Row[]
  columns: readonly ExportColumn<Row>[]
  /** The request whose response is shown. */
  url: URL
}): ReactElement {
  const { name, rows, columns, url } = props
  const id = useId()
  const item = (label: string, run: () => void): ReactElement => (
    <button type="button" className="list-actions__item" popoverTarget={id} popoverTargetAction="hide" onClick={run}>
      {label}
    </button>
  )
  return (
    <>
      <Button popoverTarget={id} size="small">
        Export
      </Button>
      <Popover id={id} className="list-actions">
        {item('Shown rows as CSV', () => saveFile(`${name}.csv`, 'text/csv', toCsv(rows, columns)))}
        {item('Shown rows as JSON lines', () => saveFile(`${name}.jsonl`, 'application/x-ndjson', toJsonLines(rows)))}
        {navigator.clipboard !== undefined && item('Copy as cURL', () => void copyCurl(url))}
      </Popover>
    </>
  )
}

async function copyCurl(url: URL): Promise<void> {
  await navigator.clipboard.writeText(curlCommand(url))
  announce('Copied.')
}

/** The request as a command; the key is read from the environment. */
export function curlCommand(url: URL): string {
  return `curl '${url.href.replaceAll("'", '%27')}' -H "authorization: Bearer $PURSER_KEY"`
}
