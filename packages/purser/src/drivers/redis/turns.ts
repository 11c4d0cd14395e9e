import type { ListedTurn, StoredTurn, TurnPage, TurnStore } from '../../storage/turn-store.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { turnOf } from './rows.ts'
import { SWEEP_TURNS } from './scripts/sweep.ts'

/** A page that is filtered by outcome is read in parts of this many turns. */
const FILTERED_TURNS_PER_READ = 500

export function createRedisTurns(connection: Connection, keys: Keys): TurnStore {
  /** Members of a sorted set, `ID …`, of one page without its filter. */
  function readMembers(key: string, { order, after, from, limit }: TurnPage): Promise<readonly string[]> {
    const isAscending = order === 'ascending'
    // An id is followed by a space; the byte after the space is an exclamation mark.
    const first = isAscending && after !== undefined && after >= (from ?? '') ? `(${after}!` : `[${from ?? ''}`
    const last = !isAscending && after !== undefined ? `(${after} ` : '+'
    const range = isAscending ? ['ZRANGEBYLEX', key, first, last] : ['ZREVRANGEBYLEX', key, last, first]
    return connection.run(key, [...range, 'LIMIT', '0', String(limit)])
  }

  async function readEntries(namespace: string, members: readonly string[]): Promise<readonly ListedTurn[]> {
    const turns = await Promise.all(
      members.map(async (member): Promise<ListedTurn | undefined> => {
        const [id, user] = splitMember(member)
        const key = keys.user({ namespace, id: user }).turns
        const [text] = await connection.run<readonly string[]>(key, ['ZRANGEBYLEX', key, `[${id} `, `(${id}!`])
        return text === undefined ? undefined : { ...turnOf(text), user }
      }),
    )
    return turns.filter((turn) => turn !== undefined)
  }

  return {
    async ofUser(user, page) {
      const { turns } = keys.user(user)
      return pageOf(page, async (part) => {
        const found = (await readMembers(turns, part)).map(turnOf)
        return { turns: found, read: found.length, last: found.at(-1)?.id }
      })
    },
    async ofNamespace(namespace, page) {
      const { turns } = keys.of(namespace).ledger
      return pageOf(page, async (part) => {
        const members = await readMembers(turns, part)
        const last = members.at(-1)
        const found = await readEntries(namespace, members)
        return { turns: found, read: members.length, last: last && splitMember(last)[0] }
      })
    },
    async sweep(namespace, below, limit) {
      const { turns } = keys.of(namespace).ledger
      const range = ['ZRANGEBYLEX', turns, '-', `(${below}`, 'LIMIT', '0', String(limit)]
      const idsByUser = new Map<string, string[]>()
      for (const member of await connection.run<readonly string[]>(turns, range)) {
        const [id, user] = splitMember(member)
        idsByUser.set(user, [...(idsByUser.get(user) ?? []), id])
      }
      const removed = await Promise.all(
        [...idsByUser].map(([id, ids]) =>
          connection.eval<number>(SWEEP_TURNS, [keys.user({ namespace, id }).turns, turns], [id, ...ids]),
        ),
      )
      return removed.reduce((sum, amount) => sum + amount, 0)
    },
  }
}

function splitMember(member: string): readonly [id: string, user: string] {
  const space = member.indexOf(' ')
  return [member.slice(0, space), member.slice(space + 1)]
}

interface PagePart<Turn> {
  readonly turns: readonly Turn[]
  /** How many were read, with those of users who were erased since. */
  readonly read: number
  readonly last: string | undefined
}

/** Reads parts until the page is full. */
async function pageOf<Turn extends StoredTurn>(
  page: TurnPage,
  read: (part: TurnPage) => Promise<PagePart<Turn>>,
): Promise<readonly Turn[]> {
  const { outcome, limit } = page
  const perRead = outcome === undefined ? limit : FILTERED_TURNS_PER_READ
  const found: Turn[] = []
  let after = page.after
  while (found.length < limit) {
    const part = await read({ ...page, after, limit: perRead })
    found.push(...part.turns.filter((turn) => outcome === undefined || turn.outcome === outcome))
    if (part.read < perRead || part.last === undefined) break
    after = part.last
  }
  return found.slice(0, limit)
}
