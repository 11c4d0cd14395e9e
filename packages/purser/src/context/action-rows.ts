import type { Plain } from './copy-data.ts'
import { readInstant } from './instants.ts'

/** One action as it is rendered. */
export interface ActionRow {
  readonly action: string
  /** Epoch ms; null when the row has no readable date. */
  readonly at: number | null
  readonly label?: string | undefined
  readonly sublabel?: string | undefined
}

/**
 * Reads the rows of a feed, one by one: a row that makes no sense costs itself only. Names may be text or numbers.
 * Both ways of naming the fields are understood, ours and `created_date`, `zeroshot_label`, `gpt3_label`.
 */
export function readRows(list: readonly Plain[]): ActionRow[] {
  const rows: ActionRow[] = []
  for (const given of list) {
    const row = readRow(given)
    if (row !== undefined) rows.push(row)
  }
  return rows
}

function readRow(given: Plain): ActionRow | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined
  const row = given as { readonly [name: string]: Plain }
  const action = nameOf(row.action)
  if (action === undefined) return undefined
  return {
    action,
    at: readInstant(row.at ?? row.created_date),
    label: nameOf(row.label ?? row.zeroshot_label),
    sublabel: nameOf(row.sublabel ?? row.gpt3_label),
  }
}

function nameOf(value: Plain | undefined): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}
