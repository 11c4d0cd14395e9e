/**
 * A live list that can be read: fresh values always, but while somebody reads (`hold`), rows stay where they are and
 * those that came in or moved up wait until they are asked for.
 */
export interface Arrangement<Row> {
  readonly rows: readonly Row[]
  /** Rows that are new and wait above. */
  readonly waiting: number
}

export function arrange<Row>(
  shown: readonly Row[],
  fresh: readonly Row[],
  options: { readonly hold: boolean; readonly keyOf: (row: Row) => string },
): Arrangement<Row> {
  const { hold, keyOf } = options
  if (!hold || shown.length === 0) return { rows: fresh, waiting: 0 }
  const newest = new Map(fresh.map((row) => [keyOf(row), row]))
  const rows = shown.map((row) => newest.get(keyOf(row)) ?? row)
  const known = new Set(shown.map(keyOf))
  return { rows, waiting: fresh.filter((row) => !known.has(keyOf(row))).length }
}

/** Who is on the list now and was not before; nobody when there was no list before. */
export function arrivals<Row>(
  before: readonly Row[] | undefined,
  after: readonly Row[],
  keyOf: (row: Row) => string,
): readonly Row[] {
  if (before === undefined) return []
  const known = new Set(before.map(keyOf))
  return after.filter((row) => !known.has(keyOf(row)))
}
