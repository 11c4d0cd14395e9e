import type { StoredRow } from '../storage/row-store.ts'
import { SUM_AMOUNTS, type SumRow, toSumAmount } from '../storage/sum-store.ts'
import { FOREVER, NEVER_SEEN } from './instants.ts'

/*
 * The tables of a database in the order in which all rows are read: each with its columns, and the key by which its pages
 * follow each other. The databases have the same tables.
 */

type Columns = Readonly<Record<string, unknown>>

export interface RowSection {
  readonly type: StoredRow['type']
  readonly from: string
  /** Columns that can be written; those of users identify the user of the row. */
  readonly columns: readonly string[]
  readonly key: readonly string[]
  /** Columns of texts that may be large. */
  readonly texts: readonly string[]
  toRow(columns: Columns): StoredRow
}

/** Amounts as text, because they may be larger than numbers can be. */
const SUM_COLUMNS = [
  'day',
  'hour',
  'key',
  ...Array.from({ length: SUM_AMOUNTS }, (_, index) => `CAST(a${index + 1} AS TEXT) AS amount_${index + 1}`),
]

export const ROW_SECTIONS: readonly RowSection[] = [
  {
    type: 'incarnation',
    from: 'incarnations',
    columns: ['namespace', 'tag', 'next'],
    key: ['namespace', 'tag'],
    texts: [],
    toRow: ({ namespace, tag, next }) => ({
      type: 'incarnation',
      namespace: String(namespace),
      tag: String(tag),
      next: Number(next),
    }),
  },
  {
    type: 'user',
    from: 'users',
    columns: [
      'namespace',
      'id',
      'incarnation',
      'revision',
      'created_at',
      'updated_at',
      'seen_at',
      'phase',
      'risk_level',
      'blocked',
      'cap_used',
      'cap_used_until',
      'peak',
      'head_sequence',
      'head_mac',
      'mac',
      'state',
      'measured',
      'usage',
    ],
    key: ['uid'],
    texts: ['state', 'measured', 'usage'],
    toRow: toUser,
  },
  {
    type: 'record',
    from: 'records JOIN users USING (uid)',
    columns: ['users.namespace', 'users.id', 'kind', 'name', 'value'],
    key: ['uid', 'kind', 'name'],
    texts: ['value'],
    toRow: ({ namespace, id, kind, name, value }) => ({
      type: 'record',
      ...userOf(namespace, id),
      kind: String(kind),
      name: String(name),
      value: String(value),
    }),
  },
  {
    type: 'reply',
    from: 'replies JOIN users USING (uid)',
    columns: ['users.namespace', 'users.id', 'key', 'digest', 'result', 'expires_at'],
    key: ['uid', 'key'],
    texts: ['result'],
    toRow: ({ namespace, id, key, digest, result, expires_at }) => ({
      type: 'reply',
      ...userOf(namespace, id),
      reply: { key: String(key), digest: String(digest), result: String(result), expiresAt: Number(expires_at) },
    }),
  },
  {
    type: 'event',
    from: 'events JOIN users USING (uid)',
    columns: [
      'users.namespace',
      'users.id',
      'sequence',
      'events.id AS event_id',
      'at',
      'type',
      'body',
      'events.mac AS event_mac',
    ],
    key: ['position'],
    texts: ['body'],
    toRow: ({ namespace, id, sequence, event_id, at, type, body, event_mac }) => ({
      type: 'event',
      ...userOf(namespace, id),
      event: {
        sequence: Number(sequence),
        id: String(event_id),
        at: Number(at),
        type: String(type),
        body: String(body),
        mac: String(event_mac),
      },
    }),
  },
  {
    type: 'turn',
    from: 'turns JOIN users USING (uid)',
    columns: ['users.namespace', 'users.id', 'turns.id AS turn_id', 'outcome', 'value'],
    key: ['turns.namespace', 'turns.id'],
    texts: ['value'],
    toRow: ({ namespace, id, turn_id, outcome, value }) => ({
      type: 'turn',
      ...userOf(namespace, id),
      turn: { id: String(turn_id), outcome: String(outcome), value: String(value) },
    }),
  },
  {
    type: 'user_sum',
    from: 'user_sums JOIN users USING (uid)',
    columns: ['users.namespace', 'users.id', ...SUM_COLUMNS],
    key: ['uid', 'day', 'hour', 'key'],
    texts: [],
    toRow: (columns) => ({ type: 'user_sum', ...userOf(columns.namespace, columns.id), sum: sumOf(columns) }),
  },
  {
    type: 'sum',
    from: 'sums',
    columns: ['namespace', ...SUM_COLUMNS],
    key: ['namespace', 'day', 'hour', 'key'],
    texts: [],
    toRow: (columns) => ({ type: 'sum', namespace: String(columns.namespace), sum: sumOf(columns) }),
  },
  {
    type: 'meta',
    from: 'meta',
    columns: ['name', 'value'],
    key: ['name'],
    texts: ['value'],
    toRow: ({ name, value }) => ({ type: 'meta', name: String(name), value: String(value) }),
  },
]

