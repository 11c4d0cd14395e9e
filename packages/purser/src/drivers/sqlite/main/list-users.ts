import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LOG_OF_NAMESPACE } from '../../../storage/commit.ts'
import type { ListedUser, Overview, UserQuery } from '../../../storage/store.ts'
import { NEVER_SEEN } from '../../instants.ts'
import { compareText } from '../../text-order.ts'
import {
  afterCursor,
  allFilters,
  and,
  concat,
  filterPlans,
  hasCapFilter,
  indexScan,
  orderAndLimit,
  type QueryPlan,
  SELECTIVE_ROWS,
  SORT_BY_CAP_USED,
  SORT_UNUSED,
  type SqlFragment,
  sortKeyOf,
  sql,
  unusedPlan,
  windowPlan,
} from './query-plan.ts'
import { type Row, USER_COLUMNS, userOf } from './rows.ts'

/*
 * One page of users in a few milliseconds, for any number of users.
 *
 * There are two query plans. If a filter is selective, its users are fetched by the filter's index and sorted. If none
 * is, users are scanned in the order of the page, by the index of that order; most of them belong on the page. A count
 * that stops at a limit decides which plan it is.
 *
 * The order by `capUsed` needs a third plan, because windows end without a write to any row: see `listByCap`.
 */

export interface UserList {
  list(query: UserQuery): ListedUser[]
  count(query: UserQuery): number
  overview(namespace: string): Overview
}

export interface UserListLimits {
  /** A filter is selective if at most this many users match. Default: by filter. */
  readonly selectiveRows?: number
  /** Ends of windows that are visited one by one. With more of them, all users with a cap are sorted. */
  readonly maxWindows: number
}

const USER_LIST_LIMITS: UserListLimits = { maxWindows: 2_000 }

const NEXT_WINDOW = `
SELECT cap_used_until FROM users INDEXED BY users_by_cap
WHERE namespace = ? AND cap_used > 0 AND cap_used_until > ? ORDER BY cap_used_until LIMIT 1`
const PHASES = 'SELECT phase AS name, count(*) AS users FROM users WHERE namespace = ? AND id <> ? GROUP BY phase'
const RISK_LEVELS =
  'SELECT risk_level AS name, count(*) AS users FROM users WHERE namespace = ? AND id <> ? GROUP BY risk_level'
const BLOCKED = 'SELECT count(*) AS users FROM users WHERE namespace = ? AND id <> ? AND blocked = 1'

