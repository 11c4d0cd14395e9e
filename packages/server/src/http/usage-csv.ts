import type { UsageSum } from 'purser'

const COLUMNS: readonly (keyof UsageSum)[] = [
  'key',
  'turns',
  'refused',
  'unpriced',
  'inputTokens',
  'outputTokens',
  'cachedTokens',
  'cost',
]

/** Sums as a table: comma-separated values (RFC 4180) with a header. */
export function formatUsageCsv(sums: readonly UsageSum[]): string {
  return formatCsv(
    COLUMNS,
    sums.map((sum) => COLUMNS.map((column) => sum[column])),
  )
}

export function formatCsv(header: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return [header, ...rows].map((row) => `${row.map(formatCell).join(',')}\r\n`).join('')
}

/** A spreadsheet takes text with these first characters for a formula: an apostrophe makes it text. */
const FORMULA = /^[=+\-@\t\r]/
const QUOTED = /[",\r\n]/

function formatCell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : String(value)
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
