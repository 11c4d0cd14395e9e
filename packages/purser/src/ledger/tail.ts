import { readEvent } from '../journal/chain.ts'
import type { Event } from '../journal/fold.ts'
import type { Store } from '../store.ts'

const PAGE = 500

export interface TailHouse {
  readonly store: Store
  readonly namespace: string
  /** Ends every tail when the ledger closes. */
  readonly closing: AbortSignal
}

/**
 * Events as they are committed, in the order of the store. News from the bus only wakes it; what it gives is read
 * from the rows behind its position, so that lost news lose no event. It waits without a timer.
 */
export async function* tailEvents(
  { store, namespace, closing }: TailHouse,
  options: {
    readonly after?: string | undefined
    readonly user?: string | undefined
    readonly types?: readonly string[] | undefined
    readonly signal?: AbortSignal | undefined
  },
  start: Promise<number>,
): AsyncGenerator<Event, void, undefined> {
  const { signal, user, types } = options
  const bell = createBell()
  const stopListening = store.bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'events' && message.namespace === namespace)) bell.ring()
  })
  const wake = (): void => bell.ring()
  closing.addEventListener('abort', wake)
  signal?.addEventListener('abort', wake)
  try {
    let position = await start
    while (!closing.aborted) {
      signal?.throwIfAborted()
      bell.reset()
      const entries = await store.events.tail(namespace, { after: position, limit: PAGE })
      for (const entry of entries) {
        if (closing.aborted) return
        signal?.throwIfAborted()
        position = entry.position
        if (user !== undefined && entry.user !== user) continue
        if (types !== undefined && !types.includes(entry.event.type)) continue
        yield readEvent(entry.user, entry.event)
      }
      if (entries.length === 0) await bell.rung()
    }
  } finally {
    stopListening()
    closing.removeEventListener('abort', wake)
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
