import type { SQLInputValue } from 'node:sqlite'
import { LOG_OF_NAMESPACE, type UserOrder, type UserQuery } from '../../../storage/store.ts'
import { afterPrefix } from '../../text-order.ts'
import { NEVER_SEEN } from './rows.ts'

/** A piece of SQL with the values for its question marks. Texts are constants of this file; values are only bound. */
export interface SqlFragment {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

/** What a page is sorted by, before the id. */
export interface Sorting {
  /** The value that is shown, and compared with the cursor's. */
  readonly value: SqlFragment
  /** False when all values are the same or the value is the id: then the id alone is the order. */
  readonly counts: boolean
}

/** A filter together with the index that finds what it leaves. */
export interface QueryPlan {
  readonly index: string
  readonly where: SqlFragment
  /** Taken if it leaves at most this many users. */
  readonly few?: number
}

/** Fetching and sorting this many users takes some milliseconds. */
export const FEW = 5_000
/**
 * Who came early has mostly not been seen of late, so that a walk by creation would meet nobody for long. Sorting
 * more users is the lesser evil.
 */
const FEW_SEEN_BY_CREATION = 50_000

export function sqlFragment(sql: string, ...values: SQLInputValue[]): SqlFragment {
  return { sql, values }
}

export function join(...pieces: readonly SqlFragment[]): SqlFragment {
  return { sql: pieces.map(({ sql }) => sql).join(''), values: pieces.flatMap(({ values }) => values) }
}

/** All of these must hold. */
export function all(pieces: readonly SqlFragment[]): SqlFragment {
  return { sql: pieces.map(({ sql }) => sql).join(' AND '), values: pieces.flatMap(({ values }) => values) }
}

const inNamespace = ({ namespace }: UserQuery): SqlFragment => sqlFragment('namespace = ?', namespace)

/** What every user of the page must meet. */
export function filters(query: UserQuery): SqlFragment[] {
  const pieces = [inNamespace(query), sqlFragment('id <> ?', LOG_OF_NAMESPACE)]
  if (query.phase !== undefined) pieces.push(sqlFragment('phase = ?', query.phase))
  if (query.riskLevel !== undefined) pieces.push(sqlFragment('risk_level = ?', query.riskLevel))
  if (query.blocked !== undefined) pieces.push(query.blocked ? sqlFragment('blocked = 1') : sqlFragment('blocked = 0'))
  if (query.seenSince !== undefined) pieces.push(sqlFragment('seen_at >= ?', query.seenSince))
  if (isNearCap(query))
    pieces.push(sqlFragment('cap_used > 0 AND cap_used >= ? AND cap_used_until > ?', query.capUsed, query.now))
  if (query.prefix !== undefined) pieces.push(prefixed(query.prefix))
  return pieces
}

/** The filters that an index can answer alone. `windows`: ends of windows that are not over. */
export function waysBy(query: UserQuery, windows: readonly number[] | undefined): QueryPlan[] {
  const ways: QueryPlan[] = []
  const add = (index: string, ...pieces: SqlFragment[]): void => {
    ways.push({ index, where: all([inNamespace(query), ...pieces]) })
  }
  const risk = query.riskLevel === undefined ? [] : [sqlFragment('risk_level = ?', query.riskLevel)]
  if (query.phase !== undefined) add('users_by_phase', sqlFragment('phase = ?', query.phase), ...risk)
  else if (query.riskLevel !== undefined) add('users_by_risk', sqlFragment('risk_level = ?', query.riskLevel))
  if (query.blocked) add('users_blocked', sqlFragment('blocked = 1'))
  if (query.prefix !== undefined) add('users_by_id', prefixed(query.prefix))
  if (query.seenSince !== undefined) {
    const where = all([inNamespace(query), sqlFragment('seen_at >= ?', query.seenSince)])
    ways.push({ index: 'users_by_seen', where, few: query.orderBy === 'createdAt' ? FEW_SEEN_BY_CREATION : FEW })
  }
  if (isNearCap(query) && windows !== undefined) {
    const open = sqlFragment('cap_used_until IN (SELECT value FROM json_each(?))', JSON.stringify(windows))
    add('users_by_cap', sqlFragment('cap_used > 0'), open, sqlFragment('cap_used >= ?', query.capUsed))
  }
  return ways
}

/** All users in the order asked for, by an index that has that order. */
export function walk(query: UserQuery, order: Exclude<UserOrder, 'capUsed'>): QueryPlan {
  return { index: WALKS[order], where: inNamespace(query) }
}

const WALKS = { id: 'users_by_id', seenAt: 'users_by_seen', createdAt: 'users_by_creation', peak: 'users_by_peak' }

export function isNearCap(query: UserQuery): query is UserQuery & { readonly capUsed: number } {
  return query.capUsed !== undefined && query.capUsed > 0
}

/** Who has used something in the window that ends then. */
export function usingIn(query: UserQuery, end: number): QueryPlan {
  return {
    index: 'users_by_cap',
    where: all([inNamespace(query), sqlFragment('cap_used > 0 AND cap_used_until = ?', end)]),
  }
}

/** Who has used nothing, or nothing in a window that is not over. */
export function idle(query: UserQuery): QueryPlan {
  return {
    index: 'users_by_id',
    where: all([inNamespace(query), sqlFragment('NOT (cap_used > 0 AND cap_used_until > ?)', query.now)]),
  }
}

export const CAP_USED: Sorting = { value: sqlFragment('cap_used'), counts: true }
export const NONE_USED: Sorting = { value: sqlFragment('0.0'), counts: false }

export function sortingOf({ orderBy, now }: UserQuery): Sorting {
  switch (orderBy) {
    case 'id':
      return { value: sqlFragment('id'), counts: false }
    case 'seenAt':
      return { value: sqlFragment('seen_at'), counts: true }
    case 'createdAt':
      return { value: sqlFragment('created_at'), counts: true }
    case 'peak':
      return { value: sqlFragment('peak'), counts: true }
    case 'capUsed':
      return { value: sqlFragment('CASE WHEN cap_used_until > ? THEN cap_used ELSE 0.0 END', now), counts: true }
  }
}

/** Only users behind the cursor. */
export function behind({ after, order, orderBy }: UserQuery, { value, counts }: Sorting): SqlFragment[] {
  if (after === undefined) return []
  const sign = order === 'ascending' ? '>' : '<'
  if (!counts) return [sqlFragment(`id ${sign} ?`, after.id)]
  const from = orderBy === 'seenAt' ? (after.value ?? NEVER_SEEN) : after.value
  return [join(sqlFragment('('), value, sqlFragment(`, id) ${sign} (?, ?)`, from, after.id))]
}

export function inOrder({ order, limit }: UserQuery, { counts }: Sorting): SqlFragment {
  const direction = order === 'ascending' ? 'ASC' : 'DESC'
  return sqlFragment(` ORDER BY ${counts ? `value ${direction}, ` : ''}id ${direction} LIMIT ?`, limit)
}

function prefixed(prefix: string): SqlFragment {
  const end = afterPrefix(prefix)
  return end === undefined ? sqlFragment('id >= ?', prefix) : sqlFragment('id >= ? AND id < ?', prefix, end)
}
