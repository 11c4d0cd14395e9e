import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type ListedUser, LOG_OF_NAMESPACE, type Overview, type UserQuery } from '../../../storage/store.ts'
import { compareText } from '../../text-order.ts'
import {
  all,
  behind,
  CAP_USED,
  FEW,
  filters,
  idle,
  inOrder,
  isNearCap,
  join,
  NONE_USED,
  type QueryPlan,
  type Sorting,
  type SqlFragment,
  sortingOf,
  sqlFragment,
  usingIn,
  walk,
  waysBy,
} from './query-plan.ts'
import { NEVER_SEEN, type Row, USER_COLUMNS, userOf } from './rows.ts'

/*
 * One page of users in a few milliseconds, whatever their number.
 *
 * There are two ways to a page. If one of the filters leaves few users, they are fetched by its index and sorted. If
 * none does, users are walked in the order asked for, by its index, and most that are met belong on the page. A count
 * that stops at a limit tells which way it is.
 *
 * The order by use of the cap needs a third way, because windows end without anybody writing a row: see `byCap`.
 */

export interface Listing {
  list(query: UserQuery): ListedUser[]
  overview(namespace: string): Overview
}

export interface ListingLimits {
  /** A filter that leaves at most this many users leaves few. Default: what the filter says. */
  readonly few?: number
  /** Ends of windows that are looked at one by one; with more of them, all users with a cap are sorted. */
  readonly maxWindows: number
}

const LISTING_LIMITS: ListingLimits = { maxWindows: 2_000 }

const NEXT_WINDOW = `
SELECT cap_used_until FROM users INDEXED BY users_by_cap
WHERE namespace = ? AND cap_used > 0 AND cap_used_until > ? ORDER BY cap_used_until LIMIT 1`
const PHASES = 'SELECT phase AS name, count(*) AS users FROM users WHERE namespace = ? AND id <> ? GROUP BY phase'
const RISK_LEVELS =
  'SELECT risk_level AS name, count(*) AS users FROM users WHERE namespace = ? AND id <> ? GROUP BY risk_level'
const BLOCKED = 'SELECT count(*) AS users FROM users WHERE namespace = ? AND id <> ? AND blocked = 1'

export function createListing(connection: DatabaseSync, limits: ListingLimits = LISTING_LIMITS): Listing {
  const statements = new Map<string, StatementSync>()

  /** The texts are few: filters, orders and directions put together. */
  function rows({ sql, values }: SqlFragment): Row[] {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = connection.prepare(sql)
      statements.set(sql, statement)
    }
    return statement.all(...values)
  }

  function list(query: UserQuery): ListedUser[] {
    if (query.limit <= 0) return []
    const windows = query.orderBy === 'capUsed' || isNearCap(query) ? openWindows(query) : []
    const few = waysBy(query, windows).find(leavesFew)
    if (few !== undefined) return page(query, few)
    if (query.orderBy !== 'capUsed') return page(query, walk(query, query.orderBy))
    return windows === undefined ? page(query, walk(query, 'id')) : byCap(query, windows)
  }

  function leavesFew({ index, where, few: usual = FEW }: QueryPlan): boolean {
    const few = limits.few ?? usual
    const start = sqlFragment(`SELECT count(*) AS users FROM (SELECT 1 FROM users INDEXED BY ${index} WHERE `)
    const [found] = rows(join(start, where, sqlFragment(' LIMIT ?)', few + 1)))
    return Number(found?.users) <= few
  }

  function page(query: UserQuery, { index, where }: QueryPlan, sorting: Sorting = sortingOf(query)): ListedUser[] {
    const found = rows(
      join(
        sqlFragment(`SELECT ${USER_COLUMNS}, id, `),
        sorting.value,
        sqlFragment(` AS value FROM users INDEXED BY ${index} WHERE `),
        all([where, ...filters(query), ...behind(query, sorting)]),
        inOrder(query, sorting),
      ),
    )
    return found.map((row) => ({ id: String(row.id), value: shown(row.value), row: userOf(row) }))
  }

  /**
   * A window that is over counts as nothing used, though its rows still say something else. The index begins with
   * the end of the window: ends in the past are never looked at, and there are few in the future (midnights of time
   * zones, minutes of a rolling day). Each open window gives its best users, and the best of those are the page. All
   * others have used nothing and stand in the order of their ids.
   */
  function byCap(query: UserQuery, windows: readonly number[]): ListedUser[] {
    const isAscending = query.order === 'ascending'
    const isBehindIdle = Number(query.after?.value ?? 0) > 0
    const using = (): ListedUser[] =>
      windows
        .flatMap((end) => page(query, usingIn(query, end), CAP_USED))
        .sort((a, b) => (isAscending ? 1 : -1) * (Number(a.value) - Number(b.value) || compareText(a.id, b.id)))
    const unused = (): ListedUser[] => {
      if (isNearCap(query) || (isBehindIdle && isAscending)) return []
      return page(isBehindIdle ? { ...query, after: undefined } : query, idle(query), NONE_USED)
    }
    const found = isAscending ? unused() : using()
    if (found.length < query.limit) found.push(...(isAscending ? using() : unused()))
    return found.slice(0, query.limit)
  }

  /** The ends of the windows that are not over and in which somebody has used something; undefined: too many. */
  function openWindows({ namespace, now }: UserQuery): number[] | undefined {
    const ends: number[] = []
    for (let last = now; ends.length <= limits.maxWindows; ends.push(last)) {
      const [next] = rows(sqlFragment(NEXT_WINDOW, namespace, last))
      if (next === undefined) return ends
      last = Number(next.cap_used_until)
    }
    return undefined
  }

  function overview(namespace: string): Overview {
    const count = (text: string): Row[] => rows(sqlFragment(text, namespace, LOG_OF_NAMESPACE))
    const phases = tally(count(PHASES))
    const users = Object.values(phases).reduce((sum, part) => sum + part, 0)
    return { users, blocked: Number(count(BLOCKED)[0]?.users), phases, riskLevels: tally(count(RISK_LEVELS)) }
  }

  return { list, overview }
}

function tally(rows: readonly Row[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ name, users }) => [String(name), Number(users)]))
}

function shown(value: Row[string] | undefined): string | number | null {
  if (typeof value === 'string') return value
  return value === NEVER_SEEN ? null : Number(value)
}
