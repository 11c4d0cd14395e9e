import { createHash } from 'node:crypto'
import { type AbortOptions, withSignal } from '../core/abort.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import { readPage } from '../core/long-read.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import { parseInstant, parseInteger, parseOneOf, parseText, throwInvalid, validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import { decodeRow, viewOf } from '../journal/snapshot.ts'
import type { ListedUser, Store, UserOrder, UserQuery } from '../storage/store.ts'
import { type Bond, bondOfRow, codecOf } from './bond.ts'
import { unknownPlan } from './limits/policy.ts'
import { limitsAt } from './quota.ts'
import { type LedgerRules, parseLabel } from './rules.ts'

/**
 * Options of `purser.users`. All filters must match. Phase, risk level and cap are those of the user's last write: after
 * the application changes a default, a user is found by the new one once something of them was written.
 */
export interface ListUsersOptions extends AbortOptions {
  readonly phase?: string | undefined
  readonly riskLevel?: string | undefined
  /** At least this share of the cap is used, 0 to 1. Windows that are over do not count. */
  readonly capUsed?: number | undefined
  /** At least this share of one of the user's limits is used or held, 0 to 1; the cap is one of them. */
  readonly limitUsed?: number | undefined
  readonly blocked?: boolean | undefined
  /** Seen at this instant or later, ISO 8601. */
  readonly seenSince?: string | undefined
  /** Not seen since this instant, ISO 8601; also users who were never seen. */
  readonly seenBefore?: string | undefined
  /** What the id begins with. */
  readonly prefix?: string | undefined
  /** A part of the id, upper and lower case being different. */
  readonly contains?: string | undefined
  /** The plan that applies. */
  readonly plan?: string | undefined
  /** Default `'id'`. */
  readonly orderBy?: UserOrder | 'lastSeenAt' | undefined
  /** Default: ascending for ids, otherwise descending. */
  readonly order?: 'asc' | 'desc' | 'ascending' | 'descending' | undefined
  /** Users per page, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** The cursor of the previous page, with the same filters and order. */
  readonly cursor?: string | null | undefined
  /** Users of the order that are passed over, 0 to 10,000,000. Default 0. */
  readonly offset?: number | undefined
}

export interface UserPage {
  readonly users: Bond[]
  /** Of the next page; null on the last one. */
  readonly cursor: string | null
}

const FIELDS = [
  'phase',
  'riskLevel',
  'capUsed',
  'limitUsed',
  'blocked',
  'seenSince',
  'seenBefore',
  'prefix',
  'contains',
  'plan',
  'orderBy',
  'order',
  'limit',
  'cursor',
  'offset',
] as const
const ORDER_BY = ['id', 'seenAt', 'lastSeenAt', 'createdAt', 'capUsed', 'peak'] as const
const ORDERS = ['asc', 'desc', 'ascending', 'descending'] as const
const LIMIT_DEFAULT = 50
const LIMIT_MAX = 1_000
const FILTER_MAX_BYTES = 256
const OFFSET_MAX = 10_000_000

export interface ListUsersDeps {
  readonly store: Store
  readonly calls: PendingCalls
  readonly namespace: string
  readonly rules: LedgerRules
  now(): number
}

/** The filters and order of a page, and a digest of them for the cursor. */
interface ParsedQuery {
  readonly query: Omit<UserQuery, 'after' | 'now'>
  readonly digest: string
  readonly offset: number
  readonly after: UserQuery['after']
}

/** The first page when awaited, all users when iterated. */
export function listUsers(
  deps: ListUsersDeps,
  options: ListUsersOptions = {},
): PromiseLike<UserPage> & AsyncIterable<Bond> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: the contract's result is both awaited and iterated.
    then: (fulfilled, rejected) => deps.calls.run(() => readUsers(deps, options)).then(fulfilled, rejected),
    async *[Symbol.asyncIterator]() {
      let cursor = options?.cursor
      do {
        const pageOptions = cursor === undefined ? options : { ...options, cursor }
        const isNext = cursor !== options?.cursor
        const page = await deps.calls.run(() => readUsers(deps, pageOptions, isNext))
        for (const user of page.users) {
          options.signal?.throwIfAborted()
          yield user
        }
        cursor = page.cursor
      } while (cursor !== null)
    },
  }
}

