import type { SQLOutputValue } from 'node:sqlite'
import type { StoredEvent, UserRow } from '../../../storage/commit.ts'
import { NEVER_SEEN } from '../../instants.ts'

/*
 * The representation of rows in SQLite.
 */

export type Row = Record<string, SQLOutputValue>

export const USER_COLUMNS =
  'incarnation, revision, head_sequence, head_mac, mac, state, measured, created_at, updated_at, seen_at, usage'

export const EVENT_COLUMNS = 'sequence, events.id, at, type, body, events.mac'

export function userOf(row: Row): UserRow {
  return {
    incarnation: Number(row.incarnation),
    revision: Number(row.revision),
    head: row.head_sequence === null ? null : { sequence: Number(row.head_sequence), mac: String(row.head_mac) },
    headMac: textOrNull(row.mac),
    state: textOrNull(row.state),
    measured: textOrNull(row.measured),
    usage: textOrNull(row.usage),
    stamps: {
      createdAt: Number(row.created_at),
      updatedAt: Number(row.updated_at),
      seenAt: row.seen_at === NEVER_SEEN ? null : Number(row.seen_at),
    },
  }
}

export function eventOf(row: Row): StoredEvent {
  return {
    sequence: Number(row.sequence),
    id: String(row.id),
    at: Number(row.at),
    type: String(row.type),
    body: String(row.body),
    mac: String(row.mac),
  }
}

function textOrNull(value: SQLOutputValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value)
}
