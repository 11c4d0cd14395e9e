/*
 * Times in a phase are counted in classes that grow by a tenth, so that a median of any period is a sum over rows, exact
 * to 5 %.
 */

const GROWTH = 1.1

/** The class of a time, 0 for less than a second. */
export function dwellClassOf(ms: number): number {
  return ms < 1_000 ? 0 : 1 + Math.floor(Math.log(ms / 1_000) / Math.log(GROWTH))
}

/** A time in the middle of a class, ms. */
function middleOf(dwell: number): number {
  return dwell === 0 ? 0 : Math.round(1_000 * GROWTH ** (dwell - 0.5))
}

/** The median of times that are counted by class. */
export function medianOf(counts: ReadonlyMap<number, number>): number {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  let before = 0
  for (const [dwell, count] of [...counts].sort(([a], [b]) => a - b)) {
    before += count
    if (before * 2 >= total) return middleOf(dwell)
  }
  return 0
}
