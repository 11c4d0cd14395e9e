export interface StableOrder<Row> {
  readonly rows: readonly Row[]
  /** New rows that are not shown yet. */
  readonly pendingCount: number
}

/**
 * Merges fresh rows into the shown ones. Values are always fresh. With `keepOrder`, shown rows keep their positions and
 * new rows are pending; otherwise the fresh order is taken.
 */
export function mergeRows<Row>(
  shown: readonly Row[],
  fresh: readonly Row[],
  options: { readonly keepOrder: boolean; readonly keyOf: (row: Row) => string },
): StableOrder<Row> {
  const { keepOrder, keyOf } = options
  if (!keepOrder || shown.length === 0) return { rows: fresh, pendingCount: 0 }
  const freshByKey = new Map(fresh.map((row) => [keyOf(row), row]))
  const rows = shown.map((row) => freshByKey.get(keyOf(row)) ?? row)
  return { rows, pendingCount: findNewRows(shown, fresh, keyOf).length }
}

/** Rows of `after` that are not in `before`; none when there was no list before. */
export function findNewRows<Row>(
  before: readonly Row[] | undefined,
  after: readonly Row[],
  keyOf: (row: Row) => string,
): readonly Row[] {
  if (before === undefined) return []
  const known = new Set(before.map(keyOf))
  return after.filter((row) => !known.has(keyOf(row)))
}
