import { createHash } from 'node:crypto'
import { withSignal } from '../core/abort.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError, suggestion } from '../errors.ts'
import type { UserRow } from '../storage/commit.ts'
import type { Store, UserOrder, UserQuery } from '../storage/store.ts'
import type { Bond } from './bond.ts'
import type { Rules } from './quota.ts'
import { instantOf, refuse, text, wholeNumber } from './validate-arguments.ts'

/**
 * What `purser.users` takes. All filters must hold. Phase, risk and cap are those of the user's last write: when the
 * application changes a default, users are found by the new one after their next write.
 */
export interface UserQueryInput {
  readonly phase?: string | undefined
  readonly riskLevel?: string | undefined
  /** At least this part of the cap is used, 0 to 1; windows that are over do not count. */
  readonly capUsed?: number | undefined
  readonly blocked?: boolean | undefined
  /** Seen at this instant or later, ISO 8601. */
  readonly seenSince?: string | undefined
  /** The id begins with this. */
  readonly prefix?: string | undefined
  /** Default `'id'`. */
  readonly orderBy?: UserOrder | 'lastSeenAt' | undefined
  /** Default: ids ascending, all else descending. */
  readonly order?: 'asc' | 'desc' | 'ascending' | 'descending' | undefined
  /** Users a page, 1 to 1,000. Default 50. */
  readonly limit?: number | undefined
  /** Where the last page ended. The other fields must be the same. */
  readonly cursor?: string | null | undefined
  readonly signal?: AbortSignal | undefined
}

export interface UserPage {
  readonly users: Bond[]
  /** For the next page; null at the end. */
  readonly cursor: string | null
}

const FIELDS = [
  'phase',
  'riskLevel',
  'capUsed',
  'blocked',
  'seenSince',
  'prefix',
  'orderBy',
  'order',
  'limit',
  'cursor',
  'signal',
] as const
const ORDERS = ['id', 'seenAt', 'lastSeenAt', 'createdAt', 'capUsed', 'peak'] as const

interface House {
  readonly store: Store
  readonly calls: PendingCalls
  readonly namespace: string
  /** The declared labels; undefined where every label may be. */
  readonly rules: Pick<Rules, 'phases' | 'riskLevels'>
  now(): number
  /** undefined: the row is damaged. */
  bond(id: string, row: UserRow): Bond | undefined
}

type Page = Pick<UserQuery, 'after'> & { readonly query: Omit<UserQuery, 'after' | 'now'>; readonly digest: string }

/** A list that is a page when awaited and all users when iterated. */
export function listUsers(house: House, input: UserQueryInput = {}): PromiseLike<UserPage> & AsyncIterable<Bond> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: the contract's result is both awaited and iterated.
    then: (fulfilled, rejected) => house.calls.run(() => onePage(house, input)).then(fulfilled, rejected),
    async *[Symbol.asyncIterator]() {
      let cursor = input?.cursor
      do {
        const from = cursor === undefined ? input : { ...input, cursor }
        const page = await house.calls.run(() => onePage(house, from))
        for (const user of page.users) {
          input.signal?.throwIfAborted()
          yield user
        }
        cursor = page.cursor
      } while (cursor !== null)
    },
  }
}

/**
 * The store's blocks and windows are as of the user's last commit: a block may have ended by itself since, and a
 * rolling count may have fallen. So the store gives a superset, and what no longer holds is left out here, until
 * the page is full. One damaged row must not hide all others: it is left out, and `verify` names it.
 */
async function onePage(house: House, input: UserQueryInput): Promise<UserPage> {
  const { query, digest, ...page } = checkQuery(house, input)
  const users: Bond[] = []
  let { after } = page
  for (;;) {
    const found = await withSignal(house.store.users.list({ ...query, after, now: house.now() }), input.signal)
    for (const { id, value, row } of found) {
      after = { value, id }
      const bond = house.bond(id, row)
      if (bond !== undefined && holds(input, bond)) users.push(bond)
      if (users.length === query.limit) return { users, cursor: writeCursor(digest, after) }
    }
    if (found.length < query.limit) return { users, cursor: null }
  }
}

