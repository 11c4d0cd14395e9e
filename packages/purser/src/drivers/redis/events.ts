import type { StoredEvent } from '../../storage/commit.ts'
import type { EventPage, EventStore, TailEvent } from '../../storage/store.ts'
import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'
import { eventOf } from './rows.ts'

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

  /** Entries of the log with their events; those of users who were erased since the log was read are left out. */
  async function readEntries(namespace: string, log: readonly string[]): Promise<readonly TailEvent[]> {
    const entries: Promise<TailEvent | undefined>[] = []
    for (let index = 0; index < log.length; index += 2) {
      const member = log[index] as string
      const colon = member.indexOf(':')
      const [sequence, user] = [member.slice(0, colon), member.slice(colon + 1)]
      const key = keys.user({ namespace, id: user }).events
      const position = Number(log[index + 1])
      entries.push(
        readRange(key, ['ZRANGEBYSCORE', key, sequence, sequence]).then(([text]) =>
          text === undefined ? undefined : { position, user, event: eventOf(text) },
        ),
      )
    }
    return (await Promise.all(entries)).filter((entry) => entry !== undefined)
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
      const { log } = keys.of(namespace).ledger
      for (let from = after; ; ) {
        const range = ['ZRANGEBYSCORE', log, `(${from}`, '+inf', 'WITHSCORES', 'LIMIT', '0', String(limit)]
        const page = await readRange(log, range)
        const entries = await readEntries(namespace, page)
        if (page.length === 0 || entries.length > 0) return entries
        from = Number(page.at(-1))
      }
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
