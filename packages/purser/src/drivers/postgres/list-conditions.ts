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
  /** The quoted name of the schema. */
  readonly schema: string

  constructor(schema: string) {
    this.schema = schema
  }

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
  /** An indexed column that rises with the value, and the function by which it does. Default: the value has an index. */
  readonly step?: { readonly column: string; readonly function: string }
  /** True when the order is that of the ids: the value is the id, or is the same for all users. */
  readonly isIdOrder: boolean
}

export const SEEN_KEY: SortKey = {
  value: 'seen_at',
  step: { column: 'seen_minute', function: 'seen_minute' },
  isIdOrder: false,
}
/** Of users with use in one window. */
export const CAP_KEY: SortKey = {
  value: 'cap_used',
  step: { column: 'cap_step', function: 'cap_step' },
  isIdOrder: false,
}

export function sortKeyOf({ orderBy, now }: UserQuery, values: Values): SortKey {
  switch (orderBy) {
    case 'id':
      return { value: 'id', isIdOrder: true }
    case 'seenAt':
      return SEEN_KEY
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
    add((values) => atLeast(SEEN_KEY, seenSince, values), selectiveRows)
  }
  if (hasCapFilter(query) && windows !== undefined) {
    const isFarEnd = orderBy === 'seenAt' && query.order === 'ascending'
    add(
      (values) => {
        const isOpen = `cap_used_until = ANY(${values.add(windows)}::float8[])`
        return `cap_step > 0 AND ${isOpen} AND ${atLeast(CAP_KEY, query.capUsed, values)}`
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

function atLeast({ value, step }: SortKey, least: number | undefined, values: Values): string {
  const from = `${values.add(least)}::float8`
  return `${value} >= ${from}${step === undefined ? '' : ` AND ${step.column} >= ${values.schema}.${step.function}(${from})`}`
}

/** The conditions on every user of a page. */
export function allFilters(query: UserQuery, values: Values): string[] {
  const conditions = [`namespace = ${values.add(query.namespace)}`, `id <> ${values.add(LOG_OF_NAMESPACE)}`]
  if (query.phase !== undefined) conditions.push(`phase = ${values.add(encodeText(query.phase))}`)
  if (query.riskLevel !== undefined) conditions.push(`risk_level = ${values.add(encodeText(query.riskLevel))}`)
  if (query.blocked !== undefined) conditions.push(query.blocked ? 'blocked' : 'NOT blocked')
  if (query.seenSince !== undefined) conditions.push(atLeast(SEEN_KEY, query.seenSince, values))
  if (query.seenBefore !== undefined) conditions.push(`seen_at < ${values.add(query.seenBefore)}`)
  if (query.contains !== undefined) conditions.push(`strpos(id, ${values.add(query.contains)}) > 0`)
  if (hasCapFilter(query))
    conditions.push(
      `cap_step > 0 AND ${atLeast(CAP_KEY, query.capUsed, values)} AND cap_used_until > ${values.add(query.now)}`,
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
  const from = `${values.add(orderBy === 'seenAt' ? (after.value ?? NEVER_SEEN) : after.value)}::float8`
  if (key.step === undefined) return [`(${key.value}, id) ${sign} (${from}, ${id})`]
  const step = `${values.schema}.${key.step.function}(${from})`
  return [`(${key.step.column}, ${key.value}, id) ${sign} (${step}, ${from}, ${id})`]
}

export function orderAndLimit(
  { order, limit, offset = 0 }: UserQuery,
  { value, step, isIdOrder }: SortKey,
  values: Values,
): string {
  const direction = order === 'ascending' ? 'ASC' : 'DESC'
  const columns = isIdOrder ? [] : [...(step === undefined ? [] : [step.column]), value]
  const page = `LIMIT ${values.add(limit)} OFFSET ${values.add(offset)}`
  return `ORDER BY ${[...columns, 'id'].map((column) => `${column} ${direction}`).join(', ')} ${page}`
}
