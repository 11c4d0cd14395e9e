import { afterCurrentTick } from '../../core/effects.ts'
import { type Subject, subjectKey } from '../../core/subject.ts'
import type { StoredEvent } from '../../storage/commit.ts'
import type { EventPage, EventStore, TailEvent } from '../../storage/store.ts'
import type { Rows } from './rows.ts'

/** A page of this many events or more belongs to a long scan, which must not block the event loop. */
const LONG_PAGE = 200

export function createMemoryEvents(rows: Rows): EventStore {
  const eventsOf = (user: Subject): readonly StoredEvent[] => rows.users.get(subjectKey(user))?.events ?? []
  const entriesOf = (namespace: string): readonly TailEvent[] => rows.logs.get(namespace)?.entries ?? []
  return {
    async newest(user, { limit, before = Number.POSITIVE_INFINITY, ...filter }) {
      const page: StoredEvent[] = []
      const events = eventsOf(user)
      for (let index = events.length - 1; index >= 0 && page.length < limit; index--) {
        const event = events[index] as StoredEvent
        if (event.sequence < before && matches(event, filter)) page.push(event)
      }
      return page
    },
    async oldest(user, { after, limit }) {
      const events = eventsOf(user)
      const first = indexAbove(events, (event) => event.sequence > after)
      return deferLongPage(events.slice(first, first + limit))
    },
    async tail(namespace, { after, limit }) {
      const entries = entriesOf(namespace)
      const first = indexAbove(entries, (entry) => entry.position > after)
      return deferLongPage(entries.slice(first, first + limit))
    },
    async position(namespace, eventId) {
      if (eventId !== undefined) return rows.logs.get(namespace)?.positions.get(eventId)
      return entriesOf(namespace).at(-1)?.position ?? 0
    },
  }
}

function matches({ at, type }: StoredEvent, { types, from, to }: Omit<EventPage, 'limit' | 'before'>): boolean {
  const isInPeriod = (from === undefined || at >= from) && (to === undefined || at < to)
  return isInPeriod && (types === undefined || types.includes(type))
}

/** Resolves a long page after the event loop has run its other callbacks. */
function deferLongPage<Page extends readonly unknown[]>(page: Page): Page | Promise<Page> {
  return page.length < LONG_PAGE ? page : new Promise((resolve) => afterCurrentTick(() => resolve(page)))
}

/** Index of the first item above a bound in a sorted list; the list's length when there is none. */
function indexAbove<Item>(items: readonly Item[], isAbove: (item: Item) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isAbove(items[middle] as Item)) high = middle
    else low = middle + 1
  }
  return low
}