/** One page of users, which is full unless it is the last one. */
async function readUsers(deps: ListUsersDeps, options: ListUsersOptions, isNext = false): Promise<UserPage> {
  const parsed = parseQuery(deps, options)
  let toPass = isDecidedHere(options) ? parsed.offset : 0
  const users: Bond[] = []
  for await (const part of readMatching(deps, options, { parsed, isNext })) {
    for (const { bond, after } of part.slice(toPass)) {
      if (users.push(bond) === parsed.query.limit) return { users, cursor: encodeCursor(parsed.digest, after) }
    }
    toPass = Math.max(0, toPass - part.length)
  }
  return { users, cursor: null }
}

interface MatchingUser {
  readonly bond: Bond
  readonly after: NonNullable<UserQuery['after']>
}

/**
 * The store filters by the block and the window of the user's last commit. Since then a block may have ended and a
 * rolling count may have fallen, so the store returns a superset, from which users that do not match any more are left
 * out. All parts but the first of a call take turns with other long reads.
 */
async function* readMatching(
  deps: ListUsersDeps,
  options: ListUsersOptions,
  { parsed, isNext }: { readonly parsed: ParsedQuery; readonly isNext: boolean },
): AsyncGenerator<readonly MatchingUser[]> {
  const { query } = parsed
  let { after } = parsed
  let offset = isDecidedHere(options) ? 0 : parsed.offset
  for (let isLong = isNext; ; isLong = true) {
    const from = { ...query, after, offset, now: deps.now() }
    const read = (): Promise<readonly ListedUser[]> => deps.store.users.list(from)
    const found = await withSignal(isLong ? readPage(read) : read(), options.signal)
    yield found.flatMap((listed) => matchingUser(deps, options, listed))
    const last = found.at(-1)
    if (last === undefined || found.length < query.limit) return
    after = { value: last.value, id: last.id }
    offset = 0
  }
}

function matchingUser(deps: ListUsersDeps, options: ListUsersOptions, listed: ListedUser): readonly MatchingUser[] {
  const bond = readBond(deps, listed)
  if (bond === undefined || !matches(options, bond) || !isNearLimit(deps, options.limitUsed, listed)) return []
  return [{ bond, after: { value: listed.value, id: listed.id } }]
}

/** Users per read of a count that looks at each user. */
const COUNT_PAGE = 1_000

/**
 * The number of users that match, as of their last writes: a block that has ended since still counts. With `plan` and
 * `limitUsed`, every user that the other filters leave is read.
 */
export async function countUsers(deps: ListUsersDeps, options: ListUsersOptions = {}): Promise<number> {
  const { query } = parseQuery(deps, options)
  if (!isDecidedHere(options)) return deps.store.users.count({ ...query, now: deps.now() })
  const all = { ...query, orderBy: 'id', order: 'ascending', limit: COUNT_PAGE } as const
  const parsed = { query: all, digest: '', offset: 0, after: undefined }
  let count = 0
  for await (const part of readMatching(deps, options, { parsed, isNext: true })) count += part.length
  return count
}

/** Undefined for a damaged row: it is skipped, so that it does not hide all others. `verify` reports it. */
function readBond({ rules, now }: ListUsersDeps, listed: ListedUser): Bond | undefined {
  try {
    return bondOfRow(rules, listed, now())
  } catch (error) {
    if (PurserError.is(error, 'store_damaged')) return undefined
    throw error
  }
}

/** Which plan applies, and how much of a limit is used, is decided here, not in the store. */
function isDecidedHere({ plan, limitUsed }: ListUsersOptions): boolean {
  return plan !== undefined || limitUsed !== undefined
}

function isNearLimit({ rules, now }: ListUsersDeps, share: number | undefined, { row }: ListedUser): boolean {
  if (share === undefined || share <= 0) return true
  const limits = limitsAt(rules, viewOf(decodeRow(row, codecOf(rules)), now()))
  return limits.some(({ max, used, held }) => max !== null && Number(used) + Number(held) >= Number(max) * share)
}

function matches({ blocked, capUsed, plan }: ListUsersOptions, bond: Bond): boolean {
  if (plan !== undefined && bond.plan !== plan) return false
  if (blocked !== undefined && (bond.blocked !== null) !== blocked) return false
  return capUsed === undefined || capUsed <= 0 || (bond.dailyCap > 0 && bond.dailyCount / bond.dailyCap >= capUsed)
}

