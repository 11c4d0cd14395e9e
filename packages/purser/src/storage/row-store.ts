import type { Facets, Reply, StoredEvent, UserRow } from './commit.ts'
import type { SumRow } from './sum-store.ts'
import type { StoredTurn } from './turn-store.ts'

/**
 * All rows of a store that are not rebuildable, as they are, in all namespaces: for moving a store. No other process may
 * write meanwhile.
 */
export interface RowStore {
  /**
   * One page of rows. A user precedes everything that belongs to the user; the events of a namespace come in the
   * order of their commits.
   */
  read(page: RowPageQuery): Promise<RowPage>
  /** Writes rows as they are, in their order. Rows that exist stay unchanged, so a page may be written again. */
  write(rows: readonly StoredRow[]): Promise<void>
}

export interface RowPageQuery {
  readonly after: RowCursor | undefined
  /** Rows of the page, at most. */
  readonly limit: number
  /** The page ends with the row that reaches this size, about. Default: no limit. */
  readonly maxBytes?: number | undefined
}

/** A position between two pages: text of the driver. */
export type RowCursor = string

export interface RowPage {
  readonly rows: readonly StoredRow[]
  /** undefined: this page was the last. A page before the last may be empty. */
  readonly next: RowCursor | undefined
}

export type StoredRow =
  | { readonly type: 'incarnation'; readonly namespace: string; readonly tag: string; readonly next: number }
  | {
      readonly type: 'user'
      readonly namespace: string
      readonly id: string
      readonly row: UserRow
      readonly facets: Facets
    }
  | {
      readonly type: 'record'
      readonly namespace: string
      readonly id: string
      readonly kind: string
      readonly name: string
      readonly value: string
    }
  | { readonly type: 'reply'; readonly namespace: string; readonly id: string; readonly reply: Reply }
  | { readonly type: 'event'; readonly namespace: string; readonly id: string; readonly event: StoredEvent }
  | { readonly type: 'turn'; readonly namespace: string; readonly id: string; readonly turn: StoredTurn }
  | { readonly type: 'user_sum'; readonly namespace: string; readonly id: string; readonly sum: SumRow }
  | { readonly type: 'sum'; readonly namespace: string; readonly sum: SumRow }
  | { readonly type: 'meta'; readonly name: string; readonly value: string }

/** The size of a row without its names, about: the length of its texts, of which some may be large. */
export function sizeOfRow(row: StoredRow): number {
  switch (row.type) {
    case 'user':
      return sizeOf(row.id, row.row.state, row.row.measured, row.row.usage)
    case 'record':
      return sizeOf(row.id, row.name, row.value)
    case 'reply':
      return sizeOf(row.id, row.reply.key, row.reply.result)
    case 'event':
      return sizeOf(row.id, row.event.body)
    case 'turn':
      return sizeOf(row.id, row.turn.value)
    case 'meta':
      return sizeOf(row.name, row.value)
    default:
      return ROW_BYTES
  }
}

/** Of a row beside its large texts, about. */
export const ROW_BYTES = 128

function sizeOf(...texts: readonly (string | null)[]): number {
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), ROW_BYTES)
}

/** How many rows from `first` on are at most `limit`, and end with the one that reaches `maxBytes`. */
export function countRows(
  rows: readonly StoredRow[],
  {
    first,
    limit,
    maxBytes = Number.POSITIVE_INFINITY,
  }: {
    readonly first: number
    readonly limit: number
    readonly maxBytes?: number | undefined
  },
): number {
  const end = Math.min(rows.length, first + limit)
  let bytes = 0
  for (let index = first; index < end; index++) {
    bytes += sizeOfRow(rows[index] as StoredRow)
    if (bytes >= maxBytes) return index + 1 - first
  }
  return end - first
}
