import type { SQLInputValue } from 'node:sqlite'
import { LOG_OF_NAMESPACE } from '../../../storage/commit.ts'
import type { UserOrder, UserQuery } from '../../../storage/store.ts'
import { NEVER_SEEN } from '../../instants.ts'
import { afterPrefix } from '../../text-order.ts'

/** A part of a statement with the values of its parameters. Texts are constants of this directory; values are bound. */
export interface SqlFragment {
  readonly text: string
  readonly values: readonly SQLInputValue[]
}

/** What a page is sorted by, before the id. */
export interface SortKey {
  /** The value that a listed user carries, and that is compared with the cursor's. */
  readonly value: SqlFragment
  /** True when the order is that of the ids: the value is the id, or is the same for all users. */
  readonly isIdOrder: boolean
}

/** An index, and the condition on its columns. */
export interface QueryPlan {
  readonly index: string
  readonly where: SqlFragment
  /** Of a filter: the plan is selective if at most this many users match. */
  readonly selectiveRows?: number
}

/** Fetching and sorting this many users takes some milliseconds. */
export const SELECTIVE_ROWS = 5_000
/**
 * For users seen since a date, in the order of creation. Most early users have not been seen lately, so an index scan
 * would pass many users that do not match; sorting more users is faster.
 */
const SELECTIVE_ROWS_SEEN = 50_000

export function sql(text: string, ...values: SQLInputValue[]): SqlFragment {
  return { text, values }
}

export function concat(...fragments: readonly SqlFragment[]): SqlFragment {
  return { text: fragments.map(({ text }) => text).join(''), values: fragments.flatMap(({ values }) => values) }
}

export function and(fragments: readonly SqlFragment[]): SqlFragment {
  return { text: fragments.map(({ text }) => text).join(' AND '), values: fragments.flatMap(({ values }) => values) }
}

const inNamespace = ({ namespace }: UserQuery): SqlFragment => sql('namespace = ?', namespace)

/** The conditions on every user of the page. */
export function allFilters(query: UserQuery): SqlFragment[] {
  const filters = [inNamespace(query), sql('id <> ?', LOG_OF_NAMESPACE)]
  if (query.phase !== undefined) filters.push(sql('phase = ?', query.phase))
  if (query.riskLevel !== undefined) filters.push(sql('risk_level = ?', query.riskLevel))
  if (query.blocked !== undefined) filters.push(query.blocked ? sql('blocked = 1') : sql('blocked = 0'))
  if (query.seenSince !== undefined) filters.push(sql('seen_at >= ?', query.seenSince))
  if (query.seenBefore !== undefined) filters.push(sql('seen_at < ?', query.seenBefore))
  if (query.contains !== undefined) filters.push(sql('instr(id, ?) > 0', query.contains))
  if (hasCapFilter(query))
    filters.push(sql('cap_used > 0 AND cap_used >= ? AND cap_used_until > ?', query.capUsed, query.now))
  if (query.prefix !== undefined) filters.push(hasPrefix(query.prefix))
  return filters
}

/** A plan for each filter that one index answers. `windows`: the ends of the windows that have not ended. */
export function filterPlans(query: UserQuery, windows: readonly number[] | undefined): QueryPlan[] {
  const plans: QueryPlan[] = []
  const add = (index: string, ...conditions: SqlFragment[]): void => {
    plans.push({ index, where: and([inNamespace(query), ...conditions]) })
  }
  const risk = query.riskLevel === undefined ? [] : [sql('risk_level = ?', query.riskLevel)]
  if (query.phase !== undefined) add('users_by_phase', sql('phase = ?', query.phase), ...risk)
  else if (query.riskLevel !== undefined) add('users_by_risk', sql('risk_level = ?', query.riskLevel))
  if (query.blocked) add('users_blocked', sql('blocked = 1'))
  if (query.prefix !== undefined) add('users_by_id', hasPrefix(query.prefix))
  if (query.seenSince !== undefined) {
    const where = and([inNamespace(query), sql('seen_at >= ?', query.seenSince)])
    const selectiveRows = query.orderBy === 'createdAt' ? SELECTIVE_ROWS_SEEN : SELECTIVE_ROWS
    plans.push({ index: 'users_by_seen', where, selectiveRows })
  }
  if (hasCapFilter(query) && windows !== undefined) {
    const isOpen = sql('cap_used_until IN (SELECT value FROM json_each(?))', JSON.stringify(windows))
    add('users_by_cap', sql('cap_used > 0'), isOpen, sql('cap_used >= ?', query.capUsed))
  }
  return plans
}

/** All users in an order, by the index that has that order. */
export function indexScan(query: UserQuery, order: Exclude<UserOrder, 'capUsed'>): QueryPlan {
  return { index: ORDER_INDEXES[order], where: inNamespace(query) }
}

const ORDER_INDEXES = {
  id: 'users_by_id',
  seenAt: 'users_by_seen',
  createdAt: 'users_by_creation',
  peak: 'users_by_peak',
}

export function hasCapFilter(query: UserQuery): query is UserQuery & { readonly capUsed: number } {
  return query.capUsed !== undefined && query.capUsed > 0
}

/** The users who have used something in the window that ends at `end`. */
export function windowPlan(query: UserQuery, end: number): QueryPlan {
  return {
    index: 'users_by_cap',
    where: and([inNamespace(query), sql('cap_used > 0 AND cap_used_until = ?', end)]),
  }
}

/** The users who have used nothing, or nothing in a window that has not ended. */
export function unusedPlan(query: UserQuery): QueryPlan {
  return {
    index: 'users_by_id',
    where: and([inNamespace(query), sql('NOT (cap_used > 0 AND cap_used_until > ?)', query.now)]),
  }
}

export const SORT_BY_CAP_USED: SortKey = { value: sql('cap_used'), isIdOrder: false }
export const SORT_UNUSED: SortKey = { value: sql('0.0'), isIdOrder: true }

export function sortKeyOf({ orderBy, now }: UserQuery): SortKey {
  switch (orderBy) {
    case 'id':
      return { value: sql('id'), isIdOrder: true }
    case 'seenAt':
      return { value: sql('seen_at'), isIdOrder: false }
    case 'createdAt':
      return { value: sql('created_at'), isIdOrder: false }
    case 'peak':
      return { value: sql('peak'), isIdOrder: false }
    case 'capUsed':
      return { value: sql('CASE WHEN cap_used_until > ? THEN cap_used ELSE 0.0 END', now), isIdOrder: false }
  }
}

/** Only users after the cursor. */
export function afterCursor({ after, order, orderBy }: UserQuery, { value, isIdOrder }: SortKey): SqlFragment[] {
  if (after === undefined) return []
  const sign = order === 'ascending' ? '>' : '<'
  if (isIdOrder) return [sql(`id ${sign} ?`, after.id)]
  const from = orderBy === 'seenAt' ? (after.value ?? NEVER_SEEN) : after.value
  return [concat(sql('('), value, sql(`, id) ${sign} (?, ?)`, from, after.id))]
}

export function orderAndLimit({ order, limit, offset = 0 }: UserQuery, { isIdOrder }: SortKey): SqlFragment {
  const direction = order === 'ascending' ? 'ASC' : 'DESC'
  return sql(` ORDER BY ${isIdOrder ? '' : `value ${direction}, `}id ${direction} LIMIT ? OFFSET ?`, limit, offset)
}

function hasPrefix(prefix: string): SqlFragment {
  const end = afterPrefix(prefix)
  return end === undefined ? sql('id >= ?', prefix) : sql('id >= ? AND id < ?', prefix, end)
}
