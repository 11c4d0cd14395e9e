import type { Subject } from '../../../core/subject.ts'
import type { Commit } from '../../../storage/store.ts'
import { FOREVER, NEVER_SEEN } from './rows.ts'

/**
 * A commit as it crosses to the thread that writes: a list of the row's values. Copying the commit itself, an object
 * of objects, costs this thread three times and the other one five times as much, which is most of what a thread costs.
 */
export type PackedCommit = readonly [
  namespace: string,
  id: string,
  expect: number | null,
  incarnation: number,
  tag: string | null,
  at: number,
  seenAt: number,
  capUsed: number,
  facets: PackedFacets,
  counters: readonly CounterPart[],
  more: MoreOfCommit | null,
]

/** The facets that an admission leaves as they are. */
export type PackedFacets = readonly [
  phase: string,
  riskLevel: string,
  blocked: 0 | 1,
  capUsedUntil: number,
  peak: number,
]

/** Limit, window and value of one counter after the other; null drops it. */
export type CounterPart = string | number | null

/** What few commits have. */
export type MoreOfCommit = Pick<
  Commit,
  'folded' | 'measured' | 'events' | 'records' | 'trims' | 'replies' | 'dropEventsBelow'
>

export function packCommit({ namespace, id }: Subject, commit: Commit): PackedCommit {
  const { expect, incarnation, tag, at, seenAt } = commit
  const { phase, riskLevel, blocked, capUsed, capUsedUntil, peak } = commit.facets
  const facets = [phase, riskLevel, blocked ? 1 : 0, capUsedUntil ?? FOREVER, peak] as const
  const row = [expect, incarnation, tag, at, seenAt ?? NEVER_SEEN, capUsed, facets] as const
  return [namespace, id, ...row, countersOf(commit), moreOf(commit)]
}

/** What is dropped first: a counter that is dropped and counted anew in one commit stays. */
function countersOf({ counters, dropCounters }: Commit): CounterPart[] {
  const parts: CounterPart[] = []
  for (const { limit, window } of dropCounters) parts.push(limit, window, null)
  for (const { limit, window, value } of counters) parts.push(limit, window, value)
  return parts
}

function moreOf(commit: Commit): MoreOfCommit | null {
  const { folded, measured, events, records, trims, replies, dropEventsBelow } = commit
  const isEmpty =
    folded === undefined &&
    measured === undefined &&
    dropEventsBelow === undefined &&
    events.length + records.length + trims.length + replies.length === 0
  return isEmpty ? null : { folded, measured, events, records, trims, replies, dropEventsBelow }
}
