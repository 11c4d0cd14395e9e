import type { Subject } from '../../core/subject.ts'
import type { Commit, StoredEvent, UserRow } from '../../storage/commit.ts'
import { FOREVER, NEVER_SEEN } from '../instants.ts'
import { decodeText } from './text.ts'

/*
 * The representation of rows in PostgreSQL.
 */

export const USER_COLUMNS =
  'incarnation, revision, head_sequence, head_mac, mac, state, measured, usage, created_at, updated_at, seen_at'

export interface StoredUserRow {
  readonly incarnation: number
  readonly revision: number
  readonly head_sequence: number | null
  readonly head_mac: string | null
  readonly mac: string | null
  readonly state: string | null
  readonly measured: string | null
  readonly usage: string | null
  readonly created_at: number
  readonly updated_at: number
  readonly seen_at: number
}

export function userOf(row: StoredUserRow): UserRow {
  const { incarnation, revision, head_sequence: sequence, head_mac: mac } = row
  return {
    incarnation,
    revision,
    head: sequence === null || mac === null ? null : { sequence, mac: decodeText(mac) },
    headMac: decodeOrNull(row.mac),
    state: decodeOrNull(row.state),
    measured: decodeOrNull(row.measured),
    usage: decodeOrNull(row.usage),
    stamps: {
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      seenAt: row.seen_at === NEVER_SEEN ? null : row.seen_at,
    },
  }
}

export interface StoredEventRow {
  readonly sequence: number
  readonly id: string
  readonly at: number
  readonly type: string
  readonly body: string
  readonly mac: string
}

export function eventOf({ sequence, id, at, type, body, mac }: StoredEventRow): StoredEvent {
  return {
    sequence,
    id: decodeText(id),
    at,
    type: decodeText(type),
    body: decodeText(body),
    mac: decodeText(mac),
  }
}

/** A commit as `apply_commit` reads it. */
export function commitOf({ namespace, id }: Subject, { facets, ...commit }: Commit): object {
  const { phase, riskLevel, blocked, capUsed, capUsedUntil, peak } = facets
  return {
    namespace,
    id,
    ...commit,
    seenAt: commit.seenAt ?? NEVER_SEEN,
    phase,
    riskLevel,
    blocked,
    capUsed,
    capUsedUntil: capUsedUntil ?? FOREVER,
    peak,
  }
}

function decodeOrNull(text: string | null): string | null {
  return text === null ? null : decodeText(text)
}
