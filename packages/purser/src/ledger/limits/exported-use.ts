import { formatInstant } from '../calendar.ts'
import { Fields } from '../imported-fields.ts'
import type { Amount } from './amount.ts'
import type { Counter } from './counter.ts'
import { formatMoney } from './money.ts'
import type { RestoredUse } from './window.ts'

/*
 * The use under limits as rows of an export: one for each window, each part of a sliding window, and each report that
 * belongs to no window. Only this file knows their form. Rows without `counts` are for reading: the tokens of turns that
 * are measured without a limit, and rows of earlier versions.
 */

/** A row that an import can restore. */
export interface ExportedUse extends RestoredUse {
  /** The name of the limit. */
  readonly limit: string
  /** What it counts, as in a counter. */
  readonly counts: string
}

const MAX_REPORTS = 16
/** A limit may have 64 globs of 256 characters. */
const COUNTS_MAX_BYTES = 65_536

export function* useRows({
  name: limit,
  of: counts,
  windows = [],
  parts = [],
  marks = [],
}: Counter): Generator<unknown> {
  const [measure] = counts.split(' ')
  const format = measure === 'cost' ? formatMoney : Number
  const row = (window: string, from: number, use: { readonly used: Amount; readonly reported?: readonly string[] }) => {
    const { used, reported = [] } = use
    const rest = reported.length === 0 ? {} : { reported }
    return { limit, measure, counts, window, from: formatInstant(from), value: format(used), ...rest }
  }
  for (const { name, from, inputTokens, outputTokens, ...use } of windows) {
    const window = name || formatInstant(from)
    yield row(window, from, use)
    if (inputTokens !== undefined) yield { limit: 'inputTokens', window, value: inputTokens }
    if (outputTokens !== undefined) yield { limit: 'outputTokens', window, value: outputTokens }
  }
  for (let index = 0; index < parts.length; index += 2) {
    const [second, used = 0] = parts.slice(index, index + 2)
    const from = Number(second) * 1_000
    yield row(formatInstant(from), from, { used })
  }
  for (const { key, window, at } of marks) yield row(window || formatInstant(at), at, { used: 0, reported: [key] })
}

/** Undefined for a row that is only for reading. Throws `argument_invalid` with the name of the field. */
export function parseUseRow(value: unknown): ExportedUse | undefined {
  const row = new Fields(value, '')
  if (!row.has('counts')) return undefined
  const counts = row.text('counts', COUNTS_MAX_BYTES)
  return {
    limit: row.text('limit'),
    counts,
    window: row.text('window'),
    from: row.instant('from'),
    used: counts.startsWith('cost ') ? row.money('value') : row.count('value'),
    reported: row.has('reported') ? row.texts('reported', MAX_REPORTS) : [],
  }
}
