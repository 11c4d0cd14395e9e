import { readPage } from '../core/long-read.ts'
import { PurserError } from '../errors.ts'
import type { RowCursor, RowPage, RowStore, StoredRow } from './row-store.ts'

const MAX_ROWS = 500
/** A slice that fails is repeated with a quarter of its rows: 500, 125, 32, 8, 2, 1. */
const SHRINK = 4
/** Slices that succeed before the next one is twice as large. */
const GROW_AFTER = 16

/**
 * The rows of a store in slices that it handles before its deadline: rows may be large, and a store busy. A read and the
 * write of a slice have no effect when they are repeated.
 */
export class SlicedRows {
  readonly #store: RowStore
  #maxRows = MAX_ROWS
  #successes = 0

  constructor(store: RowStore) {
    this.#store = store
  }

  read(after: RowCursor | undefined): Promise<RowPage> {
    return this.#attempt((limit) => readPage(() => this.#store.read({ after, limit })))
  }

  async write(rows: readonly StoredRow[]): Promise<void> {
    for (let written = 0; written < rows.length; )
      written += await this.#attempt(async (limit) => {
        const slice = rows.slice(written, written + limit)
        await this.#store.write(slice)
        return slice.length
      })
  }

  async #attempt<Result>(call: (maxRows: number) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        const result = await call(this.#maxRows)
        this.#grow()
        return result
      } catch (error) {
        if (!PurserError.is(error, 'store_unavailable') || this.#maxRows === 1) throw error
        this.#maxRows = Math.ceil(this.#maxRows / SHRINK)
        this.#successes = 0
      }
    }
  }

  #grow(): void {
    this.#successes++
    if (this.#successes % GROW_AFTER === 0) this.#maxRows = Math.min(MAX_ROWS, this.#maxRows * 2)
  }
}
