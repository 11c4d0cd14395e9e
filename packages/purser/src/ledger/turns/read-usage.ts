import { type AbortOptions, withSignal } from '../../core/abort.ts'
import { readPage } from '../../core/long-read.ts'
import type { Subject } from '../../core/subject.ts'
import { parseInstant, parseInteger, parseOneOf, validateOptions, validatePeriod } from '../../core/validate.ts'
import { addAmounts, type SumAmount, type SumPage, type SumRow, type UserSum } from '../../storage/sum-store.ts'
import type { LedgerDeps } from '../deps.ts'
import { formatMoney } from '../limits/money.ts'
import { amountAt, formatHour, parseSumKey } from './usage-sums.ts'

/** What usage is added up by. Days and months are the users' own dates; hours are UTC. */
export type UserUsageBy = 'hour' | 'day' | 'month' | 'model' | 'limit'
export type UsageBy = UserUsageBy | 'user' | 'plan' | 'provider'

export interface UserUsageOptions extends AbortOptions {
  /**
   * The first day, `YYYY-MM-DD` or `YYYY-MM`, or an instant (ISO 8601), which stands for its day in UTC; with
   * `by: 'hour'` for its hour. Default: 30 days ago.
   */
  readonly from?: string | undefined
  /** The first day or hour that is excluded. Default: none is. */
  readonly to?: string | undefined
  /** Default `'day'`. */
  readonly by?: UserUsageBy | undefined
}

export interface UsageOptions extends Omit<UserUsageOptions, 'by'> {
  /** Default `'day'`. */
  readonly by?: UsageBy | undefined
  /** Rows, 1 to 10,000: those with the most turns, of hours, days and months the latest. Default 1,000. */
  readonly limit?: number | undefined
}

/** What was used under one key. Turns that were given back count as none; steps of turns have only tokens and money. */
export interface UsageSum {
  /**
   * `2026-11-29T23`, `2026-11-29`, `2026-11`, `provider/model`, or the name of a limit, user, plan or provider; null where
   * there is none.
   */
  readonly key: string | null
  readonly turns: number
  /** Turns that were refused; with `by: 'limit'` also those that the limit would have refused under `observe`. */
  readonly refused: number
  /** Turns and steps whose model has no price: their cost is not in `cost`. */
  readonly unpriced: number
  /** All of them, cached ones included. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  /** Decimal text. */
  readonly cost: string
}

type UsageDeps = Pick<LedgerDeps, 'store' | 'calls' | 'journal' | 'effects'>

const USER_BY: readonly UserUsageBy[] = ['hour', 'day', 'month', 'model', 'limit']
const BY: readonly UsageBy[] = [...USER_BY, 'user', 'plan', 'provider']
const DEFAULT_DAYS = 30
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const PAGE_ROWS = 1_000
const LIMIT_DEFAULT = 1_000
const LIMIT_MAX = 10_000

/** The usage of one user. What this process has not written yet is written first. */
export async function readUserUsage(
  deps: UsageDeps,
  user: Subject,
  options: UserUsageOptions = {},
): Promise<UsageSum[]> {
  validateOptions('usage', options, ['from', 'to', 'by'])
  const by = parseOneOf(options.by ?? 'day', USER_BY, { name: 'by', hint: "Default: 'day'." })
  const range = parseRange(deps, by, options)
  const read = deps.calls.run(async () => {
    await deps.journal.flush(user)
    return foldRows((page) => deps.store.sums.ofUser(user, page), { by, range })
  })
  return sortSums(await withSignal(read, options.signal), by)
}

