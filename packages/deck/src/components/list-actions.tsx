import type { ReactElement } from 'react'
import { saveFile } from '../browser/save-file.ts'
import { type ExportColumn, toCsv, toJsonLines } from './export-rows.ts'
import { announce } from './live-region.tsx'
import { Menu, MenuItem } from './menu.tsx'

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
  return (
    <Menu label="Export" size="small">
      {(menu) => (
        <>
          <MenuItem
            menu={menu}
            label="Shown rows as CSV"
            run={() => saveFile(`${name}.csv`, 'text/csv', toCsv(rows, columns))}
          />
          <MenuItem
            menu={menu}
            label="Shown rows as JSON lines"
            run={() => saveFile(`${name}.jsonl`, 'application/x-ndjson', toJsonLines(rows))}
          />
          {navigator.clipboard !== undefined && (
            <MenuItem menu={menu} label="Copy as cURL" run={() => void copyCurl(url)} />
          )}
        </>
      )}
    </Menu>
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