function parseQuery({ namespace, rules }: ListUsersDeps, options: ListUsersOptions): ParsedQuery {
  validateOptions('users', options, FIELDS)
  const { blocked, plan, limitUsed, limit = LIMIT_DEFAULT, cursor, offset = 0 } = options
  const query = { namespace, ...parseFilters(rules, options), ...parseOrder(options) }
  const digest = createHash('sha256')
    .update(canonicalJson({ ...query, blocked, plan, limitUsed }))
    .digest('base64url')
    .slice(0, 16)
  return {
    query: { ...query, limit: parseInteger(limit, { name: 'limit', min: 1, max: LIMIT_MAX }) },
    digest,
    offset: parseInteger(offset, { name: 'offset', min: 0, max: OFFSET_MAX }),
    after: decodeCursor(digest, cursor),
  }
}

function parseFilters(
  rules: LedgerRules,
  { phase, riskLevel, blocked, seenSince, seenBefore, capUsed, limitUsed, prefix, contains, plan }: ListUsersOptions,
): Pick<UserQuery, 'phase' | 'riskLevel' | 'blocked' | 'seenSince' | 'seenBefore' | 'capUsed' | 'prefix' | 'contains'> {
  if (plan !== undefined && !rules.policy.plans.includes(plan)) throw unknownPlan(plan, rules.policy.plans)
  if (capUsed !== undefined && !(typeof capUsed === 'number' && capUsed >= 0))
    throwInvalid("'capUsed' must be a number of 0 or more.", {
      name: 'capUsed',
      hint: '0.8 finds users who have used at least 80 % of their cap.',
    })
  if (limitUsed !== undefined && !(typeof limitUsed === 'number' && limitUsed >= 0))
    throwInvalid("'limitUsed' must be a number of 0 or more.", {
      name: 'limitUsed',
      hint: '0.8 finds users who have used at least 80 % of one of their limits.',
    })
  if (blocked !== undefined && typeof blocked !== 'boolean')
    throwInvalid("'blocked' must be true or false.", { name: 'blocked', hint: 'Omit it for all users.' })
  return {
    phase: phase === undefined ? undefined : parseFilter(phase, rules.phases, 'phase'),
    riskLevel: riskLevel === undefined ? undefined : parseFilter(riskLevel, rules.riskLevels, 'riskLevel'),
    // The store cannot filter by false: it does not know which blocks have ended.
    blocked: blocked || undefined,
    seenSince: seenSince === undefined ? undefined : parseInstant(seenSince, { name: 'seenSince' }),
    seenBefore: seenBefore === undefined ? undefined : parseInstant(seenBefore, { name: 'seenBefore' }),
    capUsed,
    prefix: parsePartOfId(prefix, 'prefix'),
    contains: parsePartOfId(contains, 'contains'),
  }
}

/** '' is in every id. */
function parsePartOfId(value: string | undefined, name: string): string | undefined {
  return value === undefined || value === '' ? undefined : parseText(value, { name, maxBytes: FILTER_MAX_BYTES })
}

/** A label that is not declared is an error: no user can have it. */
function parseFilter(value: unknown, declared: readonly string[] | undefined, name: string): string {
  return parseLabel(value, declared, { name, maxBytes: FILTER_MAX_BYTES })
}

function parseOrder(options: ListUsersOptions): Pick<UserQuery, 'orderBy' | 'order'> {
  const orderBy = parseOneOf(options.orderBy === undefined ? 'id' : options.orderBy, ORDER_BY, { name: 'orderBy' })
  const defaultOrder = orderBy === 'id' ? 'asc' : 'desc'
  const order = parseOneOf(options.order === undefined ? defaultOrder : options.order, ORDERS, { name: 'order' })
  return {
    orderBy: orderBy === 'lastSeenAt' ? 'seenAt' : orderBy,
    order: order.startsWith('asc') ? 'ascending' : 'descending',
  }
}

/** A cursor contains the digest of its query, so that it cannot continue another one. */
function encodeCursor(digest: string, { value, id }: NonNullable<UserQuery['after']>): string {
  return Buffer.from(JSON.stringify([digest, value, id])).toString('base64url')
}

function decodeCursor(digest: string, cursor: unknown): UserQuery['after'] {
  if (cursor === undefined || cursor === null) return undefined
  try {
    const [of, value, id, ...more] = JSON.parse(Buffer.from(String(cursor), 'base64url').toString()) as unknown[]
    const isValue = value === null || typeof value === 'string' || typeof value === 'number'
    if (of === digest && isValue && typeof id === 'string' && more.length === 0) return { value, id }
  } catch {}
  return throwInvalid('The cursor does not belong to this query.', {
    name: 'cursor',
    hint: 'Pass the cursor of the previous page with the same filters and order.',
  })
}