/** The usage of a namespace. */
export async function readUsage(deps: UsageDeps, namespace: string, options: UsageOptions = {}): Promise<UsageSum[]> {
  validateOptions('usage', options, ['from', 'to', 'by', 'limit'])
  const by = parseOneOf(options.by ?? 'day', BY, { name: 'by', hint: "Default: 'day'." })
  const range = parseRange(deps, by, options)
  const { signal, limit: asked = LIMIT_DEFAULT } = options
  const limit = parseInteger(asked, { name: 'limit', min: 1, max: LIMIT_MAX, hint: 'Default: 1,000.' })
  const read = deps.calls.run(async () => {
    await deps.journal.flushAll()
    if (by === 'user') return foldUsers(deps, namespace, { range, limit, signal })
    return foldRows((page) => deps.store.sums.ofNamespace(namespace, page), { by, range, signal })
  })
  const sums = sortSums(await withSignal(read, signal), by)
  return isTime(by) ? sums.slice(-limit) : sums.slice(0, limit)
}

/** Days, and for `by: 'hour'` the hours within them. */
interface Range {
  readonly from: string
  readonly to: string
  readonly hours: { readonly from: number; readonly to: number } | undefined
}

function parseRange(
  { effects }: Pick<UsageDeps, 'effects'>,
  by: UsageBy,
  { from, to }: Pick<UserUsageOptions, 'from' | 'to'>,
): Range {
  const fromMs = from === undefined ? effects.now() - DEFAULT_DAYS * DAY_MS : parseBound(from, 'from')
  const toMs = to === undefined ? undefined : parseBound(to, 'to')
  validateDays(fromMs, toMs)
  if (by !== 'hour')
    return { from: dateOf(fromMs), to: toMs === undefined ? LAST_DATE : dateOf(toMs), hours: undefined }
  const hours = {
    from: Math.floor(fromMs / HOUR_MS),
    to: toMs === undefined ? Number.POSITIVE_INFINITY : Math.floor(toMs / HOUR_MS),
  }
  // The date of an hour differs by a day at most, wherever the user is.
  return { from: dateOf(fromMs - DAY_MS), to: toMs === undefined ? LAST_DATE : dateOf(toMs + 2 * DAY_MS), hours }
}

/** Refuses days that end before they begin. */
export function validateDays(fromMs: number, toMs: number | undefined): void {
  validatePeriod(fromMs, toMs, `Default of 'from': ${DEFAULT_DAYS} days ago.`)
}

/** Later than all days. */
export const LAST_DATE = '9999-12-31'

export function parseBound(value: string, name: string): number {
  const [, month, day = '-01'] = (typeof value === 'string' ? /^(\d{4}-\d\d)(-\d\d)?$/.exec(value) : null) ?? []
  return parseInstant(month === undefined ? value : `${month}${day}T00:00:00Z`, {
    name,
    hint: "Example: '2026-11-29'.",
  })
}

export function dateOf(epochMs: number): string {
  return new Date(Math.max(0, epochMs)).toISOString().slice(0, 10)
}

function isTime(by: UsageBy): boolean {
  return by === 'hour' || by === 'day' || by === 'month'
}

type Fold = Map<string | null, readonly SumAmount[]>

interface FoldOptions extends AbortOptions {
  readonly by: UsageBy
  readonly range: Range
}

/** Adds up rows page by page; pages take turns with other long reads. */
async function foldRows(
  read: (page: SumPage) => Promise<readonly SumRow[]>,
  { by, range, signal }: FoldOptions,
): Promise<UsageSum[]> {
  const { from, to, hours } = range
  const sums: Fold = new Map()
  for (let after: SumPage['after']; ; ) {
    signal?.throwIfAborted()
    const rows = await readPage(() => read({ from, to, after, limit: PAGE_ROWS }))
    for (const row of rows) if (isWithin(row, hours)) add(sums, keyOf(row, by), row.amounts)
    if (rows.length < PAGE_ROWS) break
    after = rows.at(-1)
  }
  return [...sums].map(([key, amounts]) => usageOf(key, amounts, by))
}

function isWithin({ hour }: SumRow, hours: Range['hours']): boolean {
  return hours === undefined || (hour >= hours.from && hour < hours.to)
}