function holds({ blocked, capUsed }: UserQueryInput, bond: Bond): boolean {
  if (blocked !== undefined && (bond.blocked !== null) !== blocked) return false
  return capUsed === undefined || capUsed <= 0 || (bond.dailyCap > 0 && bond.dailyCount / bond.dailyCap >= capUsed)
}

function checkQuery({ namespace, rules }: House, input: UserQueryInput): Page {
  validateOptions('users', input, FIELDS)
  const { phase, riskLevel, capUsed, blocked, seenSince, prefix, cursor } = input
  const orderBy = input.orderBy === undefined ? 'id' : input.orderBy
  if (!ORDERS.includes(orderBy))
    refuse('argument_invalid', 'orderBy is not known.', `Known are: ${ORDERS.join(', ')}.`, 'orderBy')
  const given = input.order === undefined ? (orderBy === 'id' ? 'asc' : 'desc') : input.order
  if (!['asc', 'desc', 'ascending', 'descending'].includes(given))
    refuse('argument_invalid', 'order is not known.', "It is 'asc' or 'desc'.", 'order')
  if (capUsed !== undefined && !(typeof capUsed === 'number' && capUsed >= 0))
    refuse(
      'argument_invalid',
      'capUsed must be a number of 0 or more.',
      '0.8 finds users who have used 80 % of their cap.',
      'capUsed',
    )
  if (blocked !== undefined && typeof blocked !== 'boolean')
    refuse('argument_invalid', 'blocked must be true or false.', 'Leave it out for everybody.', 'blocked')
  const query = {
    namespace,
    phase: label(phase, 'phase', rules.phases),
    riskLevel: label(riskLevel, 'riskLevel', rules.riskLevels),
    blocked: blocked || undefined,
    seenSince: seenSince === undefined ? undefined : instantOf(seenSince, { name: 'seenSince' }),
    capUsed,
    prefix: prefix === '' ? undefined : label(prefix, 'prefix'),
    orderBy: orderBy === 'lastSeenAt' ? ('seenAt' as const) : orderBy,
    order: given.startsWith('asc') ? ('ascending' as const) : ('descending' as const),
  }
  const limit = input.limit === undefined ? 50 : wholeNumber(input.limit, { name: 'limit', least: 1, most: 1_000 })
  const digest = createHash('sha256')
    .update(canonicalJson({ ...query, blocked }))
    .digest('base64url')
    .slice(0, 16)
  return { query: { ...query, limit }, digest, after: readCursor(digest, cursor) }
}

/** With declared labels a filter by another one can only be a slip: nobody has it. */
function label(value: unknown, name: string, declared?: readonly string[]): string | undefined {
  if (value === undefined) return undefined
  const given = text(value, { name, maxBytes: 256 })
  if (declared === undefined || declared.includes(given)) return given
  const known = `Declared are: ${declared.join(', ')}.`
  const hint = `${suggestion(given, declared)} ${known}`.trimStart()
  return refuse('argument_invalid', `'${given}' is not a declared ${name}.`, hint, name)
}

/** A cursor names its query, so that it cannot silently continue another one. */
function writeCursor(digest: string, { value, id }: { value: string | number | null; id: string }): string {
  return Buffer.from(JSON.stringify([digest, value, id])).toString('base64url')
}

function readCursor(digest: string, cursor: unknown): UserQuery['after'] {
  if (cursor === undefined || cursor === null) return undefined
  try {
    const [of, value, id, ...more] = JSON.parse(Buffer.from(String(cursor), 'base64url').toString()) as unknown[]
    const ordered = value === null || typeof value === 'string' || typeof value === 'number'
    if (of === digest && ordered && typeof id === 'string' && more.length === 0) return { value, id }
  } catch {}
  throw new PurserError('argument_invalid', 'The cursor does not belong to this query.', {
    hint: 'Pass the cursor of the last page together with the same filters and order.',
    details: { param: 'cursor' },
  })
}