export function createUserList(connection: DatabaseSync, limits: UserListLimits = USER_LIST_LIMITS): UserList {
  const select = createSelect(connection)

  function list(query: UserQuery): ListedUser[] {
    if (query.limit <= 0) return []
    const windows = query.orderBy === 'capUsed' || hasCapFilter(query) ? openWindows(query) : []
    const selective = filterPlans(query, windows).find(isSelective)
    if (selective !== undefined) return selectPage(query, selective)
    if (query.orderBy !== 'capUsed') return selectPage(query, indexScan(query, query.orderBy))
    return windows === undefined ? selectPage(query, indexScan(query, 'id')) : listByCap(query, windows)
  }

  function isSelective({ index, where, selectiveRows = SELECTIVE_ROWS }: QueryPlan): boolean {
    const limit = limits.selectiveRows ?? selectiveRows
    const start = sql(`SELECT count(*) AS users FROM (SELECT 1 FROM users INDEXED BY ${index} WHERE `)
    const [found] = select(concat(start, where, sql(' LIMIT ?)', limit + 1)))
    return Number(found?.users) <= limit
  }

  function selectPage(query: UserQuery, { index, where }: QueryPlan, sortKey = sortKeyOf(query)): ListedUser[] {
    const rows = select(
      concat(
        sql(`SELECT ${USER_COLUMNS}, id, `),
        sortKey.value,
        sql(` AS value FROM users INDEXED BY ${index} WHERE `),
        and([where, ...allFilters(query), ...afterCursor(query, sortKey)]),
        orderAndLimit(query, sortKey),
      ),
    )
    return rows.map((row) => ({ id: String(row.id), value: listedValue(row.value), row: userOf(row) }))
  }

  /**
   * In a window that has ended nothing counts as used, though its rows still have other values. The index begins with
   * the end of the window: ends in the past are never visited, and there are few in the future (midnights of time zones,
   * minutes of a rolling day). Each open window yields its first users, and the first of those are the page. All other
   * users have used nothing and are ordered by id.
   */
  function listByCap({ offset = 0, ...page }: UserQuery, windows: readonly number[]): ListedUser[] {
    const query = { ...page, limit: offset + page.limit }
    const isAscending = page.order === 'ascending'
    const isAfterUnused = Number(query.after?.value ?? 0) > 0
    const selectUsed = (): ListedUser[] =>
      windows
        .flatMap((end) => selectPage(query, windowPlan(query, end), SORT_BY_CAP_USED))
        .sort((a, b) => (isAscending ? 1 : -1) * (Number(a.value) - Number(b.value) || compareText(a.id, b.id)))
    const selectUnused = (): ListedUser[] => {
      if (hasCapFilter(query) || (isAfterUnused && isAscending)) return []
      return selectPage(isAfterUnused ? { ...query, after: undefined } : query, unusedPlan(query), SORT_UNUSED)
    }
    const users = isAscending ? selectUnused() : selectUsed()
    if (users.length < query.limit) users.push(...(isAscending ? selectUsed() : selectUnused()))
    return users.slice(offset, query.limit)
  }

  /** By the index of a selective filter, else by the one that the database chooses. */
  function count(query: UserQuery): number {
    const windows = hasCapFilter(query) ? openWindows(query) : []
    const selective = filterPlans(query, windows).find(isSelective)
    const index = selective === undefined ? '' : ` INDEXED BY ${selective.index}`
    const where = selective === undefined ? [] : [selective.where]
    const start = sql(`SELECT count(*) AS users FROM users${index} WHERE `)
    const [found] = select(concat(start, and([...where, ...allFilters(query)])))
    return Number(found?.users)
  }

  /** The ends of the windows that have not ended and in which something is used; undefined: too many. */
  function openWindows({ namespace, now }: UserQuery): number[] | undefined {
    const ends: number[] = []
    for (let last = now; ends.length <= limits.maxWindows; ends.push(last)) {
      const [next] = select(sql(NEXT_WINDOW, namespace, last))
      if (next === undefined) return ends
      last = Number(next.cap_used_until)
    }
    return undefined
  }

  return { list, count, overview: (namespace) => readOverview(select, namespace) }
}

/** Runs statements that are prepared once. Bounded: texts are combinations of filters, orders and directions. */
function createSelect(connection: DatabaseSync): (statement: SqlFragment) => Row[] {
  const statements = new Map<string, StatementSync>()
  return ({ text, values }) => {
    let statement = statements.get(text)
    if (statement === undefined) {
      statement = connection.prepare(text)
      statements.set(text, statement)
    }
    return statement.all(...values)
  }
}

function readOverview(select: (statement: SqlFragment) => Row[], namespace: string): Overview {
  const count = (text: string): Row[] => select(sql(text, namespace, LOG_OF_NAMESPACE))
  const phases = toCounts(count(PHASES))
  const users = Object.values(phases).reduce((sum, part) => sum + part, 0)
  return { users, blocked: Number(count(BLOCKED)[0]?.users), phases, riskLevels: toCounts(count(RISK_LEVELS)) }
}

function toCounts(rows: readonly Row[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ name, users }) => [String(name), Number(users)]))
}

function listedValue(value: Row[string] | undefined): string | number | null {
  if (typeof value === 'string') return value
  return value === NEVER_SEEN ? null : Number(value)
}
