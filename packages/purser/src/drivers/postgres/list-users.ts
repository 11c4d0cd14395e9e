import { LOG_OF_NAMESPACE } from '../../storage/commit.ts'
import type { ListedUser, Overview, UserQuery } from '../../storage/store.ts'
import { NEVER_SEEN } from '../instants.ts'
import type { Connection } from './connection.ts'
import {
  afterCursor,
  allFilters,
  CAP_KEY,
  type Condition,
  type Filter,
  filtersOf,
  hasCapFilter,
  orderAndLimit,
  SEEN_KEY,
  type SortKey,
  sortKeyOf,
  Values,
} from './list-conditions.ts'
import { type StoredUserRow, USER_COLUMNS, userOf } from './rows.ts'
import { decodeText } from './text.ts'

/*
 * One page of users in some milliseconds, for any number of users.
 *
 * There are two ways. If a filter is selective, its users are fetched by the filter's index and sorted. If none is, users
 * are scanned in the order of the page, by the index of that order. A count that stops at a limit decides; the server's own
 * planner would assume that matching users are spread evenly over every order, which those seen lately are not.
 *
 * Windows end without a write to any row, so users with use in a window are found through the ends of the open windows, of
 * which there are few: midnights of time zones, minutes of a rolling day.
 */

export interface UserListLimits {
  /** A filter is selective if at most this many users match. Default: by filter. */
  readonly selectiveRows?: number
  /** Ends of windows that are visited one by one. With more of them, all users are sorted. */
  readonly maxWindows: number
}

const USER_LIST_LIMITS: UserListLimits = { maxWindows: 2_000 }

/** A query with what its statements need. */
interface Listing {
  readonly connection: Connection
  readonly query: UserQuery
  readonly limits: UserListLimits
  /** Ends of the windows that have not ended; undefined: too many, or not needed. */
  readonly windows: readonly number[] | undefined
}

export async function listUsers(
  connection: Connection,
  query: UserQuery,
  limits: UserListLimits = USER_LIST_LIMITS,
): Promise<ListedUser[]> {
  if (query.limit <= 0) return []
  const isByCap = query.orderBy === 'capUsed'
  const windows = isByCap || hasCapFilter(query) ? await openWindows(connection, query, limits) : undefined
  const listing: Listing = { connection, query, limits, windows }
  const filter = await findSelectiveFilter(listing)
  if (filter !== undefined) return selectSorted(listing, filter)
  if (query.orderBy === 'seenAt') return listBySeen(listing)
  if (!isByCap) return selectInOrder(listing, (values) => sortKeyOf(query, values))
  return windows === undefined ? selectSorted(listing, () => 'true') : listByCap(listing, windows)
}

async function openWindows(
  connection: Connection,
  { namespace, now }: UserQuery,
  { maxWindows }: UserListLimits,
): Promise<number[] | undefined> {
  const next = (after: string): string => `SELECT cap_used_until FROM ${connection.schema}.users
    WHERE namespace = $1 AND cap_step > 0 AND cap_used_until > ${after} ORDER BY cap_used_until LIMIT 1`
  const rows = await connection.query<{ until: number }>({
    name: 'open windows',
    text: `WITH RECURSIVE open(until) AS ((${next('$2::float8')})
        UNION ALL SELECT (${next('open.until')}) FROM open WHERE open.until IS NOT NULL)
      SELECT until FROM open WHERE until IS NOT NULL LIMIT $3`,
    values: [namespace, now, maxWindows + 1],
  })
  return rows.length > maxWindows ? undefined : rows.map(({ until }) => until)
}

/** The first filter that few users match. */
async function findSelectiveFilter(listing: Listing): Promise<Condition | undefined> {
  const filters = filtersOf(listing.query, listing.windows)
  if (filters.length === 0) return undefined
  const values = new Values(listing.connection.schema)
  const namespace = values.add(listing.query.namespace)
  const limitOf = (filter: Filter): number => listing.limits.selectiveRows ?? filter.selectiveRows
  const counts = filters.map(
    (filter) => `(SELECT count(*) <= ${limitOf(filter)} FROM (SELECT 1
      FROM ${listing.connection.schema}.users WHERE namespace = ${namespace} AND ${filter.condition(values)}
      LIMIT ${limitOf(filter) + 1}) AS found)`,
  )
  const [row] = await listing.connection.query<{ selective: boolean[] }>({
    text: `SELECT ARRAY[${counts.join(', ')}] AS selective`,
    values: values.list,
  })
  return filters.find((_, index) => row?.selective[index] === true)?.condition
}

type ListedRow = StoredUserRow & { readonly id: string; readonly value: string | number }

async function select({ connection }: Listing, text: string, values: Values): Promise<ListedUser[]> {
  const rows = await connection.query<ListedRow>({ text, values: values.list })
  return rows.map((row) => ({ id: row.id, value: row.value === NEVER_SEEN ? null : row.value, row: userOf(row) }))
}

