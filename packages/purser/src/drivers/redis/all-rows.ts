import type { RowPage, RowPageQuery, RowStore, StoredRow } from '../../storage/row-store.ts'
import { readLog } from './events.ts'
import type { Namespaces } from './namespaces.ts'
import { createRedisSums } from './sums.ts'
import { readRowsOfUsers, type UserPosition, type UserRowType } from './user-rows.ts'
import { META_FIELD, ROW_WRITERS, type RowWriter, type WriteRowsDeps } from './write-rows.ts'

/*
 * All rows, one namespace after the other: each type in the order below, the values of the store last. A cursor is the
 * namespace, the type, and the position of the last row.
 */

type Type = StoredRow['type']

interface Part {
  readonly rows: readonly StoredRow[]
  /** Position of the last row; undefined: no more rows of this type. */
  readonly after: Position | undefined
}

/** Of rows of users: the user, and the name of the row. Of others: texts or numbers. */
type Position = readonly (string | number | undefined)[]

interface PartQuery {
  readonly namespace: string
  readonly after: Position | undefined
  readonly limit: number
  readonly maxBytes: number
}

const TYPES: readonly Exclude<Type, 'meta'>[] = [
  'incarnation',
  'user',
  'record',
  'reply',
  'event',
  'turn',
  'user_sum',
  'sum',
]
const SCANNED_AT_ONCE = 1_000

export interface RedisRowsDeps extends WriteRowsDeps {
  readonly namespaces: Namespaces
}

export function createRedisRows(deps: RedisRowsDeps): RowStore {
  return { read: (page) => readPage(deps, page), write: (rows) => writeRows(deps, rows) }
}

async function readPage(
  deps: RedisRowsDeps,
  { after: cursor, limit, maxBytes = Number.MAX_SAFE_INTEGER }: RowPageQuery,
): Promise<RowPage> {
  const namespaces = await deps.namespaces.list()
  const first: Cursor = { namespace: namespaces[0] ?? null, type: 0 }
  const { namespace, type, after } = cursor === undefined ? first : (JSON.parse(cursor) as Cursor)
  const name = TYPES[type]
  if (namespace === null || name === undefined) return { rows: await readMeta(deps), next: undefined }
  const part = await READERS[name](deps, { namespace, after, limit, maxBytes })
  if (part.after !== undefined) return pageBefore(part.rows, { namespace, type, after: part.after })
  if (type + 1 < TYPES.length) return pageBefore(part.rows, { namespace, type: type + 1 })
  return pageBefore(part.rows, { namespace: namespaces.find((other) => other > namespace) ?? null, type: 0 })
}

interface Cursor {
  /** null: behind the last one. */
  readonly namespace: string | null
  /** Index of the type. */
  readonly type: number
  readonly after?: Position
}

const pageBefore = (rows: readonly StoredRow[], next: Cursor): RowPage => ({ rows, next: JSON.stringify(next) })

type Reader = (deps: RedisRowsDeps, query: PartQuery) => Promise<Part>

const ofUsers =
  (type: UserRowType): Reader =>
  (deps, { after, ...query }) =>
    readRowsOfUsers(deps, type, { ...query, after: after as UserPosition | undefined })

const READERS: Readonly<Record<Exclude<Type, 'meta'>, Reader>> = {
  incarnation: readIncarnations,
  user: ofUsers('user'),
  record: ofUsers('record'),
  reply: ofUsers('reply'),
  async event(deps, { namespace, after, limit, maxBytes }) {
    const { entries, next } = await readLog(deps, { namespace, after: Number(after?.[0] ?? 0), limit, maxBytes })
    const rows = entries.map(({ user, event }) => ({ type: 'event' as const, namespace, id: user, event }))
    return { rows, after: next === undefined ? undefined : [next] }
  },
  turn: ofUsers('turn'),
  user_sum: ofUsers('user_sum'),
  async sum({ connection, keys }, { namespace, after, limit }) {
    const [day = '', hour = 0, key = ''] = after ?? []
    const position = after === undefined ? undefined : { day: String(day), hour: Number(hour), key: String(key) }
    const page = { from: '', to: '~', after: position, limit }
    const found = await createRedisSums(connection, keys).ofNamespace(namespace, page)
    const last = found.at(-1)
    const rows = found.map((sum) => ({ type: 'sum' as const, namespace, sum }))
    return { rows, after: found.length < limit || last === undefined ? undefined : [last.day, last.hour, last.key] }
  },
}

async function readIncarnations(
  { connection, keys }: RedisRowsDeps,
  { namespace, after, limit }: PartQuery,
): Promise<Part> {
  const key = keys.of(namespace).ledger.incarnations
  const all = new Map<string, number>()
  let position = '0'
  do {
    const [next, pairs] = await connection.run<readonly [string, readonly string[]]>(key, [
      'HSCAN',
      key,
      position,
      'COUNT',
      String(SCANNED_AT_ONCE),
    ])
    for (let index = 0; index < pairs.length; index += 2) all.set(pairs[index] as string, Number(pairs[index + 1]))
    position = next
  } while (position !== '0')
  const tags = [...all.keys()].filter((tag) => after === undefined || tag > String(after[0])).toSorted()
  const rows = tags
    .slice(0, limit)
    .map((tag) => ({ type: 'incarnation' as const, namespace, tag, next: all.get(tag) ?? 1 }))
  return { rows, after: tags.length > limit ? [rows.at(-1)?.tag ?? ''] : undefined }
}

async function readMeta({ connection, keys }: RedisRowsDeps): Promise<StoredRow[]> {
  const all = await connection.run<readonly string[]>(keys.meta, ['HGETALL', keys.meta])
  const rows: StoredRow[] = []
  for (let index = 0; index < all.length; index += 2) {
    const field = all[index] as string
    if (!field.startsWith(META_FIELD)) continue
    rows.push({ type: 'meta', name: field.slice(META_FIELD.length), value: all[index + 1] as string })
  }
  return rows
}

async function writeRows(deps: RedisRowsDeps, rows: readonly StoredRow[]): Promise<void> {
  const named = new Set(rows.flatMap((row) => (row.type === 'meta' ? [] : [row.namespace])))
  await Promise.all([...named].map((namespace) => deps.namespaces.add(namespace)))
  // Users precede what belongs to them.
  for (const type of [...TYPES, 'meta'] as const) {
    const write = ROW_WRITERS[type] as RowWriter<Type>
    const ofType = rows.filter((row) => row.type === type)
    if (ofType.length > 0) await write(deps, ofType)
  }
}
