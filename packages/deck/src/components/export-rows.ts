/** A column of an exported table. */
export interface ExportColumn<Row> {
  readonly name: string
  valueOf(row: Row): string | number | boolean | null | undefined
}

/** A spreadsheet takes a cell that begins with one of these for a formula. */
const FORMULA_START = /^[=+\-@\t\r\n]/

/** Rows as CSV (RFC 4180). Text that a spreadsheet would run as a formula begins with an apostrophe. */
export function toCsv<Row>(rows: readonly Row[], columns: readonly ExportColumn<Row>[]): string {
  const lines = [
    columns.map(({ name }) => formatCell(name)),
    ...rows.map((row) => columns.map((column) => formatCell(column.valueOf(row)))),
  ]
  return lines.map((cells) => `${cells.join(',')}\r\n`).join('')
}

function formatCell(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'string') return String(value)
  const text = FORMULA_START.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) || text !== value ? `"${text.replaceAll('"', '""')}"` : text
}

/** Rows as one JSON value a line. */
export function toJsonLines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}
