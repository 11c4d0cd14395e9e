import type { Subject } from '../../core/subject.ts'
import type { Facets, UserRow } from '../../storage/commit.ts'
import type { StoredRow } from '../../storage/row-store.ts'
import type { Connection } from './connection.ts'
import type { Keys, UserKeys } from './keys.ts'
import { commitArguments, eventText, recordName, sumFields, turnText } from './rows.ts'
import type { Script } from './script.ts'
import {
  IMPORT_EVENTS,
  IMPORT_RECORDS,
  IMPORT_REPLIES,
  IMPORT_SUMS,
  IMPORT_TURNS,
  IMPORT_USER,
} from './scripts/import.ts'
import { COMMIT_ID_CHARS } from './scripts/write-user.ts'

/*
 * Writes rows as they are, many in one script. Those that exist stay unchanged.
 */

type RowOf<Type extends StoredRow['type']> = Extract<StoredRow, { readonly type: Type }>

export interface WriteRowsDeps {
  readonly connection: Connection
  readonly keys: Keys
}

/** The server runs nothing else during a script. */
const ROWS_PER_SCRIPT = 500

export const META_FIELD = 'value:'

/** By type, in an order in which users precede what belongs to them. */
export const ROW_WRITERS: { readonly [Type in StoredRow['type']]: RowWriter<Type> } = {
  async incarnation({ connection, keys }, rows) {
    await Promise.all(
      rows.map(({ namespace, tag, next }) => {
        const key = keys.of(namespace).ledger.incarnations
        return connection.run(key, ['HSETNX', key, tag, String(next)])
      }),
    )
  },
  async user({ connection, keys }, rows) {
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
  },
  record: (deps, rows) =>
    writeOfUsers(deps, rows, {
      script: IMPORT_RECORDS,
      keysOf: ({ records, names }) => [records, names],
      toArguments: ({ kind, name, value }) => [recordName(kind, name), value],
    }),
  reply: (deps, rows) =>
    writeOfUsers(deps, rows, {
      script: IMPORT_REPLIES,
      firstKeys: (namespace) => [deps.keys.of(namespace).ledger.expiries],
      keysOf: ({ replies }) => [replies],
      toArguments: ({ id, reply: { key, digest, result, expiresAt } }) => [
        encodeURIComponent(id),
        key,
        JSON.stringify([digest, result, expiresAt]),
        String(expiresAt),
      ],
    }),
  /** In their order: positions in the log follow it. */
  event: (deps, rows) =>
    writeOfUsers(deps, rows, {
      script: IMPORT_EVENTS,
      firstKeys(namespace) {
        const { log, positions, counts } = deps.keys.of(namespace).ledger
        return [log, positions, counts]
      },
      keysOf: ({ events }) => [events],
      toArguments: ({ id, event }) => [id, String(event.sequence), encodeURIComponent(event.id), eventText(event)],
    }),
  turn: (deps, rows) =>
    writeOfUsers(deps, rows, {
      script: IMPORT_TURNS,
      firstKeys: (namespace) => [deps.keys.of(namespace).ledger.turns],
      keysOf: ({ turns }) => [turns],
      toArguments: ({ id, turn }) => [turnText(turn), `${turn.id} ${id}`],
    }),
  /** The rows of a user come in the order of days: the first one is that of `from`. */
  user_sum: (deps, rows) => {
    const fields = rows.flatMap(({ namespace, id, sum }) =>
      [['from', sum.day], ...sumFields(sum)].map((field) => ({ namespace, id, field })),
    )
    return writeOfUsers(deps, fields, {
      script: IMPORT_SUMS,
      keysOf: ({ sums }) => [sums],
      toArguments: ({ field }) => field,
    })
  },
  async sum({ connection, keys }, rows) {
    for (const { namespace, sum } of rows) {
      const { sumDays } = keys.of(namespace).ledger
      const fields = sumFields(sum).flatMap(([field, amount]) => ['1', field, amount])
      await connection.eval(IMPORT_SUMS, [keys.of(namespace).sums(sum.day)], fields)
      await connection.run(sumDays, ['ZADD', sumDays, '0', sum.day])
    }
  },
  async meta({ connection, keys }, rows) {
    for (const { name, value } of rows)
      await connection.run(keys.meta, ['HSETNX', keys.meta, `${META_FIELD}${name}`, value])
  },
}

export type RowWriter<Type extends StoredRow['type']> = (
  deps: WriteRowsDeps,
  rows: readonly RowOf<Type>[],
) => Promise<void>

interface ImportScript<Row> {
  readonly script: Script
  /** Keys of the namespace, before those of users. */
  firstKeys?(namespace: string): readonly string[]
  keysOf(keys: UserKeys): readonly string[]
  /** What comes after the index of the user. */
  toArguments(row: Row): readonly string[]
}

/** In the order of rows, some hundred in one call. */
async function writeOfUsers<Row extends Subject>(
  { connection, keys }: WriteRowsDeps,
  rows: readonly Row[],
  { script, firstKeys = () => [], keysOf, toArguments }: ImportScript<Row>,
): Promise<void> {
  for (const [namespace, own] of Map.groupBy(rows, (row) => row.namespace))
    for (let first = 0; first < own.length; first += ROWS_PER_SCRIPT) {
      const part = own.slice(first, first + ROWS_PER_SCRIPT)
      const ids = [...new Set(part.map(({ id }) => id))]
      const indexes = new Map(ids.map((id, index) => [id, String(index + 1)]))
      const list = [...firstKeys(namespace), ...ids.flatMap((id) => keysOf(keys.user({ namespace, id })))]
      const values = part.flatMap((row) => [indexes.get(row.id) as string, ...toArguments(row)])
      await connection.eval(script, list, values)
    }
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
