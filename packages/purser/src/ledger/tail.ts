import type { AbortOptions } from '../core/abort.ts'
import { readPage } from '../core/long-read.ts'
import { createSubject } from '../core/subject.ts'
import { throwInvalid, validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Event } from '../journal/event.ts'
import { readEvent } from '../journal/hash-chain.ts'
import type { Store, TailEvent } from '../storage/store.ts'

export interface TailOptions extends AbortOptions {
  /** The id of an event: begin after it. Default: only events committed from now on. */
  readonly after?: string | undefined
  /** Only events of this user. */
  readonly user?: string | undefined
  /** Only events of these types. */
  readonly types?: readonly string[] | undefined
}

export interface TailDeps {
  readonly store: Store
  readonly namespace: string
  /** Ends every tail; aborted when the ledger closes. */
  readonly closing: AbortSignal
}

const PAGE = 250

export function validateTailOptions(namespace: string, options: TailOptions): void {
  validateOptions('events', options, ['after', 'user', 'types'])
  const { after, user, types } = options
  if (user !== undefined) createSubject(namespace, user)
  if (after !== undefined && typeof after !== 'string')
    throwInvalid("'after' must be the id of an event.", {
      name: 'after',
      hint: 'Omit it to receive only new events.',
    })
  validateEventTypes(types)
}

export function validateEventTypes(types: unknown): void {
  if (types === undefined || (Array.isArray(types) && types.every((type) => typeof type === 'string'))) return
  throwInvalid("'types' must be an array of event types.", { name: 'types', hint: "Example: ['risk_change']." })
}

/** Events as they are committed, in the order of the store. */
export function tailEvents(deps: TailDeps, options: TailOptions): AsyncGenerator<Event, void, undefined> {
  const { store, namespace, closing } = deps
  const { after } = options
  const newest = after === undefined ? store.events.position(namespace) : store.events.position(namespace, after)
  const start = newest.then((position) => position ?? eventGone())
  // The error is thrown to the reader. Without a reader it must not become an unhandled rejection.
  start.catch(() => undefined)
  const ending = new AbortController()
  closing.addEventListener('abort', () => ending.abort(), { once: true, signal: ending.signal })
  const tail = followEvents({ store, namespace, ending }, options, start)
  // `return()` of a generator takes effect at its next yield, which may never come while it waits for an event.
  const endGenerator = tail.return.bind(tail)
  tail.return = (value) => {
    ending.abort()
    return endGenerator(value)
  }
  return tail
}

/**
 * A bus message only wakes the tail; events are read from the rows after its position, so a lost message loses no
 * event. No timer is used.
 */
async function* followEvents(
  { store, namespace, ending }: Pick<TailDeps, 'store' | 'namespace'> & { readonly ending: AbortController },
  options: TailOptions,
  start: Promise<number>,
): AsyncGenerator<Event, void, undefined> {
  const notifier = createNotifier()
  const unsubscribe = store.bus.subscribe((message) => {
    if (message === 'gap' || (message.topic === 'events' && message.namespace === namespace)) notifier.notify()
  })
  const { signal } = options
  ending.signal.addEventListener('abort', notifier.notify)
  signal?.addEventListener('abort', notifier.notify)
  const isEnded = (): boolean => {
    if (!ending.signal.aborted) signal?.throwIfAborted()
    return ending.signal.aborted
  }
  try {
    let position = await start
    let isBehind = options.after !== undefined
    while (!isEnded()) {
      notifier.reset()
      const entries = await readTail({ store, namespace }, position, isBehind)
      isBehind = entries.length === PAGE
      for (const entry of entries) {
        if (isEnded()) return
        position = entry.position
        if (matches(entry, options)) yield readEvent(entry.user, entry.event)
      }
      if (entries.length === 0) await notifier.notified()
    }
  } catch (error) {
    // The store rejects a pending read when it closes.
    if (!ending.signal.aborted) throw error
  } finally {
    unsubscribe()
    ending.abort()
    signal?.removeEventListener('abort', notifier.notify)
  }
}

/** A reader that is far behind takes turns with other long reads; one that waits for new events does not. */
function readTail(
  { store, namespace }: Pick<TailDeps, 'store' | 'namespace'>,
  position: number,
  isBehind: boolean,
): Promise<readonly TailEvent[]> {
  const read = (): Promise<readonly TailEvent[]> => store.events.tail(namespace, { after: position, limit: PAGE })
  return isBehind ? readPage(read) : read()
}

function matches(entry: TailEvent, { user, types }: TailOptions): boolean {
  return (user === undefined || entry.user === user) && (types === undefined || types.includes(entry.event.type))
}

/** A notification between `reset` and `notified` is not lost. */
function createNotifier(): { notify(): void; reset(): void; notified(): Promise<void> } {
  let { promise, resolve } = Promise.withResolvers<void>()
  return {
    notify: () => resolve(),
    reset() {
      ;({ promise, resolve } = Promise.withResolvers<void>())
    },
    notified: () => promise,
  }
}

function eventGone(): never {
  throw new PurserError('event_gone', 'The event to resume after is not stored any more.', {
    hint: 'Read the current state, then call events() without `after`.',
    details: { param: 'after' },
  })
}
