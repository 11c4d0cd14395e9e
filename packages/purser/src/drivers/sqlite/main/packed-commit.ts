import type { Subject } from '../../../core/subject.ts'
import type { Commit } from '../../../storage/commit.ts'
import { counterKey, FOREVER, NEVER_SEEN } from './rows.ts'

/**
 * A commit in the form in which it is sent to the writer thread: a tuple of column values. Only this file knows the
 * positions. Cloning the commit itself, an object of objects, costs the sending thread three times and the receiving
 * thread five times as much, which is most of the cost of a call.
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
  phase: string,
  riskLevel: string,
  blocked: 0 | 1,
  capUsedUntil: number,
  peak: number,
  counters: readonly CounterValue[],
  extras: CommitExtras | null,
]

/** Limit, window and value of one counter after the other; a value of null drops the counter. */
type CounterValue = string | number | null

/** The parts that few commits have. */
export type CommitExtras = Pick<
  Commit,
  'folded' | 'measured' | 'events' | 'records' | 'trims' | 'replies' | 'dropEventsBelow'
>

/** A commit as column values. */
export interface CommitColumns {
  readonly namespace: string
  readonly id: string
  readonly expect: number | null
  readonly incarnation: number
  readonly tag: string | null
  readonly at: number
  readonly seenAt: number
  readonly capUsed: number
  readonly phase: string
  readonly riskLevel: string
  readonly blocked: 0 | 1
  readonly capUsedUntil: number
  readonly peak: number
  /** A JSON merge patch of the counters column: a number sets a counter, null drops it. */
  readonly counterPatch: string
  readonly extras: CommitExtras | null
}

export function pack({ namespace, id }: Subject, commit: Commit): PackedCommit {
  const { expect, incarnation, tag, at, seenAt, facets } = commit
  return [
    namespace,
    id,
    expect,
    incarnation,
    tag,
    at,
    seenAt ?? NEVER_SEEN,
    facets.capUsed,
    facets.phase,
    facets.riskLevel,
    facets.blocked ? 1 : 0,
    facets.capUsedUntil ?? FOREVER,
    facets.peak,
    packCounters(commit),
    pickExtras(commit),
  ]
}

/** Throws when a counter is not a finite number. */
export function unpack([
  namespace,
  id,
  expect,
  incarnation,
  tag,
  at,
  seenAt,
  capUsed,
  phase,
  riskLevel,
  blocked,
  capUsedUntil,
  peak,
  counters,
  extras,
]: PackedCommit): CommitColumns {
  return {
    namespace,
    id,
    expect,
    incarnation,
    tag,
    at,
    seenAt,
    capUsed,
    phase,
    riskLevel,
    blocked,
    capUsedUntil,
    peak,
    counterPatch: patchCounters(counters),
    extras,
  }
}

/** Dropped counters first, so that a counter that is dropped and set in one commit stays. */
function packCounters({ counters, dropCounters }: Commit): CounterValue[] {
  const values: CounterValue[] = []
  for (const { limit, window } of dropCounters) values.push(limit, window, null)
  for (const { limit, window, value } of counters) values.push(limit, window, value)
  return values
}

function patchCounters(values: readonly CounterValue[]): string {
  if (values.length === 0) return '{}'
  const patch: Record<string, number | null> = {}
  for (let index = 0; index < values.length; index += 3) {
    const limit = values[index] as string
    const window = values[index + 1] as string
    const value = values[index + 2] as number | null
    // JSON has no NaN and no infinity; the null written instead would drop the counter.
    if (value !== null && !Number.isFinite(value)) throw new Error(`The counter '${limit}' is not a number.`)
    patch[counterKey({ limit, window })] = value
  }
  return JSON.stringify(patch)
}

function pickExtras(commit: Commit): CommitExtras | null {
  const { folded, measured, events, records, trims, replies, dropEventsBelow } = commit
  const isEmpty =
    folded === undefined &&
    measured === undefined &&
    dropEventsBelow === undefined &&
    events.length + records.length + trims.length + replies.length === 0
  return isEmpty ? null : { folded, measured, events, records, trims, replies, dropEventsBelow }
}
