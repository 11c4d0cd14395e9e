import type { Commit, Counter } from '../storage/commit.ts'

/*
 * Lists of counters are replaced, never changed: views that were given out stay true, and what a commit has to write
 * is the difference between two lists.
 */

type Name = Pick<Counter, 'limit' | 'window'>

const NOTHING: readonly never[] = []

/** The list with this counter in its place, or behind the others when it is new. */
export function withCounter(counters: readonly Counter[], counter: Counter): readonly Counter[] {
  const index = counters.findIndex((other) => isSame(counter, other))
  return index === -1 ? [...counters, counter] : counters.with(index, counter)
}

export function withoutCounters(counters: readonly Counter[], dropped: readonly Name[]): readonly Counter[] {
  const names = new Set(dropped.map(nameOf))
  return counters.filter((counter) => !names.has(nameOf(counter)))
}

/** What was written and what was dropped on the way from one list to the other. */
export function countersBetween(
  before: readonly Counter[],
  after: readonly Counter[],
): Pick<Commit, 'counters' | 'dropCounters'> {
  if (before === after) return { counters: NOTHING, dropCounters: NOTHING }
  const [old, present] = [new Set(before), new Set(after)]
  const counters = after.filter((counter) => !old.has(counter))
  const replaced = before.filter((counter) => !present.has(counter))
  return { counters, dropCounters: replaced.filter((counter) => !counters.some((other) => isSame(counter, other))) }
}

function isSame(one: Name, other: Name): boolean {
  return one.window === other.window && one.limit === other.limit
}

function nameOf({ limit, window }: Name): string {
  return `${limit}\n${window}`
}
