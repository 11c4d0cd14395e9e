import { PurserError } from '../errors.ts'
import type { Event } from '../journal/event.ts'
import { readEvent } from '../journal/hash-chain.ts'
import type { Store } from '../storage/store.ts'
import type { TailOptions } from './api.ts'

const PAGE = 500

export interface TailDeps {
  readonly store: Store
  readonly namespace: string
  /** Ends every tail when the ledger closes. */
  readonly closing: AbortSignal
}

/** The tail of what is committed from now on, or behind an event. */
export function tailEvents(house: TailDeps, options: TailOptions): AsyncGenerator<Event, void, undefined> {
  const { after } = options
  const { store, namespace, closing } = house
  const newest = after === undefined ? store.events.position(namespace) : store.events.position(namespace, after)
  const start = newest.then((position) => position ?? gone())
  // Told to whoever reads; nobody may.
  start.catch(() => undefined)
  const ending = new AbortController()
  closing.addEventListener('abort', () => ending.abort(), { once: true, signal: ending.signal })
  const tail = follow({ store, namespace, ending }, options, start)
  // A generator hears of its end only between two events, and the next one may never come.
  const end = tail.return.bind(tail)
  tail.return = (value) => {
    ending.abort()
    return end(value)
  }
  return tail
}

/**
 * Events as they are committed, in the order of the store. News from the bus only wakes it; what it gives is read
 * from the rows behind its position, so that lost news lose no event. It waits without a timer.
 */
async function* follow(
  { store, namespace, ending }: Pick<TailDeps, 'store' | 'namespace'> & { readonly ending: AbortController },
  { signal, user, types }: TailOptions,
  start: Promise<number>,
): AsyncGenerator<Event, void, undefined> {
  const bell = createBell()
  const stopListening = store.bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'events' && message.namespace === namespace)) bell.ring()
  })
  const wake = (): void => bell.ring()
  ending.signal.addEventListener('abort', wake)
  signal?.addEventListener('abort', wake)
  try {
    let position = await start
    while (!ending.signal.aborted) {
      signal?.throwIfAborted()
      bell.reset()
      const entries = await store.events.tail(namespace, { after: position, limit: PAGE })
      for (const entry of entries) {
        if (ending.signal.aborted) return
        signal?.throwIfAborted()
        position = entry.position
        if (user !== undefined && entry.user !== user) continue
        if (types !== undefined && !types.includes(entry.event.type)) continue
        yield readEvent(entry.user, entry.event)
      }
      if (entries.length === 0) await bell.rung()
    }
  } catch (error) {
    // A page that was under way is cut when the store closes.
    if (!ending.signal.aborted) throw error
  } finally {
    stopListening()
    ending.abort()
    signal?.removeEventListener('abort', wake)
  }
}

/** Remembers that it rang, so that news between two looks are not missed. */
function createBell(): { ring(): void; reset(): void; rung(): Promise<void> } {
  let { promise, resolve } = Promise.withResolvers<void>()
  return {
    ring: () => resolve(),
    reset() {
      ;({ promise, resolve } = Promise.withResolvers<void>())
    },
    rung: () => promise,
  }
}

function gone(): never {
  throw new PurserError('event_gone', 'No event of that id is kept, so there is nothing to resume behind.', {
    hint: 'Read the present state, then tail without `after`.',
    details: { param: 'after' },
  })
}
