import type { DatabaseSync } from 'node:sqlite'
import type { ListedTurn, StoredTurn, TurnPage, TurnStore } from '../../../storage/turn-store.ts'
import type { Database } from '../database.ts'
import type { Reader, ReaderCalls, Writer, WriterCalls } from '../worker/threads.ts'
import type { WhenFolded } from './folded-reads.ts'
import type { Row } from './rows.ts'
import type { TurnFold } from './turn-fold.ts'
import { prepareTurnRows } from './turn-rows.ts'

/** Pages of one user of at most this many records are read at once; others in the reader thread. */
const SHORT_PAGE = 100

export interface SqliteTurnsDeps {
  readonly main: Database
  readonly reader: Reader
  readonly writer: Writer
  readonly whenFolded: WhenFolded
}

export function createSqliteTurns({ main, reader, writer, whenFolded }: SqliteTurnsDeps): TurnStore {
  const { turnsOfUser } = prepareTurns(main.connection)
  return {
    async ofUser(user, page) {
      await whenFolded()
      if (page.limit > SHORT_PAGE || page.outcome !== undefined) return reader.call('turnsOfUser', user, page)
      return main.read(() => turnsOfUser(user, page))
    },
    async ofNamespace(namespace, page) {
      await whenFolded()
      return reader.call('turnsOfNamespace', namespace, page)
    },
    sweep: (namespace, below, limit) => writer.call('sweepTurns', namespace, below, limit),
  }
}

/** Reads of turns, on the connection they are prepared on. */
export function prepareTurns(
  connection: DatabaseSync,
): Pick<ReaderCalls, 'turnsOfUser'> & Pick<ReaderCalls, 'turnsOfNamespace'> {
  return {
    turnsOfUser({ namespace, id }, page) {
      const { conditions, values, order } = selectionOf(page, 'entries.id')
      return connection
        .prepare(
          `SELECT turns.id, outcome, value FROM turns_by_user AS entries CROSS JOIN turns USING (position)
          WHERE entries.uid = (SELECT uid FROM users WHERE namespace = ? AND id = ?) ${conditions} ${order} LIMIT ?`,
        )
        .all(namespace, id, ...values, page.limit)
        .map(turnOf)
    },
    turnsOfNamespace(namespace, page) {
      const isRare = page.outcome !== undefined && page.outcome !== 'completed'
      const { conditions, values, order } = selectionOf(page, isRare ? 'turns.id' : 'entries.id')
      const [rows, owner] = isRare
        ? ['turns INDEXED BY turns_by_outcome', 'turns.namespace']
        : ['turns_by_id AS entries CROSS JOIN turns USING (position)', 'entries.namespace']
      // The join excludes turns of erased users that are not wiped yet.
      return connection
        .prepare(
          `SELECT turns.id, outcome, value, users.id AS user FROM ${rows} CROSS JOIN users USING (uid)
          WHERE ${owner} = ? ${conditions} ${order} LIMIT ?`,
        )
        .all(namespace, ...values, page.limit)
        .map((row): ListedTurn => ({ ...turnOf(row), user: String(row.user) }))
    },
  }
}

interface Selection {
  readonly conditions: string
  readonly values: readonly string[]
  readonly order: string
}

function selectionOf({ order, after, from, outcome }: TurnPage, id: string): Selection {
  const isAscending = order === 'ascending'
  const terms: (readonly [condition: string, value: string | undefined])[] = [
    [`${id} ${isAscending ? '>' : '<'} ?`, after],
    [`${id} >= ?`, from],
    // The condition of the index over rare outcomes.
    [outcome === 'completed' ? 'outcome = ?' : "outcome = ? AND outcome <> 'completed'", outcome],
  ]
  const present = terms.filter((term): term is readonly [string, string] => term[1] !== undefined)
  return {
    conditions: present.map(([condition]) => `AND ${condition}`).join(' '),
    values: present.map(([, value]) => value),
    order: `ORDER BY ${id} ${isAscending ? 'ASC' : 'DESC'}`,
  }
}

function turnOf({ id, outcome, value }: Row): StoredTurn {
  return { id: String(id), outcome: String(outcome), value: String(value) }
}

/** The part that runs in the writer thread. */
export function prepareSweepTurns(main: Database, fold: TurnFold): WriterCalls['sweepTurns'] {
  const { removeBelow } = prepareTurnRows(main)
  return async (namespace, below, limit) => {
    await fold.fold()
    return main.write(() => {
      const removed = removeBelow(namespace, below, limit)
      if (removed > 0) fold.noteRemoved()
      return removed
    })
  }
}
