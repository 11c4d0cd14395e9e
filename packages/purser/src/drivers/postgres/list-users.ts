import { LOG_OF_NAMESPACE } from '../../storage/commit.ts'
import type { ListedUser, Overview, UserOrder, UserQuery } from '../../storage/store.ts'
import { NEVER_SEEN } from '../instants.ts'
import { afterPrefix } from '../text-order.ts'
import type { Connection } from './connection.ts'
import { type StoredUserRow, USER_COLUMNS, userOf } from './rows.ts'
import { decodeText, encodeText } from './text.ts'

/** Collects the values of a statement; `add` returns the text of the parameter. */
class Values {
  readonly list: unknown[] = []

  add(value: unknown): string {
    this.list.push(value)
    return `$${this.list.length}`
  }
}

/** The column that a page is sorted by, before the id. */
const SORT_COLUMNS: Readonly<Record<Exclude<UserOrder, 'id' | 'capUsed'>, string>> = {
  seenAt: 'seen_at',
  createdAt: 'created_at',
  peak: 'peak',
}

function filters(query: UserQuery, values: Values): string[] {
  const conditions = [`namespace = ${values.add(query.namespace)}`, `id <> ${values.add(LOG_OF_NAMESPACE)}`]
  if (query.phase !== undefined) conditions.push(`phase = ${values.add(encodeText(query.phase))}`)
  if (query.riskLevel !== undefined) conditions.push(`risk_level = ${values.add(encodeText(query.riskLevel))}`)
  if (query.blocked !== undefined) conditions.push(query.blocked ? 'blocked' : 'NOT blocked')
  if (query.seenSince !== undefined) conditions.push(`seen_at >= ${values.add(query.seenSince)}`)
  if (query.seenBefore !== undefined) conditions.push(`seen_at < ${values.add(query.seenBefore)}`)
  if (query.contains !== undefined) conditions.push(`strpos(id, ${values.add(query.contains)}) > 0`)
  if (query.capUsed !== undefined && query.capUsed > 0)
    conditions.push(
      `cap_used > 0 AND cap_used >= ${values.add(query.capUsed)} AND cap_used_until > ${values.add(query.now)}`,
    )
  if (query.prefix !== undefined) {
    const end = afterPrefix(query.prefix)
    conditions.push(`id >= ${values.add(query.prefix)}`)
    if (end !== undefined) conditions.push(`id < ${values.add(end)}`)
  }
  return conditions
}

type ListedRow = StoredUserRow & { readonly id: string; readonly value: string | number }

/** One page in an order that an index has: the rows of a condition, by `value`, then by id. */
interface Part {
  /** SQL of the value that the page is sorted by; undefined: the id alone. */
  readonly value: string | undefined
  /** Whether all rows of the part have the same value. */
  readonly isConstant?: boolean
  readonly condition?: string
}

export async function listUsers(connection: Connection, query: UserQuery): Promise<ListedUser[]> {
  if (query.limit <= 0) return []
  const values = new Values()
  const conditions = filters(query, values)
  const { offset = 0 } = query
  // Each part has the users of the page and of those that are passed over.
  const limit = values.add(query.limit + offset)
  const [direction] = directionOf(query)
  const parts = partsOf(query, values).map((part) => {
    const { value, isConstant = false } = part
    const all = [
      ...conditions,
      ...(part.condition === undefined ? [] : [part.condition]),
      ...afterOf(query, part, values),
    ]
    return `(SELECT ${USER_COLUMNS}, id, ${value ?? 'id'} AS value FROM ${connection.schema}.users
      WHERE ${all.join(' AND ')}
      ORDER BY ${value === undefined || isConstant ? '' : `${value} ${direction}, `}id ${direction} LIMIT ${limit})`
  })
  const rows = await connection.query<ListedRow>({
    text: `SELECT * FROM (${parts.join(' UNION ALL ')}) AS page
      ORDER BY ${query.orderBy === 'id' ? '' : `value ${direction}, `}id ${direction}
      LIMIT ${values.add(query.limit)}::bigint OFFSET ${values.add(offset)}::bigint`,
    values: values.list,
  })
  return rows.map((row) => ({ id: row.id, value: row.value === NEVER_SEEN ? null : row.value, row: userOf(row) }))
}

function directionOf({ order }: UserQuery): readonly ['ASC', '>'] | readonly ['DESC', '<'] {
  return order === 'ascending' ? ['ASC', '>'] : ['DESC', '<']
}

/** In a window that has ended, nothing is used: so the order of the used cap is that of two indexes. */
function partsOf({ orderBy, now, capUsed = 0 }: UserQuery, values: Values): readonly Part[] {
  if (orderBy === 'id') return [{ value: undefined }]
  if (orderBy !== 'capUsed') return [{ value: SORT_COLUMNS[orderBy] }]
  const inUse = `cap_used > 0 AND cap_used_until > ${values.add(now)}`
  const used = { value: 'cap_used', condition: inUse }
  if (capUsed > 0) return [used]
  return [used, { value: '0::float8', isConstant: true, condition: `NOT (${inUse})` }]
}

/** Continues after the last row of the page before. */
function afterOf({ orderBy, after, ...query }: UserQuery, { value }: Part, values: Values): string[] {
  if (after === undefined) return []
  const [, sign] = directionOf({ orderBy, ...query })
  const id = values.add(after.id)
  if (value === undefined) return [`id ${sign} ${id}`]
  const from = orderBy === 'seenAt' ? (after.value ?? NEVER_SEEN) : after.value
  return [`(${value}, id) ${sign} (${values.add(from)}::float8, ${id})`]
}

export async function countMatching(connection: Connection, query: UserQuery): Promise<number> {
  const values = new Values()
  const conditions = filters(query, values).join(' AND ')
  const [row] = await connection.query<{ readonly users: number }>({
    text: `SELECT count(*) AS users FROM ${connection.schema}.users WHERE ${conditions}`,
    values: values.list,
  })
  return row?.users ?? 0
}

interface CountRow {
  readonly phase: string
  readonly risk_level: string
  readonly blocked: boolean
  readonly users: number
}

export async function countUsers(connection: Connection, namespace: string): Promise<Overview> {
  const rows = await connection.query<CountRow>({
    text: `SELECT phase, risk_level, blocked, count(*) AS users FROM ${connection.schema}.users
      WHERE namespace = $1 AND id <> $2 GROUP BY phase, risk_level, blocked`,
    values: [namespace, LOG_OF_NAMESPACE],
  })
  const phases = new Map<string, number>()
  const riskLevels = new Map<string, number>()
  let [users, blocked] = [0, 0]
  for (const row of rows) {
    const [phase, riskLevel] = [decodeText(row.phase), decodeText(row.risk_level)]
    users += row.users
    if (row.blocked) blocked += row.users
    phases.set(phase, (phases.get(phase) ?? 0) + row.users)
    riskLevels.set(riskLevel, (riskLevels.get(riskLevel) ?? 0) + row.users)
  }
  return { users, blocked, phases: Object.fromEntries(phases), riskLevels: Object.fromEntries(riskLevels) }
}
