import { subjectKey } from '../../core/subject.ts'
import { countRows, type RowStore, type StoredRow } from '../../storage/row-store.ts'
import type { SumRow } from '../../storage/sum-store.ts'
import {
  addToSums,
  appendEvents,
  incarnationsOf,
  type MemorySums,
  type MemoryUser,
  type Rows,
  rowOf,
  setIncarnation,
  sumName,
  sumsOf,
} from './rows.ts'

export function createMemoryRows(rows: Rows, meta: Map<string, string>): RowStore {
  /** As of the first page. */
  let all: readonly StoredRow[] = []
  return {
    async read({ after, limit, maxBytes }) {
      if (after === undefined) all = listRows(rows, meta)
      const first = Number(after ?? 0)
      const next = first + countRows(all, { first, limit, maxBytes })
      return { rows: all.slice(first, next), next: next < all.length ? String(next) : undefined }
    },
    async write(written) {
      for (const row of written) writeRow(rows, meta, row)
    },
  }
}

function listRows(rows: Rows, meta: ReadonlyMap<string, string>): StoredRow[] {
  const users = [...rows.users.values()]
  const logs = [...rows.logs].flatMap(([namespace, { entries }]) => entries.map((entry) => ({ namespace, ...entry })))
  return [
    ...incarnationsOf(rows).map((row) => ({ type: 'incarnation' as const, ...row })),
    ...users.map((stored) => ({ type: 'user' as const, ...stored.user, row: rowOf(stored), facets: stored.facets })),
    ...users.flatMap(recordsOf),
    ...users.flatMap(({ user, replies }) =>
      [...replies.values()].map((reply) => ({ type: 'reply' as const, ...user, reply })),
    ),
    ...logs
      .sort((a, b) => a.position - b.position)
      .map(({ namespace, user, event }) => ({ type: 'event' as const, namespace, id: user, event })),
    ...users.flatMap(({ user, turns }) =>
      [...turns.values()].map((turn) => ({ type: 'turn' as const, ...user, turn })),
    ),
    ...users.flatMap(({ user, sums }) =>
      [...sums.values()].map((sum) => ({ type: 'user_sum' as const, ...user, sum })),
    ),
    ...[...rows.sums].flatMap(([namespace, sums]) =>
      [...sums.values()].map((sum) => ({ type: 'sum' as const, namespace, sum })),
    ),
    ...[...meta].map(([name, value]) => ({ type: 'meta' as const, name, value })),
  ]
}

function recordsOf({ user, records }: MemoryUser): StoredRow[] {
  return [...records].flatMap(([kind, named]) =>
    [...named].map(([name, value]) => ({ type: 'record' as const, ...user, kind, name, value })),
  )
}

function writeRow(rows: Rows, meta: Map<string, string>, row: StoredRow): void {
  if (row.type === 'incarnation') setIncarnation(rows, row)
  else if (row.type === 'user') addUser(rows, row)
  else if (row.type === 'sum') addSum(sumsOf(rows, row.namespace), row.sum)
  else if (row.type === 'meta') meta.set(row.name, meta.get(row.name) ?? row.value)
  else {
    const stored = rows.users.get(subjectKey({ namespace: row.namespace, id: row.id }))
    if (stored !== undefined) addToUser(rows, stored, row)
  }
}

function addUser(rows: Rows, { namespace, id, row, facets }: Extract<StoredRow, { type: 'user' }>): void {
  const user = { namespace, id }
  const key = subjectKey(user)
  if (rows.users.has(key)) return
  rows.users.set(key, {
    user,
    ...row,
    facets,
    records: new Map(),
    replies: new Map(),
    events: [],
    turns: new Map(),
    sums: new Map(),
  })
}

function addToUser(
  rows: Rows,
  stored: MemoryUser,
  row: Extract<StoredRow, { type: 'record' | 'reply' | 'event' | 'turn' | 'user_sum' }>,
): void {
  if (row.type === 'record') {
    const named = stored.records.get(row.kind) ?? new Map<string, string>()
    stored.records.set(row.kind, named)
    if (!named.has(row.name)) named.set(row.name, row.value)
  } else if (row.type === 'reply') {
    if (!stored.replies.has(row.reply.key)) stored.replies.set(row.reply.key, row.reply)
  } else if (row.type === 'turn') {
    if (!stored.turns.has(row.turn.id)) stored.turns.set(row.turn.id, row.turn)
  } else if (row.type === 'user_sum') addSum(stored.sums, row.sum)
  else if ((stored.events.at(-1)?.sequence ?? 0) < row.event.sequence) appendEvents(rows, stored, [row.event])
}

/** A row that is there stays as it is. */
function addSum(sums: MemorySums, row: SumRow): void {
  if (!sums.has(sumName(row))) addToSums(sums, [row])
}
