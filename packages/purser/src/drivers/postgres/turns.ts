import type { ListedTurn, StoredTurn, TurnPage, TurnStore } from '../../storage/turn-store.ts'
import type { Connection } from './connection.ts'
import { decodeText, encodeText } from './text.ts'

interface TurnRow {
  readonly id: string
  readonly outcome: string
  readonly value: string
}

export function createPostgresTurns(connection: Connection): TurnStore {
  const { schema } = connection
  return {
    async ofUser({ namespace, id }, page) {
      const { conditions, values, order } = selectionOf(page, [namespace, id])
      const rows = await connection.query<TurnRow>({
        text: `SELECT id, outcome, value FROM ${schema}.turns
          WHERE uid = (SELECT uid FROM ${schema}.users WHERE namespace = $1 AND id = $2) ${conditions} ${order}`,
        values,
      })
      return rows.map(turnOf)
    },
    async ofNamespace(namespace, page) {
      const { conditions, values, order } = selectionOf(page, [namespace])
      const rows = await connection.query<TurnRow & { user: string }>({
        text: `SELECT turns.id, outcome, value, users.id AS user FROM ${schema}.turns JOIN ${schema}.users USING (uid)
          WHERE turns.namespace = $1 ${conditions} ${order}`,
        values,
      })
      return rows.map((row): ListedTurn => ({ ...turnOf(row), user: row.user }))
    },
    async sweep(namespace, below, limit) {
      const rows = await connection.query({
        text: `DELETE FROM ${schema}.turns WHERE (namespace, id) IN
          (SELECT namespace, id FROM ${schema}.turns WHERE namespace = $1 AND id < $2 LIMIT $3) RETURNING 1`,
        values: [namespace, below, limit],
      })
      return rows.length
    },
  }
}

interface Selection {
  readonly conditions: string
  readonly values: readonly (string | number)[]
  readonly order: string
}

function selectionOf({ order, after, from, outcome, limit }: TurnPage, owner: readonly string[]): Selection {
  const isAscending = order === 'ascending'
  const values: (string | number)[] = [...owner]
  const conditions: string[] = []
  const add = (condition: string, value: string | undefined): void => {
    if (value === undefined) return
    values.push(encodeText(value))
    conditions.push(`AND ${condition} $${values.length}`)
  }
  add(`turns.id ${isAscending ? '>' : '<'}`, after)
  add('turns.id >=', from)
  // The condition of the index over rare outcomes.
  add(outcome === 'completed' ? 'outcome =' : "outcome <> 'completed' AND outcome =", outcome)
  values.push(limit)
  return {
    conditions: conditions.join(' '),
    values,
    order: `ORDER BY turns.id ${isAscending ? 'ASC' : 'DESC'} LIMIT $${values.length}`,
  }
}

function turnOf({ id, outcome, value }: TurnRow): StoredTurn {
  return { id: decodeText(id), outcome: decodeText(outcome), value: decodeText(value) }
}
