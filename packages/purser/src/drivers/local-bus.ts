import type { Bus, BusMessage } from '../storage/store.ts'

type Listener = Parameters<Bus['subscribe']>[0]

export interface LocalBus {
  /** Gives the message to everybody in this process, in the order of subscription. A listener that throws hurts nobody. */
  deliver(message: BusMessage | 'gap'): void
  subscribe(listener: Listener): () => void
  readonly size: number
}

/** The part of a bus that needs no store: listeners in this process are told at once. */
export function createLocalBus(): LocalBus {
  const listeners = new Set<{ readonly tell: Listener }>()
  return {
    deliver(message) {
      for (const listener of listeners) {
        try {
          listener.tell(message)
        } catch (error) {
          // The listener's own fault is reported like any other uncaught one, behind the commit that brought the news.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
    subscribe(tell) {
      const listener = { tell }
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    get size() {
      return listeners.size
    },
  }
}
