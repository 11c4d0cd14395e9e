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
  read(page: { readonly after: RowCursor | undefined; readonly limit: number }): Promise<RowPage>
  /** Writes rows as they are, in their order. Rows that exist stay unchanged, so a page may be written again. */
  write(rows: readonly StoredRow[]): Promise<void>
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
