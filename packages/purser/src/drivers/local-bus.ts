import type { Subject } from '../core/subject.ts'
import type { Bus, BusMessage } from '../storage/store.ts'

type Listener = Parameters<Bus['subscribe']>[0]

/** The listeners of this process, which need no store between them. */
export interface LocalBus {
  /** Calls every listener, in the order of subscription. A listener that throws does not affect the others. */
  deliver(message: BusMessage | 'gap'): void
  subscribe(listener: Listener): () => void
  readonly size: number
}

export function createLocalBus(): LocalBus {
  // Objects, so that a function subscribed twice is two listeners.
  const subscriptions = new Set<{ readonly listener: Listener }>()
  return {
    deliver(message) {
      for (const { listener } of subscriptions) {
        try {
          listener(message)
        } catch (error) {
          // An error of a listener is reported like any uncaught error, and does not fail the commit it was notified of.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
    subscribe(listener) {
      const subscription = { listener }
      subscriptions.add(subscription)
      return () => subscriptions.delete(subscription)
    },
    get size() {
      return subscriptions.size
    },
  }
}

/** What the messages of a commit depend on. */
export interface NotifiedCommit {
  readonly events: readonly unknown[]
  readonly records?: readonly { readonly kind: string }[]
}

/**
 * The messages a driver sends by itself: that a user has changed, and that there are new events to read. `detail` names
 * the kinds of records that were written, so that a listener that caches other kinds need not read again.
 */
export function messagesOfCommit({ namespace, id }: Subject, { events, records }: NotifiedCommit): BusMessage[] {
  const detail = records && (records.length === 0 ? '' : [...new Set(records.map(({ kind }) => kind))].join(' '))
  const changed: BusMessage = { topic: 'user', namespace, user: id, detail }
  return events.length === 0 ? [changed] : [changed, { topic: 'events', namespace, user: id }]
}

/**
 * Tells the listeners of this process. Called before the commit is acknowledged, so that a process that caches rows can
 * replace its copy before the caller goes on.
 */
export function notifyCommit(local: LocalBus, user: Subject, commit: NotifiedCommit): void {
  if (local.size === 0) return
  for (const message of messagesOfCommit(user, commit)) local.deliver(message)
}
