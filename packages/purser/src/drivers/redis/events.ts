import type { StoredEvent } from '../../storage/commit.ts'
import type { EventPage, EventStore, TailEvent } from '../../storage/store.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { eventOf } from './rows.ts'
import { EVENTS } from './scripts/pages.ts'

/** A page that is filtered by type or time is read in parts of this many events. */
const FILTERED_EVENTS_PER_READ = 500

export function createRedisEvents(connection: Connection, keys: Keys): EventStore {
  const readRange = (key: string, args: readonly string[]): Promise<readonly string[]> => connection.run(key, args)

  async function newest(key: string, before: string, limit: number): Promise<readonly StoredEvent[]> {
    const range = ['ZREVRANGEBYSCORE', key, before, '-inf', 'LIMIT', '0', String(limit)]
    return (await readRange(key, range)).map(eventOf)
  }

  async function newestFiltered(
    key: string,
    { limit, before, types, from = 0, to = Number.POSITIVE_INFINITY }: EventPage,
  ): Promise<readonly StoredEvent[]> {
    const page: StoredEvent[] = []
    let below = bound(before)
    while (page.length < limit && types?.length !== 0) {
      const events = await newest(key, below, FILTERED_EVENTS_PER_READ)
      for (const event of events) {
        const { type, at } = event
        if (at >= from && at < to && (types === undefined || types.includes(type))) page.push(event)
      }
      if (events.length < FILTERED_EVENTS_PER_READ) break
      below = bound(events.at(-1)?.sequence)
    }
    return page.slice(0, limit)
  }

  return {
    async newest(user, page) {
      const key = keys.user(user).events
      const { limit, before, types, from, to } = page
      if (limit <= 0) return []
      const isFiltered = types !== undefined || from !== undefined || to !== undefined
      return isFiltered ? newestFiltered(key, page) : newest(key, bound(before), limit)
    },
    async oldest(user, { after, limit }) {
      const key = keys.user(user).events
      return (await readRange(key, ['ZRANGEBYSCORE', key, `(${after}`, '+inf', 'LIMIT', '0', String(limit)])).map(
        eventOf,
      )
    },
    async tail(namespace, { after, limit }) {
      for (let from: number | undefined = after; from !== undefined; ) {
        const page: LogPage = await readLog({ connection, keys }, { namespace, after: from, limit })
        if (page.entries.length > 0) return page.entries
        from = page.next
      }
      return []
    },
    async position(namespace, eventId) {
      const { log, positions } = keys.of(namespace).ledger
      if (eventId === undefined) {
        const [, position] = await readRange(log, ['ZREVRANGE', log, '0', '0', 'WITHSCORES'])
        return Number(position ?? 0)
      }
      const position = await connection.run<string | null>(positions, ['HGET', positions, encodeURIComponent(eventId)])
      return position === null ? undefined : Number(position)
    },
  }
}

function bound(before: number | undefined): string {
  return before === undefined ? '+inf' : `(${before}`
}

export interface LogPage {
  readonly entries: readonly TailEvent[]
  /** The position behind which the next page starts; undefined: the log has ended. */
  readonly next: number | undefined
}

/** A page of the log of a namespace, without events of users who were erased since the log was read. */
export async function readLog(
  { connection, keys }: { readonly connection: Connection; readonly keys: Keys },
  query: { readonly namespace: string; readonly after: number; readonly limit: number; readonly maxBytes?: number },
): Promise<LogPage> {
  const { namespace, after, limit, maxBytes = Number.MAX_SAFE_INTEGER } = query
  const { log } = keys.of(namespace).ledger
  const range = ['ZRANGEBYSCORE', log, `(${after}`, '+inf', 'WITHSCORES', 'LIMIT', '0', String(limit)]
  const members = await connection.run<readonly string[]>(log, range)
  const found = Array.from({ length: members.length / 2 }, (_, index) => {
    const member = members[index * 2] as string
    const colon = member.indexOf(':')
    return { position: Number(members[index * 2 + 1]), sequence: member.slice(0, colon), user: member.slice(colon + 1) }
  })
  if (found.length === 0) return { entries: [], next: undefined }
  const users = [...new Set(found.map(({ user }) => user))]
  const indexes = new Map(users.map((user, index) => [user, String(index + 1)]))
  const texts = await connection.eval<readonly (string | null)[]>(
    EVENTS,
    users.map((id) => keys.user({ namespace, id }).events),
    [String(maxBytes), ...found.flatMap(({ user, sequence }) => [indexes.get(user) as string, sequence])],
  )
  const entries = texts.flatMap((text, index) => {
    const { position, user } = found[index] as (typeof found)[number]
    return text === null ? [] : [{ position, user, event: eventOf(text) }]
  })
  return { entries, next: found[texts.length - 1]?.position }
}
