import type { AbortOptions } from '../core/abort.ts'
import { readPage } from '../core/long-read.ts'
import { parseInstant, parseInteger, validateOptions } from '../core/validate.ts'
import type { Event } from '../journal/event.ts'
import { readEvent } from '../journal/hash-chain.ts'
import type { Store, TailEvent } from '../storage/store.ts'
import { validateEventTypes } from './tail.ts'

/** The log is read backwards in windows of this many positions, */
const WINDOW = 500
/** and at most this many of them in one call. */
const MAX_WINDOWS = 40
const MAX_EVENTS = WINDOW * MAX_WINDOWS

export interface RecentEventsDeps {
  readonly store: Store
  readonly namespace: string
}

export interface RecentEventsOptions extends AbortOptions {
  /** Events at this instant or later, ISO 8601. */
  readonly since: string
  /** Only events of these types. */
  readonly types?: readonly string[] | undefined
  /** Events at most. Default: all. */
  readonly limit?: number | undefined
}

export interface RecentEvents {
  /** Newest first. */
  readonly events: Event[]
  /** False: older ones are not among them, because the newest 20,000 events of all types do not reach back that far. */
  readonly complete: boolean
}

/** An event with its position in the log of all users. */
export interface PositionedEvent {
  readonly position: number
  readonly event: Event
}

/** Events of all users since an instant. */
export async function readRecentEvents(deps: RecentEventsDeps, options: RecentEventsOptions): Promise<RecentEvents> {
  validateOptions('recentEvents', options, ['since', 'types', 'limit'])
  validateEventTypes(options.types)
  const since = parseInstant(options.since, { name: 'since' })
  const limit =
    options.limit === undefined ? MAX_EVENTS : parseInteger(options.limit, { name: 'limit', min: 1, max: MAX_EVENTS })
  const events: Event[] = []
  let complete = true
  for await (const part of readBackwards(deps, { signal: options.signal })) {
    if (part === 'end of scan') {
      complete = false
      break
    }
    const inTime = part.filter(({ event }) => Date.parse(event.at) >= since)
    events.push(...inTime.map(({ event }) => event).filter(({ type }) => options.types?.includes(type) ?? true))
    // Instants of different users may be slightly out of order; a whole window without one in time is not.
    if ((part.length > 0 && inTime.length === 0) || events.length >= limit) break
  }
  return { events: events.slice(0, limit), complete }
}

/** The log of all users, newest first, in windows; at last `end of scan` when older events were not read. */
export async function* readBackwards(
  { store, namespace }: RecentEventsDeps,
  { before, signal }: { readonly before?: number | undefined; readonly signal?: AbortOptions['signal'] },
): AsyncGenerator<readonly PositionedEvent[] | 'end of scan'> {
  let end = before ?? ((await store.events.position(namespace)) ?? 0) + 1
  for (let window = 0; end > 1; window++) {
    signal?.throwIfAborted()
    if (window === MAX_WINDOWS) {
      yield 'end of scan'
      return
    }
    const start = Math.max(1, end - WINDOW)
    const read = (): Promise<readonly TailEvent[]> => store.events.tail(namespace, { after: start - 1, limit: WINDOW })
    const below = end
    const entries = (await readPage(read)).filter(({ position }) => position < below)
    yield entries.toReversed().map(({ position, user, event }) => ({ position, event: readEvent(user, event) }))
    end = start
  }
}
