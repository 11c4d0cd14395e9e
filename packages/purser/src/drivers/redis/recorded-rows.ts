import type { Subject } from '../../core/subject.ts'
import type { StoredRow } from '../../storage/row-store.ts'
import type { SumRow } from '../../storage/sum-store.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { sumFields, sumsOf, turnOf, turnText } from './rows.ts'
import { IMPORT_SUMS, IMPORT_TURNS } from './scripts/import.ts'
import { createRedisSums } from './sums.ts'

/*
 * Turns and sums as they are, for moving a store. A row has a name, by which the rows of one user or namespace are
 * ordered.
 */

export interface RecordedRowsDeps {
  readonly connection: Connection
  readonly keys: Keys
}

interface NamedRow {
  readonly name: string
  readonly row: StoredRow
}

interface NamesAfter {
  /** Undefined: from the first one on. */
  readonly after: string | undefined
  readonly limit: number
}

export async function readTurnRows(
  { connection, keys }: RecordedRowsDeps,
  user: Subject,
  { after, limit }: NamesAfter,
): Promise<NamedRow[]> {
  const { turns } = keys.user(user)
  const first = after === undefined ? '-' : `(${after}`
  const range = ['ZRANGEBYLEX', turns, first, '+', 'LIMIT', '0', String(limit)]
  const found = await connection.run<readonly string[]>(turns, range)
  return found.map((text) => ({ name: text, row: { type: 'turn', ...user, turn: turnOf(text) } }))
}

export async function readUserSumRows(
  { connection, keys }: RecordedRowsDeps,
  user: Subject,
  { after, limit }: NamesAfter,
): Promise<NamedRow[]> {
  const { sums } = keys.user(user)
  const rows = sumsOf(await connection.run<readonly string[]>(sums, ['HGETALL', sums]))
  return rows
    .map((sum): NamedRow => ({ name: nameOf(sum), row: { type: 'user_sum', ...user, sum } }))
    .filter(({ name }) => after === undefined || name > after)
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .slice(0, limit)
}

function nameOf({ day, hour, key }: SumRow): string {
  return JSON.stringify([day, hour, key])
}

/** Sums of a namespace after a day, hour and key. */
export async function readSumRows(
  { connection, keys }: RecordedRowsDeps,
  namespace: string,
  { after, limit }: { readonly after: readonly (string | number)[] | undefined; readonly limit: number },
): Promise<readonly SumRow[]> {
  const [day = '', hour = 0, key = ''] = after ?? []
  const position = after === undefined ? undefined : { day: String(day), hour: Number(hour), key: String(key) }
  return createRedisSums(connection, keys).ofNamespace(namespace, { from: '', to: '~', after: position, limit })
}

type RowOf<Type extends StoredRow['type']> = Extract<StoredRow, { readonly type: Type }>

export async function writeTurnRows(
  { connection, keys }: RecordedRowsDeps,
  rows: readonly RowOf<'turn'>[],
): Promise<void> {
  await Promise.all(
    rows.map(({ namespace, id, turn }) => {
      const list = [keys.user({ namespace, id }).turns, keys.of(namespace).ledger.turns]
      return connection.eval(IMPORT_TURNS, list, [turnText(turn), `${turn.id} ${id}`])
    }),
  )
}

export async function writeUserSumRows(
  { connection, keys }: RecordedRowsDeps,
  rows: readonly RowOf<'user_sum'>[],
): Promise<void> {
  await Promise.all(
    rows.map(({ namespace, id, sum }) =>
      // The rows of a user come in the order of days.
      connection.eval(IMPORT_SUMS, [keys.user({ namespace, id }).sums], ['from', sum.day, ...sumFields(sum).flat()]),
    ),
  )
}

export async function writeSumRows(
  { connection, keys }: RecordedRowsDeps,
  rows: readonly RowOf<'sum'>[],
): Promise<void> {
  await Promise.all(
    rows.map(async ({ namespace, sum }) => {
      const { sumDays } = keys.of(namespace).ledger
      await connection.eval(IMPORT_SUMS, [keys.of(namespace).sums(sum.day)], sumFields(sum).flat())
      await connection.run(sumDays, ['ZADD', sumDays, '0', sum.day])
    }),
  )
}