/** Fetches the users of one condition, then filters and sorts them. */
function selectSorted(listing: Listing, condition: Condition): Promise<ListedUser[]> {
  const { connection, query } = listing
  const values = new Values(connection.schema)
  const namespace = values.add(query.namespace)
  const found = `SELECT * FROM ${connection.schema}.users WHERE namespace = ${namespace} AND ${condition(values)}`
  const key = sortKeyOf(query, values)
  const conditions = [...allFilters(query, values), ...afterCursor(query, key, values)]
  const text = `WITH found AS MATERIALIZED (${found})
    SELECT ${USER_COLUMNS}, id, ${key.value} AS value FROM found WHERE ${conditions.join(' AND ')}
    ${orderAndLimit(query, key, values)}`
  return select(listing, text, values)
}

/** Scans users in the order of an index. */
function selectInOrder(
  listing: Listing,
  keyIn: (values: Values) => SortKey,
  condition?: Condition,
): Promise<ListedUser[]> {
  const { connection, query } = listing
  const values = new Values(connection.schema)
  const key = keyIn(values)
  const conditions = [...allFilters(query, values), ...afterCursor(query, key, values)]
  if (condition !== undefined) conditions.push(condition(values))
  const text = `SELECT ${USER_COLUMNS}, id, ${key.value} AS value FROM ${connection.schema}.users
    WHERE ${conditions.join(' AND ')} ${orderAndLimit(query, key, values)}`
  return select(listing, text, values)
}

/**
 * Each open window yields its first users, and the first of those are the page. All other users have used nothing and are
 * ordered by id.
 */
function listByCap(listing: Listing, windows: readonly number[]): Promise<ListedUser[]> {
  const { query } = listing
  const condition: Condition = (values) => `NOT (cap_step > 0 AND cap_used_until > ${values.add(query.now)})`
  return listInTwoParts(listing, {
    isAfterLow: Number(query.after?.value ?? 0) > 0,
    low: hasCapFilter(query) ? undefined : { value: '0::float8', condition },
    selectHigh: (part) => selectInWindows(part, windows),
  })
}

/** Users who were never seen, of whom there may be many, have one value and are ordered by id. */
function listBySeen(listing: Listing): Promise<ListedUser[]> {
  const { query } = listing
  const never = `${listing.connection.schema}.seen_minute(${NEVER_SEEN}::float8)`
  return listInTwoParts(listing, {
    isAfterLow: query.after !== undefined && query.after.value !== null,
    low: query.seenSince === undefined ? { value: 'seen_at', condition: () => `seen_minute = ${never}` } : undefined,
    selectHigh: (part) =>
      selectInOrder(
        part,
        () => SEEN_KEY,
        () => `seen_minute > ${never}`,
      ),
  })
}

interface TwoParts {
  /** The users with the lowest value of the order, ordered by id; undefined: none. */
  readonly low: { readonly value: string; readonly condition: Condition } | undefined
  /** Whether the cursor is a user of the other part. */
  readonly isAfterLow: boolean
  /** The other users, in their order. */
  selectHigh(listing: Listing): Promise<ListedUser[]>
}

async function listInTwoParts(page: Listing, { low, isAfterLow, selectHigh }: TwoParts): Promise<ListedUser[]> {
  const { offset = 0, limit, order, after } = page.query
  const query = { ...page.query, limit: offset + limit, offset: 0 }
  const isAscending = order === 'ascending'
  const isInLow = after !== undefined && !isAfterLow
  const selectPart = async (isLow: boolean): Promise<ListedUser[]> => {
    const isPassed = after !== undefined && isInLow !== isLow && isAscending === isLow
    if (isPassed || (isLow && low === undefined)) return []
    const listing = {
      ...page,
      query: after !== undefined && isInLow !== isLow ? { ...query, after: undefined } : query,
    }
    if (!isLow || low === undefined) return selectHigh(listing)
    return selectInOrder(listing, () => ({ value: low.value, isIdOrder: true }), low.condition)
  }
  const users = await selectPart(isAscending)
  if (users.length < query.limit) users.push(...(await selectPart(!isAscending)))
  return users.slice(offset, query.limit)
}

function selectInWindows(listing: Listing, windows: readonly number[]): Promise<ListedUser[]> {
  const { connection, query } = listing
  const values = new Values(connection.schema)
  const conditions = [...allFilters(query, values), ...afterCursor(query, CAP_KEY, values)]
  const text = `SELECT page.* FROM unnest(${values.add(windows)}::float8[]) AS open(until), LATERAL
      (SELECT ${USER_COLUMNS}, id, cap_used AS value FROM ${connection.schema}.users
        WHERE ${conditions.join(' AND ')} AND cap_step > 0 AND cap_used_until = open.until
        ${orderAndLimit(query, CAP_KEY, values)}) AS page
    ${orderAndLimit(query, { value: 'value', isIdOrder: false }, values)}`
  return select(listing, text, values)
}

export async function countMatching(connection: Connection, query: UserQuery): Promise<number> {
  const windows = hasCapFilter(query) ? await openWindows(connection, query, USER_LIST_LIMITS) : undefined
  const values = new Values(connection.schema)
  // The ends of the windows are columns of an index, in contrast to the comparison with the present.
  const isOpen = windows === undefined ? [] : [`cap_used_until = ANY(${values.add(windows)}::float8[])`]
  const conditions = [...allFilters(query, values), ...isOpen].join(' AND ')
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
