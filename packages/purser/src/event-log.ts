import type { Event } from './journal/event.ts'
import { readEvent } from './journal/hash-chain.ts'
import type { Store, TailEvent } from './storage/store.ts'

/** The event log of a namespace by position, for a reader that stores how far it has read. */
export interface EventLog {
  /** The newest position; 0 when there are no events. */
  newest(): Promise<number>
  /** Events after a position, in the order of the log. */
  read(after: number, limit: number): Promise<LoggedEvent[]>
  /** Undefined when retention or an erasure has removed the event. */
  find(id: string): Promise<Event | undefined>
  /** Calls the listener when there may be new events. Returns the function that ends it. */
  subscribe(listener: () => void): () => void
}

export interface LoggedEvent {
  /** Rises with every event of the namespace. Events become visible in this order. */
  readonly position: number
  readonly event: Event
}

export function createEventLog({ events, bus }: Pick<Store, 'events' | 'bus'>, namespace: string): EventLog {
  return {
    newest: async () => (await events.position(namespace)) ?? 0,
    read: async (after, limit) => (await events.tail(namespace, { after, limit })).map(toLoggedEvent),
    async find(id) {
      const position = await events.position(namespace, id)
      if (position === undefined) return undefined
      const [entry] = await events.tail(namespace, { after: position - 1, limit: 1 })
      // Erased between the two reads: the next event is in its position.
      return entry?.event.id === id ? toLoggedEvent(entry).event : undefined
    },
    subscribe: (listener) =>
      bus.subscribe((message) => {
        if (message === 'gap' || (message.topic === 'events' && message.namespace === namespace)) listener()
      }),
  }
}

function toLoggedEvent({ position, user, event }: TailEvent): LoggedEvent {
  return { position, event: readEvent(user, event) }
}
