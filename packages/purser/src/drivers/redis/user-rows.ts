import type { Subject } from '../../core/subject.ts'
import { LOG_OF_NAMESPACE } from '../../storage/commit.ts'
import { type StoredRow, sizeOfRow } from '../../storage/row-store.ts'
import type { Connection } from './connection.ts'
import type { Keys, UserKeys } from './keys.ts'
import { FACET_FIELDS, facetsOf, replyOf, sumsOf, turnOf, USER_FIELDS, userOf } from './rows.ts'
import { HASHES, NAMED_ROWS, USER_ROWS } from './scripts/pages.ts'

/*
 * Rows of users, as they are: many users at a time, in the order of ids; the rows of one user in the order of names.
 */

/** The user, and the name of the row; without a name: behind all rows of the user. */
export type UserPosition = readonly [id: string, name?: string]

export interface RowsOfUsers {
  readonly rows: readonly StoredRow[]
  /** Position of the last row; undefined: no more rows of this type. */
  readonly after: UserPosition | undefined
}

export interface UserRowsDeps {
  readonly connection: Connection
  readonly keys: Keys
}

export interface UserRowsQuery {
  readonly namespace: string
  readonly after: UserPosition | undefined
  readonly limit: number
  readonly maxBytes: number
}

/** The users of one page. */
interface UserPage extends Omit<UserRowsQuery, 'after'> {
  readonly users: readonly Subject[]
  readonly keys: readonly UserKeys[]
  /** The rows of the first user begin after this name. */
  readonly name: string | undefined
}

/** Rows and, if the page ends before the last row of the last user, the position. */
type ReadPage = (connection: Connection, page: UserPage) => Promise<RowsOfUsers>

export type UserRowType = 'user' | 'record' | 'reply' | 'turn' | 'user_sum'

/** Keys of one call of a script. */
const USERS_AT_ONCE = 1_000

export async function readRowsOfUsers(
  { connection, keys }: UserRowsDeps,
  type: UserRowType,
  { after, ...query }: UserRowsQuery,
): Promise<RowsOfUsers> {
  const ids = await readIds({ connection, keys }, query.namespace, after)
  if (ids.length === 0) return { rows: [], after: undefined }
  const users = ids.map((id): Subject => ({ namespace: query.namespace, id }))
  const page: UserPage = { ...query, users, keys: users.map((user) => keys.user(user)), name: after?.[1] }
  const { rows, after: position } = await READERS[type](connection, page)
  return { rows, after: position ?? [ids.at(-1) as string] }
}

/** The next ids of users; the log of the namespace is the first. */
async function readIds(
  { connection, keys }: UserRowsDeps,
  namespace: string,
  after: UserPosition | undefined,
): Promise<readonly string[]> {
  const key = keys.of(namespace).ledger.ids
  const [last, name] = after ?? []
  const isIncluded = name !== undefined
  const isFirst = last === undefined || (last === LOG_OF_NAMESPACE && isIncluded)
  const start = last === undefined || last === LOG_OF_NAMESPACE ? '-' : `${isIncluded ? '[' : '('}${last}`
  const range = ['ZRANGEBYLEX', key, start, '+', 'LIMIT', '0', String(USERS_AT_ONCE)]
  const ids = await connection.run<readonly string[]>(key, range)
  return isFirst ? [LOG_OF_NAMESPACE, ...ids] : ids
}