function add(sums: Fold, key: string | null | undefined, amounts: readonly SumAmount[]): void {
  if (key === undefined) return
  const sum = sums.get(key)
  sums.set(key, sum === undefined ? amounts : addAmounts(sum, amounts))
}

/** Undefined: the row is about something else. */
function keyOf({ day, hour, key: text }: SumRow, by: UsageBy): string | null | undefined {
  const key = parseSumKey(text)
  if (key[0] === 'limit' && by === 'limit') return key[1]
  if (key[0] !== 'turns' || by === 'limit') return undefined
  const [, plan, provider, model] = key
  switch (by) {
    case 'hour':
      return formatHour(hour)
    case 'day':
      return day
    case 'month':
      return day.slice(0, 'YYYY-MM'.length)
    case 'plan':
      return plan
    case 'provider':
      return provider
    default:
      return provider === null || model === null ? null : `${provider}/${model}`
  }
}

function usageOf(key: string | null, amounts: readonly SumAmount[], by: UsageBy): UsageSum {
  return {
    key,
    turns: Number(amountAt(amounts, 'turns')),
    refused: Number(amountAt(amounts, by === 'limit' ? 'limited' : 'refused')),
    unpriced: Number(amountAt(amounts, 'unpriced')),
    inputTokens: Number(amountAt(amounts, 'inputTokens')),
    outputTokens: Number(amountAt(amounts, 'outputTokens')),
    cachedTokens: Number(amountAt(amounts, 'cachedTokens')),
    cost: formatMoney(amountAt(amounts, 'cost')),
  }
}

interface FoldUsersOptions extends AbortOptions {
  readonly range: Range
  readonly limit: number
}

/** The users with the most turns, without more of them in memory than twice the limit and a page. */
async function foldUsers(
  { store }: Pick<UsageDeps, 'store'>,
  namespace: string,
  { range: { from, to }, limit, signal }: FoldUsersOptions,
): Promise<UsageSum[]> {
  let most: UsageSum[] = []
  for (let after: string | undefined; ; ) {
    signal?.throwIfAborted()
    const page: readonly UserSum[] = await readPage(() =>
      store.sums.ofUsers(namespace, { from, to, after, limit: PAGE_ROWS }),
    )
    most.push(...page.map(({ user, amounts }) => usageOf(user, amounts, 'user')))
    if (most.length > 2 * limit) most = sortSums(most, 'user').slice(0, limit)
    if (page.length < PAGE_ROWS) return most
    after = page.at(-1)?.user
  }
}

function sortSums(sums: UsageSum[], by: UsageBy): UsageSum[] {
  const byKey = (one: UsageSum, other: UsageSum): number => {
    const [a, b] = [one.key ?? '', other.key ?? '']
    return a < b ? -1 : a > b ? 1 : 0
  }
  if (isTime(by)) return sums.sort(byKey)
  return sums.sort((one, other) => other.turns - one.turns || other.refused - one.refused || byKey(one, other))
}

/** All sums over rows of one user, for an export: one row at a time, oldest first. */
export async function* readUserSums(deps: UsageDeps, user: Subject): AsyncGenerator<object, void, undefined> {
  for (let after: SumPage['after']; ; ) {
    const page = { from: '0000-01-01', to: LAST_DATE, after, limit: PAGE_ROWS }
    const rows = await deps.calls.run(() => readPage(() => deps.store.sums.ofUser(user, page)))
    for (const row of rows) yield exportSum(row)
    if (rows.length < PAGE_ROWS) return
    after = rows.at(-1)
  }
}

function exportSum({ day, hour, key: text, amounts }: SumRow): object {
  const key = parseSumKey(text)
  const at = `${formatHour(hour)}:00:00.000Z`
  if (key[0] !== 'turns') return { day, at, [key[0]]: key[1], times: Number(amountAt(amounts, 'limited')) }
  const [, plan, provider, model] = key
  const { key: _, ...usage } = usageOf(null, amounts, 'model')
  return { day, at, plan, provider, model, ...usage }
}
