import type { Keyring } from '../core/keyring.ts'
import type { AnswerRow, AnswerScope } from '../storage/answer-store.ts'
import { ROW_OVERHEAD_BYTES } from './limits.ts'

/** The last instant a date can name, epoch ms; what would expire later never does. */
const LAST_INSTANT = 8_640_000_000_000_000

export interface NewRow {
  readonly key: string
  readonly generation: number
  readonly storedAt: number
  /** null: never expires. */
  readonly ttlMs: number | null
  readonly used: number
  readonly value: string
}

/** A row ready to be stored, with its size and its MAC. */
export function sealRow(keys: Keyring, scope: AnswerScope, { ttlMs, ...made }: NewRow): AnswerRow {
  const end = made.storedAt + (ttlMs ?? Number.POSITIVE_INFINITY)
  const row = { ...made, expiresAt: end <= LAST_INSTANT ? end : null, bytes: rowBytes(made.value) }
  return { ...row, mac: macOf(keys, scope, row) }
}

/** True when this is, whole and unchanged, the row that was stored for this scope under this key. */
export function isWhole(keys: Keyring, scope: AnswerScope, key: string, row: AnswerRow): boolean {
  return row.key === key && row.mac === macOf(keys, scope, row)
}

/** The TTL does not slide: it counts from the storing, and its last millisecond still counts. */
export function isExpired(row: { readonly expiresAt: number | null }, now: number): boolean {
  return row.expiresAt !== null && now > row.expiresAt
}

export function rowBytes(value: string): number {
  return Buffer.byteLength(value) + ROW_OVERHEAD_BYTES
}

function macOf(keys: Keyring, { namespace, owner }: AnswerScope, row: Omit<AnswerRow, 'mac'>): string {
  const { key, generation, storedAt, expiresAt, bytes, value } = row
  return keys.mac('answers', ['row', namespace, owner, key, generation, storedAt, String(expiresAt), bytes, value])
}
