import type { Subject } from '../../core/subject.ts'
import { type Facets, LOG_OF_NAMESPACE, type UserRow } from '../../storage/commit.ts'
import type { RowPage, RowStore, StoredRow } from '../../storage/row-store.ts'
import type { Connection } from './connection.ts'
import { createRedisEvents } from './events.ts'
import type { Keys } from './keys.ts'
import type { Namespaces } from './namespaces.ts'
import {
  readSumRows,
  readTurnRows,
  readUserSumRows,
  writeSumRows,
  writeTurnRows,
  writeUserSumRows,
} from './recorded-rows.ts'
import { commitArguments, eventText, FACET_FIELDS, facetsOf, recordName, replyOf, USER_FIELDS, userOf } from './rows.ts'
import { IMPORT_EVENTS, IMPORT_RECORDS, IMPORT_REPLIES, IMPORT_USER } from './scripts/import.ts'
import { COMMIT_ID_CHARS } from './scripts/write-user.ts'

/*
 * All rows, one namespace after the other: each type in the order below, the values of the store last. A cursor is the
 * namespace, the type, and the position of the last row.
 */

type Type = StoredRow['type']
type RowOf<T extends Type> = Extract<StoredRow, { readonly type: T }>

interface Part {
  readonly rows: readonly StoredRow[]
  /** Position of the last row; undefined: no more rows of this type. */
  readonly after: Position | undefined
}

/** Of rows of users: the user, and the name of the row. Of others: one text or number. */
type Position = readonly (string | number)[]

