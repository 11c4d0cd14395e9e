import { LOG_OF_NAMESPACE } from '../../storage/commit.ts'
import type { UserQuery } from '../../storage/store.ts'
import { NEVER_SEEN } from '../instants.ts'
import { afterPrefix } from '../text-order.ts'
import { encodeText } from './text.ts'

/** Fetching and sorting this many users takes some milliseconds. */
const SELECTIVE_ROWS = 5_000
/** For users seen since a date in the order of creation: most early users have not been seen lately. */
const SELECTIVE_ROWS_SEEN = 20_000
/** For users with use in an open window, from the one seen least lately: nearly all of them are at the far end. */
const SELECTIVE_ROWS_USED = 100_000

/** Collects the values of a statement; `add` returns the text of the parameter. */
export class Values {
  readonly list: unknown[] = []

  add(value: unknown): string {
    this.list.push(value)
    return `$${this.list.length}`
  }
}

export function hasCapFilter({ capUsed = 0 }: UserQuery): boolean {
  return capUsed > 0
}

/** What a page is sorted by, before the id. */
export interface SortKey {
  /** SQL of the value that a listed user carries, and that is compared with the cursor's. */
  readonly value: string
  /** True when the order is that of the ids: the value is the id, or is the same for all users. */
  readonly isIdOrder: boolean
}

export function sortKeyOf({ orderBy, now }: UserQuery, values: Values): SortKey {
  switch (orderBy) {
    case 'id':
      return { value: 'id', isIdOrder: true }
    case 'seenAt':
      return { value: 'seen_at', isIdOrder: false }
    case 'createdAt':
      return { value: 'created_at', isIdOrder: false }
    case 'peak':
      return { value: 'peak', isIdOrder: false }
    case 'capUsed':
      return {
        value: `CASE WHEN cap_used_until > ${values.add(now)} THEN cap_used ELSE 0 END`,
        isIdOrder: false,
      }
  }
}

/** SQL of a condition, whose values are added. */
export type Condition = (values: Values) => string

export interface Filter {
  readonly condition: Condition
  /** The filter is selective if at most this many users match. */
  readonly selectiveRows: number
}

/** The filters that one index answers. `windows`: the ends of the windows that have not ended. */
export function filtersOf(query: UserQuery, windows: readonly number[] | undefined): Filter[] {
  const { phase, riskLevel, prefix, seenSince, orderBy } = query
  const filters: Filter[] = []
  const add = (condition: Condition, selectiveRows = SELECTIVE_ROWS): void => {
    filters.push({ condition, selectiveRows })
  }
  if (phase !== undefined)
    add((values) => {
      const risk = riskLevel === undefined ? '' : ` AND risk_level = ${values.add(encodeText(riskLevel))}`
      return `phase = ${values.add(encodeText(phase))}${risk}`
    })
  else if (riskLevel !== undefined) add((values) => `risk_level = ${values.add(encodeText(riskLevel))}`)
  if (query.blocked === true) add(() => 'blocked')
  if (prefix !== undefined) add((values) => hasPrefix(prefix, values))
  if (seenSince !== undefined) {
    const selectiveRows = orderBy === 'createdAt' ? SELECTIVE_ROWS_SEEN : SELECTIVE_ROWS
    add((values) => `seen_at >= ${values.add(seenSince)}`, selectiveRows)
  }
  if (hasCapFilter(query) && windows !== undefined) {
    const isFarEnd = orderBy === 'seenAt' && query.order === 'ascending'
    add(
      (values) => {
        const isOpen = `cap_used_until = ANY(${values.add(windows)}::float8[])`
        return `cap_used > 0 AND ${isOpen} AND cap_used >= ${values.add(query.capUsed)}`
      },
      isFarEnd ? SELECTIVE_ROWS_USED : SELECTIVE_ROWS,
    )
  }
  return filters
}

function hasPrefix(prefix: string, values: Values): string {
  const end = afterPrefix(prefix)
  const from = `id >= ${values.add(prefix)}`
  return end === undefined ? from : `${from} AND id < ${values.add(end)}`
}

/** The conditions on every user of a page. */
export function allFilters(query: UserQuery, values: Values): string[] {
  const conditions = [`namespace = ${values.add(query.namespace)}`, `id <> ${values.add(LOG_OF_NAMESPACE)}`]
  if (query.phase !== undefined) conditions.push(`phase = ${values.add(encodeText(query.phase))}`)
  if (query.riskLevel !== undefined) conditions.push(`risk_level = ${values.add(encodeText(query.riskLevel))}`)
  if (query.blocked !== undefined) conditions.push(query.blocked ? 'blocked' : 'NOT blocked')
  if (query.seenSince !== undefined) conditions.push(`seen_at >= ${values.add(query.seenSince)}`)
  if (query.seenBefore !== undefined) conditions.push(`seen_at < ${values.add(query.seenBefore)}`)
  if (query.contains !== undefined) conditions.push(`strpos(id, ${values.add(query.contains)}) > 0`)
  if (hasCapFilter(query))
    conditions.push(
      `cap_used > 0 AND cap_used >= ${values.add(query.capUsed)} AND cap_used_until > ${values.add(query.now)}`,
    )
  if (query.prefix !== undefined) conditions.push(hasPrefix(query.prefix, values))
  return conditions
}

/** Only users after the cursor. */
export function afterCursor({ after, order, orderBy }: UserQuery, key: SortKey, values: Values): string[] {
  if (after === undefined) return []
  const sign = order === 'ascending' ? '>' : '<'
  const id = values.add(after.id)
  if (key.isIdOrder) return [`id ${sign} ${id}`]
  const from = orderBy === 'seenAt' ? (after.value ?? NEVER_SEEN) : after.value
  return [`(${key.value}, id) ${sign} (${values.add(from)}::float8, ${id})`]
}

export function orderAndLimit(
  { order, limit, offset = 0 }: UserQuery,
  { value, isIdOrder }: SortKey,
  values: Values,
): string {
  const direction = order === 'ascending' ? 'ASC' : 'DESC'
  const page = `LIMIT ${values.add(limit)} OFFSET ${values.add(offset)}`
  return `ORDER BY ${isIdOrder ? '' : `${value} ${direction}, `}id ${direction} ${page}`
}
