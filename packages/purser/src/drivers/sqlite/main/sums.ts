import type { DatabaseSync, StatementSync } from 'node:sqlite'
import {
  SUM_AMOUNTS,
  type SumIncrement,
  type SumPage,
  type SumRow,
  type SumStore,
  toSumAmount,
} from '../../../storage/sum-store.ts'
import type { Database } from '../database.ts'
import type { Reader, ReaderCalls, Writer, WriterCalls } from '../worker/threads.ts'
import type { WhenFolded } from './folded-reads.ts'
import type { Row } from './rows.ts'

/** The names of the columns of amounts. */
export const AMOUNTS: readonly string[] = Array.from({ length: SUM_AMOUNTS }, (_, index) => `a${index + 1}`)

export interface SqliteSumsDeps {
  readonly reader: Reader
  readonly writer: Writer
  readonly whenFolded: WhenFolded
}

export function createSqliteSums({ reader, writer, whenFolded }: SqliteSumsDeps): SumStore {
  return {
    async ofUser(user, page) {
      await whenFolded()
      return reader.call('sumsOfUser', user, page)
    },
    async ofNamespace(namespace, page) {
      await whenFolded()
      return reader.call('sumsOfNamespace', namespace, page)
    },
    async ofUsers(namespace, page) {
      await whenFolded()
      return reader.call('sumsOfUsers', namespace, page)
    },
    async sweep(namespace, below, limit) {
      const removed = await writer.call('sweepSums', namespace, below, limit)
      if (removed === limit) return removed
      // Found by the reader thread: it may have to look at every user.
      const old = await reader.call('oldUserSums', namespace, below, limit - removed)
      return removed + (old.length === 0 ? 0 : await writer.call('removeUserSums', old))
    },
  }
}

type Reads = Pick<ReaderCalls, 'sumsOfUser' | 'sumsOfNamespace' | 'sumsOfUsers' | 'oldUserSums'>

/** Sums of one column over rows of one user: in two parts, so that no sum of them overflows. */
const LOW_BITS = 30n
const TOTALS = AMOUNTS.map(
  (column) => `sum(${column} >> ${LOW_BITS}) AS ${column}_high, sum(${column} & ${(1n << LOW_BITS) - 1n}) AS ${column}`,
)

/** The part that runs in the reader thread. */
export function prepareSums(connection: DatabaseSync): Reads {
  const prepare = (text: string): StatementSync => {
    const statement = connection.prepare(text)
    statement.setReadBigInts(true)
    return statement
  }
  const page = (table: string, owner: string): StatementSync =>
    prepare(`SELECT day, hour, key, ${AMOUNTS.join(', ')} FROM ${table} WHERE ${owner}
      AND (day, hour, key) > (?, ?, ?) AND day >= ? AND day < ? ORDER BY day, hour, key LIMIT ?`)
  const ofUser = page('user_sums', 'uid = (SELECT uid FROM users WHERE namespace = ? AND id = ?)')
  const ofNamespace = page('sums', 'namespace = ?')
  const ofUsers = prepare(`SELECT users.id AS user, ${TOTALS.join(', ')}
    FROM users INDEXED BY users_by_id CROSS JOIN user_sums USING (uid)
    WHERE users.namespace = ? AND users.id > ? AND day >= ? AND day < ?
    GROUP BY users.id ORDER BY users.id LIMIT ?`)
  const oldUserSums = connection.prepare(`SELECT uid, day, hour, key
    FROM users INDEXED BY users_by_id CROSS JOIN user_sums USING (uid) WHERE namespace = ? AND day < ? LIMIT ?`)
  return {
    oldUserSums: (namespace, below, limit) =>
      oldUserSums
        .all(namespace, below, limit)
        .map(({ uid, day, hour, key }) => [Number(uid), String(day), Number(hour), String(key)]),
    sumsOfUser: ({ namespace, id }, query) => ofUser.all(namespace, id, ...rangeOf(query)).map(sumOf),
    sumsOfNamespace: (namespace, query) => ofNamespace.all(namespace, ...rangeOf(query)).map(sumOf),
    sumsOfUsers: (namespace, { from, to, after = '', limit }) =>
      ofUsers.all(namespace, after, from, to, limit).map((row) => ({
        user: String(row.user),
        amounts: AMOUNTS.map((column) =>
          toSumAmount((BigInt(Number(row[`${column}_high`])) << LOW_BITS) + (row[column] as bigint)),
        ),
      })),
  }
}

function rangeOf({ from, to, after, limit }: SumPage): (string | number)[] {
  return [after?.day ?? '', after?.hour ?? 0, after?.key ?? '', from, to, limit]
}

export function sumOf(row: Row): SumRow {
  return {
    day: String(row.day),
    hour: Number(row.hour),
    key: String(row.key),
    amounts: AMOUNTS.map((column) => toSumAmount(BigInt(row[column] as bigint))),
  }
}

export interface AddSums {
  ofUser(uid: number, increment: SumIncrement): void
  ofNamespace(namespace: string, increment: SumIncrement): void
}

/**
 * Adds to sums, inside a transaction of the caller. Amounts are bound as integers of 64 bits: a sum of doubles is not exact.
 * A sum that overflows becomes a double, which the cast turns into the largest integer.
 */
export function prepareAddSums(database: Database): AddSums {
  const add = (table: string, owner: string): StatementSync => {
    const added = AMOUNTS.map((column) => `${column} = CAST(${column} + excluded.${column} AS INTEGER)`)
    return database.prepare(`INSERT INTO ${table} (${owner}, day, hour, key, ${AMOUNTS.join(', ')})
      VALUES (?, ?, ?, ?, ${AMOUNTS.map(() => '?').join(', ')}) ON CONFLICT DO UPDATE SET ${added.join(', ')}`)
  }
  const ofUser = add('user_sums', 'uid')
  const ofNamespace = add('sums', 'namespace')
  return {
    ofUser(uid, increment) {
      ofUser.run(uid, ...sumValues(increment))
    },
    ofNamespace(namespace, increment) {
      ofNamespace.run(namespace, ...sumValues(increment))
    },
  }
}

/** The values of a row of sums, as statements bind them. */
export function sumValues({ day, hour, key, amounts }: SumIncrement): (string | number | bigint)[] {
  return [day, hour, key, ...amounts.map(BigInt)]
}

/** The part that runs in the writer thread. */
export function prepareSweepSums(main: Database): Pick<WriterCalls, 'sweepSums' | 'removeUserSums'> {
  const sweep = main.prepare(`DELETE FROM sums WHERE (namespace, day, hour, key) IN
    (SELECT namespace, day, hour, key FROM sums WHERE namespace = ? AND day < ? LIMIT ?)`)
  const remove = main.prepare('DELETE FROM user_sums WHERE uid = ? AND day = ? AND hour = ? AND key = ?')
  return {
    sweepSums: (namespace, below, limit) => main.write(() => Number(sweep.run(namespace, below, limit).changes)),
    removeUserSums: (rows) =>
      main.write(() => rows.reduce((removed, row) => removed + Number(remove.run(...row).changes), 0)),
  }
}