interface PartQuery {
  readonly namespace: string
  readonly after: Position | undefined
  readonly limit: number
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
const USERS_AT_ONCE = 64
const SCANNED_AT_ONCE = 1_000
const META_FIELD = 'value:'

export interface RedisRowsDeps {
  readonly connection: Connection
  readonly keys: Keys
  readonly namespaces: Namespaces
}

export function createRedisRows(deps: RedisRowsDeps): RowStore {
  return { read: (page) => readPage(deps, page), write: (rows) => writeRows(deps, rows) }
}

async function readPage(
  deps: RedisRowsDeps,
  { after: cursor, limit }: Parameters<RowStore['read']>[0],
): Promise<RowPage> {
  const namespaces = await deps.namespaces.list()
  const first: Cursor = { namespace: namespaces[0] ?? null, type: 0 }
  const { namespace, type, after } = cursor === undefined ? first : (JSON.parse(cursor) as Cursor)
  const name = TYPES[type]
  if (namespace === null || name === undefined) return { rows: await readMeta(deps), next: undefined }
  const part = await READERS[name](deps, { namespace, after, limit })
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

const READERS: Readonly<Record<Exclude<Type, 'meta'>, Reader>> = {
  incarnation: readIncarnations,
  user: (deps, query) =>
    readOfUsers(deps, query, async (user, after) => {
      if (after !== undefined) return []
      const key = deps.keys.user(user).user
      const fields = await deps.connection.run<readonly (string | null)[]>(key, [
        'HMGET',
        key,
        ...USER_FIELDS,
        ...FACET_FIELDS,
      ])
      const row = userOf(fields)
      if (row === undefined) return []
      return [{ name: '', row: { type: 'user', ...user, row, facets: facetsOf(fields.slice(USER_FIELDS.length)) } }]
    }),
  record: (deps, query) =>
    readOfUsers(deps, query, async (user, after) => {
      const { names, records } = deps.keys.user(user)
      const range = [
        'ZRANGEBYLEX',
        names,
        after === undefined ? '-' : `(${after}`,
        '+',
        'LIMIT',
        '0',
        String(query.limit),
      ]
      const found = await deps.connection.run<readonly string[]>(names, range)
      if (found.length === 0) return []
      const values = await deps.connection.run<readonly string[]>(records, ['HMGET', records, ...found])
      return found.map((name, index) => {
        const colon = name.indexOf(':')
        const kind = decodeURIComponent(name.slice(0, colon))
        return { name, row: { type: 'record', ...user, kind, name: name.slice(colon + 1), value: values[index] ?? '' } }
      })
    }),
  reply: (deps, query) =>
    readOfUsers(deps, query, async (user, after) => {
      const key = deps.keys.user(user).replies
      const found = await deps.connection.run<readonly string[]>(key, ['HKEYS', key])
      const names = found.filter((name) => after === undefined || name > after).toSorted()
      const page = names.slice(0, query.limit)
      if (page.length === 0) return []
      const values = await deps.connection.run<readonly string[]>(key, ['HMGET', key, ...page])
      return page.flatMap((name, index) => {
        const reply = replyOf(name, values[index] ?? null)
        return reply === undefined ? [] : [{ name, row: { type: 'reply' as const, ...user, reply } }]
      })
    }),
  async event({ connection, keys }, { namespace, after, limit }) {
    const entries = await createRedisEvents(connection, keys).tail(namespace, { after: Number(after?.[0] ?? 0), limit })
    const rows = entries.map(({ user, event }) => ({ type: 'event' as const, namespace, id: user, event }))
    return { rows, after: entries.length < limit ? undefined : [entries.at(-1)?.position ?? 0] }
  },
  turn: (deps, query) =>
    readOfUsers(deps, query, (user, after) => readTurnRows(deps, user, { after, limit: query.limit })),
  user_sum: (deps, query) =>
    readOfUsers(deps, query, (user, after) => readUserSumRows(deps, user, { after, limit: query.limit })),
  async sum(deps, { namespace, after, limit }) {
    const found = await readSumRows(deps, namespace, { after, limit })
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

interface NamedRow {
  readonly name: string
  readonly row: StoredRow
}

/** Rows of users in the order of ids, several users at a time; those of one user in the order of names. */
async function readOfUsers(
  deps: RedisRowsDeps,
  { namespace, after, limit }: PartQuery,
  readUser: (user: Subject, after: string | undefined) => Promise<readonly NamedRow[]>,
): Promise<Part> {
  const rows: StoredRow[] = []
  let [last, name] = (after ?? []) as readonly string[]
  for (;;) {
    const ids = await readIds(deps, namespace, { last, isIncluded: name !== undefined })
    if (ids.length === 0) return { rows, after: undefined }
    const [from, behind] = [last, name]
    const lists = await Promise.all(ids.map((id) => readUser({ namespace, id }, id === from ? behind : undefined)))
    for (const [index, list] of lists.entries()) {
      const id = ids[index] as string
      for (const entry of list) {
        rows.push(entry.row)
        if (rows.length === limit) return { rows, after: [id, entry.name] }
      }
      last = id
      name = undefined
    }
  }
}

/** The next ids of users; the log of the namespace is the first. */
async function readIds(
  { connection, keys }: RedisRowsDeps,
  namespace: string,
  { last, isIncluded }: { readonly last: string | undefined; readonly isIncluded: boolean },
): Promise<readonly string[]> {
  const key = keys.of(namespace).ledger.ids
  const isFirst = last === undefined || (last === LOG_OF_NAMESPACE && isIncluded)
  const start = last === undefined || last === LOG_OF_NAMESPACE ? '-' : `${isIncluded ? '[' : '('}${last}`
  const range = ['ZRANGEBYLEX', key, start, '+', 'LIMIT', '0', String(USERS_AT_ONCE)]
  const ids = await connection.run<readonly string[]>(key, range)
  return isFirst ? [LOG_OF_NAMESPACE, ...ids] : ids
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
  for (const type of [...TYPES, 'meta'] as const) await writeType(deps, type, rows)
}

function writeType(deps: RedisRowsDeps, type: Type, all: readonly StoredRow[]): Promise<void> {
  const ofType = <T extends Type>(name: T): RowOf<T>[] => all.filter((row): row is RowOf<T> => row.type === name)
  switch (type) {
    case 'incarnation':
      return writeIncarnations(deps, ofType(type))
    case 'user':
      return writeUsers(deps, ofType(type))
    case 'record':
      return writeRecords(deps, ofType(type))
    case 'reply':
      return writeReplies(deps, ofType(type))
    case 'event':
      return writeEvents(deps, ofType(type))
    case 'turn':
      return writeTurnRows(deps, ofType(type))
    case 'user_sum':
      return writeUserSumRows(deps, ofType(type))
    case 'sum':
      return writeSumRows(deps, ofType(type))
    case 'meta':
      return writeMeta(deps, ofType(type))
  }
}

async function writeIncarnations(
  { connection, keys }: RedisRowsDeps,
  rows: readonly RowOf<'incarnation'>[],
): Promise<void> {
  await Promise.all(
    rows.map(({ namespace, tag, next }) => {
      const key = keys.of(namespace).ledger.incarnations
      return connection.run(key, ['HSETNX', key, tag, String(next)])
    }),
  )
}

async function writeUsers({ connection, keys }: RedisRowsDeps, rows: readonly RowOf<'user'>[]): Promise<void> {
  await Promise.all(
    rows.map(({ namespace, id, row, facets }) => {
      const user: Subject = { namespace, id }
      const list = [...Object.values(keys.user(user)), ...Object.values(keys.of(namespace).ledger)]
      return connection.eval(IMPORT_USER, list, [
        String(row.stamps.createdAt),
        ...commitArguments({ user, commit: commitOf(row, facets), id: IMPORTED, stored: storedOf(row) }, false),
      ])
    }),
  )
}

/** Id of the commit of an imported row, which no process sends again. */
const IMPORTED = '0'.repeat(COMMIT_ID_CHARS)

function commitOf(row: UserRow, facets: Facets): Parameters<typeof commitArguments>[0]['commit'] {
  const { incarnation, stamps } = row
  const lists = { events: [], records: [], trims: [], replies: [] }
  return { expect: null, incarnation, tag: null, at: stamps.updatedAt, seenAt: stamps.seenAt, facets, ...lists }
}

function storedOf({ revision, head, headMac, state, measured, usage }: UserRow): {
  readonly revision: number
  readonly fields: readonly string[]
} {
  const fields = { headSequence: head?.sequence, headMac: head?.mac, mac: headMac, state, measured, usage }
  return {
    revision,
    fields: Object.entries(fields).flatMap(([name, value]) => (value == null ? [] : [name, String(value)])),
  }
}

async function writeRecords({ connection, keys }: RedisRowsDeps, rows: readonly RowOf<'record'>[]): Promise<void> {
  await Promise.all(
    groupByUser(rows).map(([user, own]) => {
      const { records, names } = keys.user(user)
      return connection.eval(
        IMPORT_RECORDS,
        [records, names],
        own.flatMap(({ kind, name, value }) => [recordName(kind, name), value]),
      )
    }),
  )
}

async function writeReplies({ connection, keys }: RedisRowsDeps, rows: readonly RowOf<'reply'>[]): Promise<void> {
  await Promise.all(
    groupByUser(rows).map(([user, own]) => {
      const values = own.flatMap(({ reply: { key, digest, result, expiresAt } }) => [
        key,
        JSON.stringify([digest, result, expiresAt]),
        String(expiresAt),
      ])
      const list = [keys.user(user).replies, keys.of(user.namespace).ledger.expiries]
      return connection.eval(IMPORT_REPLIES, list, [encodeURIComponent(user.id), ...values])
    }),
  )
}

/** In their order: positions in the log follow it. */
async function writeEvents({ connection, keys }: RedisRowsDeps, rows: readonly RowOf<'event'>[]): Promise<void> {
  for (const [namespace, own] of Map.groupBy(rows, (row) => row.namespace)) {
    const { log, positions, counts } = keys.of(namespace).ledger
    const list = [log, positions, counts, ...own.map(({ id }) => keys.user({ namespace, id }).events)]
    const values = own.flatMap(({ id, event }) => [
      id,
      String(event.sequence),
      encodeURIComponent(event.id),
      eventText(event),
    ])
    await connection.eval(IMPORT_EVENTS, list, values)
  }
}

async function writeMeta({ connection, keys }: RedisRowsDeps, rows: readonly RowOf<'meta'>[]): Promise<void> {
  for (const { name, value } of rows)
    await connection.run(keys.meta, ['HSETNX', keys.meta, `${META_FIELD}${name}`, value])
}

function groupByUser<Row extends Subject>(rows: readonly Row[]): (readonly [Subject, readonly Row[]])[] {
  const groups = Map.groupBy(rows, ({ namespace, id }) => JSON.stringify([namespace, id]))
  return [...groups.values()].map((own) => [own[0] as Subject, own] as const)
}
