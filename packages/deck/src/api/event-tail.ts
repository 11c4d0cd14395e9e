import { useSyncExternalStore } from 'react'
import type { Event } from './wire.ts'

/** Events that are shown at most. */
const MAX_EVENTS = 200

let events: readonly Event[] = []
const listeners = new Set<() => void>()

/** Adds events of the stream, newest first; an event that came before is left out. */
export function addToTail(added: readonly Event[]): void {
  const known = new Set(events.map(({ id }) => id))
  const fresh = added.filter(({ id }) => !known.has(id))
  if (fresh.length === 0) return
  events = [...fresh, ...events].toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, MAX_EVENTS)
  for (const listener of listeners) listener()
}

/** Forgets what was received, for another session. */
export function clearTail(): void {
  events = []
}

/** The latest events of all users since the page was opened, newest first. */
export function useTail(): readonly Event[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => events,
  )
}
