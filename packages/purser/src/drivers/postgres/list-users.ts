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

/** What a page is sorted by, before the id. */
function sortKey(orderBy: UserOrder, now: string): string {
  switch (orderBy) {
    case 'id':
      return 'id'
    case 'seenAt':
      return 'seen_at'
    case 'createdAt':
      return 'created_at'
    case 'peak':
      return 'peak'
    case 'capUsed':
      // In a window that has ended, nothing is used.
      return `CASE WHEN cap_used_until > ${now} THEN cap_used ELSE 0 END`
  }
}

function filters(query: UserQuery, values: Values): string[] {
  const conditions = [`namespace = ${values.add(query.namespace)}`, `id <> ${values.add(LOG_OF_NAMESPACE)}`]
  if (query.phase !== undefined) conditions.push(`phase = ${values.add(encodeText(query.phase))}`)
  if (query.riskLevel !== undefined) conditions.push(`risk_level = ${values.add(encodeText(query.riskLevel))}`)
  if (query.blocked !== undefined) conditions.push(query.blocked ? 'blocked' : 'NOT blocked')
  if (query.seenSince !== undefined) conditions.push(`seen_at >= ${values.add(query.seenSince)}`)
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

export async function listUsers(connection: Connection, query: UserQuery): Promise<ListedUser[]> {
  if (query.limit <= 0) return []
  const { orderBy, order, after, limit, now } = query
  const values = new Values()
  const conditions = filters(query, values)
  const key = sortKey(orderBy, orderBy === 'capUsed' ? `${values.add(now)}::float8` : '')
  const [sign, direction] = order === 'ascending' ? ['>', 'ASC'] : ['<', 'DESC']
  if (after !== undefined) {
    const from = orderBy === 'seenAt' ? (after.value ?? NEVER_SEEN) : after.value
    conditions.push(
      orderBy === 'id'
        ? `id ${sign} ${values.add(after.id)}`
        : `(${key}, id) ${sign} (${values.add(from)}::float8, ${values.add(after.id)})`,
    )
  }
  const rows = await connection.query<StoredUserRow & { id: string; value: string | number }>({
    text: `SELECT ${USER_COLUMNS}, id, ${key} AS value FROM ${connection.schema}.users
      WHERE ${conditions.join(' AND ')}
      ORDER BY ${orderBy === 'id' ? '' : `value ${direction}, `}id ${direction} LIMIT ${values.add(limit)}`,
    values: values.list,
  })
  return rows.map((row) => ({ id: row.id, value: row.value === NEVER_SEEN ? null : row.value, row: userOf(row) }))
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
