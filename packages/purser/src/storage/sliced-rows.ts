import { readPage } from '../core/long-read.ts'
import { PurserError } from '../errors.ts'
import { countRows, type RowCursor, type RowPage, type RowStore, type StoredRow } from './row-store.ts'

/** A slice of rows of the usual size takes some 100 ms, so that the round trips to a server are a small part of it. */
const MAX_ROWS = 5_000
const MAX_BYTES = 4_194_304
/** A slice that fails is repeated with a quarter of its rows: 5,000, 1,250, 313, 79, 20, 5, 2, 1. */
const SHRINK = 4
/** Slices that succeed before the next one is twice as large. */
const GROW_AFTER = 16

interface Slice {
  readonly limit: number
  readonly maxBytes: number
}

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
    return this.#attempt((slice) => readPage(() => this.#store.read({ after, ...slice })))
  }

  async write(rows: readonly StoredRow[]): Promise<void> {
    for (let written = 0; written < rows.length; )
      written += await this.#attempt(async (slice) => {
        const count = countRows(rows, { first: written, ...slice })
        await this.#store.write(rows.slice(written, written + count))
        return count
      })
  }

  async #attempt<Result>(call: (slice: Slice) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        const limit = this.#maxRows
        const result = await call({ limit, maxBytes: Math.ceil((MAX_BYTES * limit) / MAX_ROWS) })
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
