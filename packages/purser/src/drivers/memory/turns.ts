import { subjectKey } from '../../core/subject.ts'
import type { ListedTurn, StoredTurn, TurnPage, TurnStore } from '../../storage/turn-store.ts'
import { compareText } from '../text-order.ts'
import type { MemoryUser, Rows } from './rows.ts'

export function createMemoryTurns(rows: Rows): TurnStore {
  return {
    async ofUser(user, page) {
      return pageOf([...(rows.users.get(subjectKey(user))?.turns.values() ?? [])], page)
    },
    async ofNamespace(namespace, page) {
      const turns = usersOf(rows, namespace).flatMap(({ user, turns: own }) =>
        [...own.values()].map((turn): ListedTurn => ({ ...turn, user: user.id })),
      )
      return pageOf(turns, page)
    },
    async sweep(namespace, below, limit) {
      let removed = 0
      for (const { turns } of usersOf(rows, namespace))
        for (const id of turns.keys()) {
          if (removed === limit) return removed
          if (compareText(id, below) < 0 && turns.delete(id)) removed++
        }
      return removed
    },
  }
}

export function usersOf(rows: Rows, namespace: string): readonly MemoryUser[] {
  return [...rows.users.values()].filter(({ user }) => user.namespace === namespace)
}

function pageOf<Turn extends StoredTurn>(turns: readonly Turn[], page: TurnPage): readonly Turn[] {
  const { order, after, from, outcome, limit } = page
  const direction = order === 'ascending' ? 1 : -1
  return turns
    .filter(
      (turn) =>
        (after === undefined || direction * compareText(turn.id, after) > 0) &&
        (from === undefined || compareText(turn.id, from) >= 0) &&
        (outcome === undefined || turn.outcome === outcome),
    )
    .sort((one, other) => direction * compareText(one.id, other.id))
    .slice(0, limit)
}
