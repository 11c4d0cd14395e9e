import type { Subject } from '../../core/subject.ts'
import type { Commit } from '../../storage/commit.ts'
import type { SumIncrement } from '../../storage/sum-store.ts'
import { FOREVER, NEVER_SEEN } from '../instants.ts'
import { AMOUNTS } from './migrations/0005-turns.ts'
import { encodeText } from './text.ts'

/*
 * Nearly all commits are plain: they change the row of a user who exists, and add turns and sums, as admissions and
 * settlements do. Plain commits of different users are written by `write_users`, whose arguments are arrays.
 */

export interface UserCommit {
  readonly user: Subject
  readonly commit: Commit
}

export function isPlain(commit: Commit): boolean {
  const { expect, folded, events, records, trims, replies, dropEventsBelow, recorded } = commit
  const isOther =
    expect === null || folded !== undefined || dropEventsBelow !== undefined || recorded?.keepTurns !== undefined
  return !isOther && events.length + records.length + trims.length + replies.length === 0
}

/** The columns of an array literal of PostgreSQL for each argument of `write_users`. */
export function plainArguments(batch: readonly UserCommit[]): string[] {
  const { turns, sums } = recordedIn(batch)
  return [
    texts(batch, ({ user }) => user.namespace),
    texts(batch, ({ user }) => user.id),
    values(batch, ({ commit }) => commit.expect),
    values(batch, ({ commit }) => commit.incarnation),
    values(batch, ({ commit }) => commit.at),
    values(batch, ({ commit }) => commit.seenAt ?? NEVER_SEEN),
    texts(batch, ({ commit }) => commit.facets.phase),
    texts(batch, ({ commit }) => commit.facets.riskLevel),
    values(batch, ({ commit }) => commit.facets.blocked),
    values(batch, ({ commit }) => commit.facets.capUsed),
    values(batch, ({ commit }) => commit.facets.capUsedUntil ?? FOREVER),
    values(batch, ({ commit }) => commit.facets.peak),
    texts(batch, ({ commit }) => commit.measured),
    texts(batch, ({ commit }) => commit.usage),
    values(turns, ({ position }) => position),
    texts(turns, ({ id }) => id),
    texts(turns, ({ outcome }) => outcome),
    texts(turns, ({ value }) => value),
    values(sums, ({ position }) => position),
    values(sums, ({ isOfUser }) => isOfUser),
    texts(sums, ({ sum }) => sum.day),
    values(sums, ({ sum }) => sum.hour),
    texts(sums, ({ sum }) => sum.key),
    ...AMOUNTS.map((_, index) => values(sums, ({ sum }) => sum.amounts[index] ?? 0)),
  ]
}

interface RecordedTurn {
  /** Of the commit in the batch, from 1. */
  readonly position: number
  readonly id: string
  readonly outcome: string
  readonly value: string
}

interface RecordedSum {
  readonly position: number
  readonly isOfUser: boolean
  readonly sum: SumIncrement
}

function recordedIn(batch: readonly UserCommit[]): { turns: RecordedTurn[]; sums: RecordedSum[] } {
  const turns: RecordedTurn[] = []
  const sums: RecordedSum[] = []
  for (const [index, { commit }] of batch.entries()) {
    if (commit.recorded === undefined) continue
    const position = index + 1
    for (const turn of commit.recorded.turns) turns.push({ ...turn, position })
    for (const sum of commit.recorded.userSums) sums.push({ position, isOfUser: true, sum })
    for (const sum of commit.recorded.sums) sums.push({ position, isOfUser: false, sum })
  }
  return { turns, sums }
}

/** What is not a finite number becomes NULL, which the columns refuse. */
function values<Row>(rows: readonly Row[], read: (row: Row) => number | string | boolean | null): string {
  const literals = rows.map((row) => {
    const value = read(row)
    return typeof value === 'number' && !Number.isFinite(value) ? null : value
  })
  return `{${literals.map(String).join(',')}}`
}

const QUOTED = /["\\]/g

function texts<Row>(rows: readonly Row[], read: (row: Row) => string | undefined): string {
  const literals = rows.map((row) => {
    const text = read(row)
    return text === undefined ? 'null' : `"${encodeText(text).replace(QUOTED, '\\$&')}"`
  })
  return `{${literals.join(',')}}`
}