/** A page of one section: statement and values, with `parameter` as the text of the parameter of an index from 1. */
export function pageStatement(
  { from, columns, key }: RowSection,
  { after, limit }: { readonly after: readonly unknown[]; readonly limit: number },
  { tableOf, parameter }: { tableOf(from: string): string; parameter(index: number): string },
): { readonly text: string; readonly values: readonly unknown[] } {
  const keys = key.join(', ')
  const aliases = key.map((column, index) => `${column} AS key_${index}`)
  const condition =
    after.length === 0 ? '' : `WHERE (${keys}) > (${after.map((_, index) => parameter(index + 1)).join(', ')})`
  return {
    text: `SELECT ${[...columns, ...aliases].join(', ')} FROM ${tableOf(from)} ${condition}
      ORDER BY ${keys} LIMIT ${parameter(after.length + 1)}`,
    values: [...after, limit],
  }
}

/** A position: the index of the section, then the key of the last row; only the index at the start of a section. */
export function parseCursor(text: string | undefined): { readonly index: number; readonly after: readonly unknown[] } {
  const [index = 0, ...after] = text === undefined ? [] : (JSON.parse(text) as [number, ...unknown[]])
  return { index, after }
}

/** The position behind a page; undefined behind the last one. `isFull`: its section may have more rows. */
export function cursorBehind(index: number, page: readonly Columns[], isFull: boolean): string | undefined {
  const last = page.at(-1)
  if (last !== undefined && isFull) {
    const keys = ROW_SECTIONS[index]?.key ?? []
    return JSON.stringify([index, ...keys.map((_, part) => last[`key_${part}`])])
  }
  return index + 1 < ROW_SECTIONS.length ? JSON.stringify([index + 1]) : undefined
}

/** A row of a user as the values of the columns of its section. */
export function userValues({ namespace, id, row, facets }: Extract<StoredRow, { type: 'user' }>): unknown[] {
  const { createdAt, updatedAt, seenAt } = row.stamps
  return [
    namespace,
    id,
    row.incarnation,
    row.revision,
    createdAt,
    updatedAt,
    seenAt ?? NEVER_SEEN,
    facets.phase,
    facets.riskLevel,
    facets.blocked,
    facets.capUsed,
    facets.capUsedUntil ?? FOREVER,
    facets.peak,
    row.head?.sequence ?? null,
    row.head?.mac ?? null,
    row.headMac,
    row.state,
    row.measured,
    row.usage,
  ]
}

function sumOf(columns: Columns): SumRow {
  const amounts = Array.from({ length: SUM_AMOUNTS }, (_, index) => columns[`amount_${index + 1}`])
  return {
    day: String(columns.day),
    hour: Number(columns.hour),
    key: String(columns.key),
    amounts: amounts.map((amount) => toSumAmount(BigInt(String(amount)))),
  }
}

function userOf(namespace: unknown, id: unknown): { readonly namespace: string; readonly id: string } {
  return { namespace: String(namespace), id: String(id) }
}

function toUser(columns: Columns): StoredRow {
  const { head_sequence, head_mac, seen_at, cap_used_until } = columns
  return {
    type: 'user',
    ...userOf(columns.namespace, columns.id),
    row: {
      incarnation: Number(columns.incarnation),
      revision: Number(columns.revision),
      head: head_sequence === null ? null : { sequence: Number(head_sequence), mac: String(head_mac) },
      headMac: textOrNull(columns.mac),
      state: textOrNull(columns.state),
      measured: textOrNull(columns.measured),
      usage: textOrNull(columns.usage),
      stamps: {
        createdAt: Number(columns.created_at),
        updatedAt: Number(columns.updated_at),
        seenAt: seen_at === NEVER_SEEN ? null : Number(seen_at),
      },
    },
    facets: {
      phase: String(columns.phase),
      riskLevel: String(columns.risk_level),
      blocked: Boolean(columns.blocked),
      capUsed: Number(columns.cap_used),
      capUsedUntil: cap_used_until === FOREVER ? null : Number(cap_used_until),
      peak: Number(columns.peak),
    },
  }
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value)
}
