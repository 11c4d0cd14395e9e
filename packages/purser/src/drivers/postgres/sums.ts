import { type SumPage, type SumRow, type SumStore, toSumAmount } from '../../storage/sum-store.ts'
import type { Connection } from './connection.ts'
import { ADDED_AMOUNTS, AMOUNTS } from './migrations/0005-turns.ts'
import { decodeText, encodeText } from './text.ts'

/** Numeric columns are text. */
type AmountRow = Readonly<Record<string, string>>
type SumColumns = AmountRow & { readonly day: string; readonly hour: number; readonly key: string }

export function createPostgresSums(connection: Connection): SumStore {
  const { schema } = connection

  async function page(text: string, owner: readonly string[], query: SumPage): Promise<readonly SumRow[]> {
    const { from, to, after, limit } = query
    const first = owner.length + 1
    const parameters = Array.from({ length: 6 }, (_, index) => `$${first + index}`)
    const [fromDay, toDay, day, hour, key, rows] = parameters
    const found = await connection.query<SumColumns>({
      text: `SELECT day, hour, key, ${ADDED_AMOUNTS} FROM ${text} AND day >= ${fromDay} AND day < ${toDay}
        AND (day, hour, key) > (${day}::text, ${hour}::bigint, ${key}::text)
        GROUP BY day, hour, key ORDER BY day, hour, key LIMIT ${rows}`,
      values: [...owner, from, to, after?.day ?? '', after?.hour ?? 0, encodeText(after?.key ?? ''), limit],
    })
    return found.map((row) => ({ day: row.day, hour: row.hour, key: decodeText(row.key), amounts: amountsOf(row) }))
  }

  return {
    ofUser: ({ namespace, id }, query) =>
      page(
        `${schema}.user_sums WHERE uid = (SELECT uid FROM ${schema}.users WHERE namespace = $1 AND id = $2)`,
        [namespace, id],
        query,
      ),
    ofNamespace: (namespace, query) => page(`${schema}.sums WHERE namespace = $1`, [namespace], query),
    async ofUsers(namespace, { from, to, after = '', limit }) {
      const rows = await connection.query<AmountRow & { readonly user: string }>({
        text: `SELECT users.id AS user, ${ADDED_AMOUNTS} FROM ${schema}.users JOIN ${schema}.user_sums USING (uid)
          WHERE users.namespace = $1 AND users.id > $2 AND day >= $3 AND day < $4
          GROUP BY users.id ORDER BY users.id LIMIT $5`,
        values: [namespace, after, from, to, limit],
      })
      return rows.map((row) => ({ user: row.user, amounts: amountsOf(row) }))
    },
    async sweep(namespace, below, limit) {
      const sums = `DELETE FROM ${schema}.sums WHERE ctid IN
        (SELECT ctid FROM ${schema}.sums WHERE namespace = $1 AND day < $2 LIMIT $3) RETURNING 1`
      const removed = (await connection.query({ text: sums, values: [namespace, below, limit] })).length
      if (removed === limit) return removed
      const userSums = `DELETE FROM ${schema}.user_sums WHERE (uid, day, hour, key) IN
        (SELECT uid, day, hour, key FROM ${schema}.user_sums JOIN ${schema}.users USING (uid)
         WHERE users.namespace = $1 AND day < $2 LIMIT $3) RETURNING 1`
      return removed + (await connection.query({ text: userSums, values: [namespace, below, limit - removed] })).length
    },
  }
}

function amountsOf(row: AmountRow): SumRow['amounts'] {
  return AMOUNTS.map((column) => toSumAmount(BigInt(row[column] ?? 0)))
}
