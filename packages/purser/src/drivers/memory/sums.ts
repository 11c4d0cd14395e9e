import { subjectKey } from '../../core/subject.ts'
import { addAmounts, type SumStore, type UserSum } from '../../storage/sum-store.ts'
import { sumPage } from '../sum-page.ts'
import { compareText } from '../text-order.ts'
import type { Rows } from './rows.ts'
import { usersOf } from './turns.ts'

export function createMemorySums(rows: Rows): SumStore {
  return {
    async ofUser(user, page) {
      return sumPage(rows.users.get(subjectKey(user))?.sums.values() ?? [], page)
    },
    async ofNamespace(namespace, page) {
      return sumPage(rows.sums.get(namespace)?.values() ?? [], page)
    },
    async ofUsers(namespace, { from, to, after, limit }) {
      const users: UserSum[] = []
      for (const { user, sums } of usersOf(rows, namespace)) {
        if (after !== undefined && compareText(user.id, after) <= 0) continue
        const amounts = [...sums.values()].filter(({ day }) => day >= from && day < to).map((row) => row.amounts)
        if (amounts.length > 0) users.push({ user: user.id, amounts: amounts.reduce(addAmounts) })
      }
      return users.sort((one, other) => compareText(one.user, other.user)).slice(0, limit)
    },
    async sweep(namespace, below, limit) {
      let removed = 0
      const all = [rows.sums.get(namespace), ...usersOf(rows, namespace).map(({ sums }) => sums)]
      for (const sums of all)
        for (const [name, { day }] of sums ?? []) {
          if (removed === limit) return removed
          if (day < below && sums?.delete(name)) removed++
        }
      return removed
    },
  }
}
