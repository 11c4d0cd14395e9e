import type { Subject } from '../../../core/subject.ts'
import type { Commit } from '../../../storage/commit.ts'
import { FOREVER, NEVER_SEEN } from '../../instants.ts'
import { type PackedRecorded, packRecorded } from './packed-recorded.ts'

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
  usage: string | null,
  recorded: PackedRecorded | null,
  extras: CommitExtras | null,
]

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
  /** null: unchanged. */
  readonly usage: string | null
  readonly recorded: PackedRecorded | null
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
    commit.usage ?? null,
    commit.recorded === undefined ? null : packRecorded(commit.recorded),
    pickExtras(commit),
  ]
}

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
  usage,
  recorded,
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
    usage,
    recorded,
    extras,
  }
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
