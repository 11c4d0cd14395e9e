import { addAmounts, type SumRow, type SumStore, type UserSum } from '../../storage/sum-store.ts'
import { sumPage } from '../sum-page.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { sumsOf } from './rows.ts'
import { SWEEP_SUMS } from './scripts/sweep.ts'

/** Users whose sums are looked at together. */
const USERS_PER_READ = 200

export function createRedisSums(connection: Connection, keys: Keys): SumStore {
  const run = <Reply extends string | null | readonly string[]>(key: string, args: readonly string[]): Promise<Reply> =>
    connection.run<Reply>(key, [...args])
  const readHash = async (key: string): Promise<SumRow[]> => sumsOf(await run<readonly string[]>(key, ['HGETALL', key]))

  /** Pages of the ids of all users, after one. */
  async function* userPages(namespace: string, after: string | undefined): AsyncGenerator<readonly string[]> {
    const { ids } = keys.of(namespace).ledger
    let first = after === undefined ? '-' : `(${after}`
    for (;;) {
      const page = await run<readonly string[]>(ids, [
        'ZRANGEBYLEX',
        ids,
        first,
        '+',
        'LIMIT',
        '0',
        String(USERS_PER_READ),
      ])
      yield page
      if (page.length < USERS_PER_READ) return
      first = `(${page.at(-1)}`
    }
  }

  return {
    async ofUser(user, page) {
      return sumPage(await readHash(keys.user(user).sums), page)
    },
    async ofNamespace(namespace, page) {
      const { sumDays } = keys.of(namespace).ledger
      const first = page.after !== undefined && page.after.day > page.from ? page.after.day : page.from
      const days = await run<readonly string[]>(sumDays, ['ZRANGEBYLEX', sumDays, `[${first}`, `(${page.to}`])
      const rows: SumRow[] = []
      for (const day of days) {
        const limit = page.limit - rows.length
        if (limit <= 0) break
        rows.push(...sumPage(await readHash(keys.of(namespace).sums(day)), { ...page, limit }))
      }
      return rows
    },
    async ofUsers(namespace, { from, to, after, limit }) {
      const found: UserSum[] = []
      for await (const ids of userPages(namespace, after)) {
        const sums = await Promise.all(ids.map((id) => readHash(keys.user({ namespace, id }).sums)))
        for (const [index, rows] of sums.entries()) {
          const amounts = rows.filter(({ day }) => day >= from && day < to).map((row) => row.amounts)
          if (amounts.length > 0) found.push({ user: ids[index] as string, amounts: amounts.reduce(addAmounts) })
        }
        if (found.length >= limit) break
      }
      return found.slice(0, limit)
    },
    async sweep(namespace, below, limit) {
      const { sumDays } = keys.of(namespace).ledger
      const old = await run<readonly string[]>(sumDays, ['ZRANGEBYLEX', sumDays, '-', `(${below}`, 'LIMIT', '0', '1'])
      for (const day of old) {
        await run(keys.of(namespace).sums(day), ['UNLINK', keys.of(namespace).sums(day)])
        await run(sumDays, ['ZREM', sumDays, day])
      }
      if (old.length > 0) return old.length
      let removed = 0
      for await (const ids of userPages(namespace, undefined)) {
        const hashes = ids.map((id) => keys.user({ namespace, id }).sums)
        const from = await Promise.all(hashes.map((key) => run<string | null>(key, ['HGET', key, 'from'])))
        const due = hashes.filter((_, index) => (from[index] ?? below) < below)
        const counts = await Promise.all(due.map((key) => connection.eval<number>(SWEEP_SUMS, [key], [below])))
        removed += counts.reduce((sum, amount) => sum + amount, 0)
        if (removed >= limit) break
      }
      return removed
    },
  }
}