const READERS: Readonly<Record<UserRowType, ReadPage>> = {
  async user(connection, { users, keys, limit, maxBytes }) {
    const found = await connection.eval<readonly (readonly (string | null)[])[]>(
      USER_ROWS,
      keys.map(({ user }) => user),
      [String(limit), String(maxBytes), ...USER_FIELDS, ...FACET_FIELDS],
    )
    const rows = found.flatMap((fields, index): StoredRow[] => {
      const row = userOf(fields)
      const facets = (): ReturnType<typeof facetsOf> => facetsOf(fields.slice(USER_FIELDS.length))
      return row === undefined ? [] : [{ type: 'user', ...(users[index] as Subject), row, facets: facets() }]
    })
    return { rows, after: [users[found.length - 1]?.id as string] }
  },
  record: (connection, page) =>
    readNamed(connection, page, {
      keysOf: ({ names, records }) => [names, records],
      hasValues: true,
      toRow(user, name, value) {
        const colon = name.indexOf(':')
        const kind = decodeURIComponent(name.slice(0, colon))
        return { type: 'record', ...user, kind, name: name.slice(colon + 1), value }
      },
    }),
  turn: (connection, page) =>
    readNamed(connection, page, {
      keysOf: ({ turns }) => [turns, turns],
      hasValues: false,
      toRow: (user, name) => ({ type: 'turn', ...user, turn: turnOf(name) }),
    }),
  reply: (connection, page) =>
    readHashes(connection, page, {
      keyOf: ({ replies }) => replies,
      toRows: (user, fields) =>
        pairs(fields).flatMap(([name, value]) => {
          const reply = replyOf(name, value)
          return reply === undefined ? [] : [{ name, row: { type: 'reply' as const, ...user, reply } }]
        }),
    }),
  user_sum: (connection, page) =>
    readHashes(connection, page, {
      keyOf: ({ sums }) => sums,
      toRows: (user, fields) =>
        sumsOf(fields).map((sum) => ({
          name: JSON.stringify([sum.day, sum.hour, sum.key]),
          row: { type: 'user_sum', ...user, sum },
        })),
    }),
}

interface NamedRows {
  /** The sorted set of names and the hash of values. */
  keysOf(keys: UserKeys): readonly [string, string]
  readonly hasValues: boolean
  toRow(user: Subject, name: string, value: string): StoredRow
}

async function readNamed(
  connection: Connection,
  { users, keys, name = '', limit, maxBytes }: UserPage,
  { keysOf, hasValues, toRow }: NamedRows,
): Promise<RowsOfUsers> {
  const args = [String(limit), String(maxBytes), name, hasValues ? 'VALUES' : '']
  const [isFull, ...found] = await connection.eval<readonly (string | number)[]>(NAMED_ROWS, keys.flatMap(keysOf), args)
  const rows: StoredRow[] = []
  let last: UserPosition | undefined
  for (let index = 0; index < found.length; index += 3) {
    const user = users[Number(found[index]) - 1] as Subject
    const rowName = String(found[index + 1])
    rows.push(toRow(user, rowName, String(found[index + 2])))
    last = [user.id, rowName]
  }
  return { rows, after: isFull === 1 ? last : undefined }
}

interface HashRows {
  keyOf(keys: UserKeys): string
  /** The rows in the hash of a user, in any order. */
  toRows(user: Subject, fields: readonly string[]): { readonly name: string; readonly row: StoredRow }[]
}

/** Hashes have no order: all rows of a user are read for each page of them. */
async function readHashes(
  connection: Connection,
  { users, keys, name: after, limit, maxBytes }: UserPage,
  { keyOf, toRows }: HashRows,
): Promise<RowsOfUsers> {
  const found = await connection.eval<readonly (readonly string[])[]>(HASHES, keys.map(keyOf), [
    String(limit),
    String(maxBytes),
  ])
  const rows: StoredRow[] = []
  let bytes = 0
  for (const [index, fields] of found.entries()) {
    const user = users[index] as Subject
    const own = toRows(user, fields).filter(({ name }) => index > 0 || after === undefined || name > after)
    for (const { name, row } of own.sort((one, other) => (one.name < other.name ? -1 : 1))) {
      rows.push(row)
      bytes += sizeOfRow(row)
      if (rows.length === limit || bytes >= maxBytes) return { rows, after: [user.id, name] }
    }
  }
  return { rows, after: [users[found.length - 1]?.id as string] }
}

function pairs(fields: readonly string[]): readonly (readonly [string, string])[] {
  return Array.from({ length: fields.length / 2 }, (_, index) => [
    fields[index * 2] as string,
    fields[index * 2 + 1] as string,
  ])
}
